"""What a program says to a run, as values and as words of the command line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypedDict

from dagfs.engine.location import new_token, now
from dagfs.errors import UsageError
from dagfs.model.run import StepRun
from dagfs.planning.plan import Answers
from dagfs.planning.selection import Selection
from dagfs.store.layout import new_run_id

Params = Mapping[str, object]
OnStale = str | Mapping[str, str]


class Saying(TypedDict, total=False):
    """The keywords of `plan`, `retry` and `start_retry`."""

    on_stale: OnStale
    """`rerun`, `keep` or `error`, or one of them by step."""
    allow: Collection[str]
    """Rules to lift."""
    reason: str
    kill_orphans: bool
    """End steps that a dead engine left running, instead of taking them over."""
    select: str
    """The steps to run, and all behind them, in place of those that are unfinished."""
    only: str
    """The same, without what is behind them."""
    to: str
    """Nothing runs but these, and what stands before them."""
    all: bool
    """Every step runs, whatever is finished."""
    params: Mapping[str, object]
    """Other values of parameters."""
    sets: Collection[str]
    """Values to write into the spec, as `STEP.FIELD=VALUE`."""
    tags: Collection[str]
    """Tags to add to the spec."""
    acknowledged: Collection[str]
    """Steps with `idempotent: false` that may run again."""
    wrapper: str
    """A command that the steps to run are put behind, or those that `wrapped` selects."""
    wrapped: str
    profile: str
    """Where steps run, in place of what the spec says: a profile's name, or its file."""
    spec: str | bytes | None
    """A text in place of spec.next.yaml."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a waiting step asks."""

    run: str
    """The run it waits in; that of a sub-DAG is `ROOT/CHILD`."""
    step: str
    prompt: str = ""
    input: tuple[str, ...] = ()
    """The values that it takes."""
    required: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: str, step: StepRun) -> Question:
        asked = step.question or {}
        names = (tuple(asked.get(key, ())) for key in ("input", "required"))
        return cls(run, step.name, str(asked.get("prompt") or ""), *names)


def answers_of(said: Saying) -> Answers:
    """UsageError where two of them exclude each other."""
    whole = bool(said.get("all"))
    if bool(said.get("select")) + bool(said.get("only")) + whole > 1 or (whole and said.get("to")):
        raise UsageError("`all`, `select` and `only` exclude each other, as do `all` and `to`")
    steps = said.get("only", "") or said.get("select", "")
    selection = Selection(steps, said.get("to", ""), bool(said.get("only")), whole)
    stale = said.get("on_stale", {})
    pairs = (("*", stale),) if isinstance(stale, str) else tuple(stale.items())
    allow, kill = tuple(said.get("allow", ())), said.get("kill_orphans", False)
    return Answers(
        pairs,
        allow,
        said.get("reason", ""),
        kill,
        selection,
        params=tuple((name, str(value)) for name, value in said.get("params", {}).items()),
        sets=tuple(said.get("sets", ())),
        tags=tuple(said.get("tags", ())),
        acknowledged=tuple(said.get("acknowledged", ())),
        wrapper=said.get("wrapper", ""),
        wrapped=said.get("wrapped", ""),
        profile=said.get("profile", ""),
    )


def spec_of(said: Saying) -> bytes | None:
    return as_bytes(said.get("spec"))


def as_bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


# --- words for the command line; one word each, so that a value that begins with a dash stays a value


def given(option: str, value: str) -> list[str]:
    """An option, unless it has nothing to say."""
    return [f"{option}={value}"] if value else []


def pairs(option: str, values: Mapping[str, object] | None) -> list[str]:
    """The option for each name with its value."""
    return [f"{option}={name}={value}" for name, value in (values or {}).items()]


def answer_words(answers: Answers) -> list[str]:
    return [f"{name}={value}" if value else name for name, value in answers.options()]


def new_id(name: str) -> str:
    """An id for a new run of a DAG."""
    return new_run_id(now(), name, new_token()[:4])
