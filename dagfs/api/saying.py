"""What a program says to a run, as values and as words of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dagfs.engine.location import new_token, now
from dagfs.model.run import StepRun
from dagfs.planning.answers import Answers
from dagfs.store.layout import new_run_id

Params = Mapping[str, object]


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
