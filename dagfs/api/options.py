"""What a retry or a rerun may be told, as one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from dagfs.errors import NothingToDo, UsageError
from dagfs.model.state import RunState
from dagfs.planning.answers import Answers
from dagfs.planning.selection import Selection

OnStale = str | Mapping[str, str]
Steps = str | Sequence[str]
"""A selection, `"load++,-report"`, or a list of its terms."""

_ANSWERS = ("rerun", "keep", "error")
_QUOTED = frozenset(",\"'")
"""What a term of a list may hold only as part of a step's name."""


class _Standing(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def state(self) -> RunState: ...


class Saying(TypedDict, total=False):
    """The fields of `RetryOptions` as keywords."""

    on_stale: OnStale
    allow: Collection[str]
    reason: str
    kill_orphans: bool
    select: Steps
    only: Steps
    to: Steps
    all: bool
    params: Mapping[str, object]
    sets: Collection[str]
    tags: Collection[str]
    acknowledged: Collection[str]
    wrapper: str
    wrapped: Steps
    profile: str
    cutoff: bool | None
    spec: str | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions:
    """What `plan`, `retry` and `rerun` may be told; as it is made, a retry from the failure.

    UsageError for options that exclude each other.
    """

    on_stale: OnStale = ""
    """`rerun`, `keep` or `error`, or one of them by step."""
    allow: Collection[str] = ()
    """Rules to lift."""
    reason: str = ""
    kill_orphans: bool = False
    """End steps that a dead engine left running, instead of taking them over."""
    select: Steps = ""
    """The steps to run, and all behind them, in place of those that are unfinished."""
    only: Steps = ""
    """The same, without what is behind them."""
    to: Steps = ""
    """Nothing runs but these, and what stands before them."""
    all: bool = False
    """Every step runs, whatever is finished."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Other values of parameters."""
    sets: Collection[str] = ()
    """Values to write into the spec, as `STEP.FIELD=VALUE`."""
    tags: Collection[str] = ()
    """Tags to add to the spec."""
    acknowledged: Collection[str] = ()
    """Steps with `idempotent: false` that may run again."""
    wrapper: str = ""
    """A command that the steps to run are put behind, or those that `wrapped` selects."""
    wrapped: Steps = ""
    profile: str = ""
    """Where steps run, in place of what the spec says: a profile's name, or its file."""
    cutoff: bool | None = None
    """Finished steps stay where those before them run again put out the same; None: the home's choice."""
    spec: str | bytes | None = None
    """A text in place of spec.next.yaml."""

    def __post_init__(self) -> None:
        for name in ("allow", "sets", "tags", "acknowledged"):
            if isinstance(getattr(self, name), str):
                raise UsageError(f"{name} is a list of texts, not a text", hint=f"{name}=[…]")
        said = (self.on_stale,) if isinstance(self.on_stale, str) else tuple(self.on_stale.values())
        for answer in filter(None, said):
            if answer not in _ANSWERS:
                raise UsageError(f"on_stale: {answer!r} is none of {', '.join(_ANSWERS)}")
        if sum(map(bool, (self.select, self.only, self.all))) > 1 or (self.all and self.to):
            raise UsageError("`all`, `select` and `only` exclude each other, as do `all` and `to`")

    # --- the usual ones

    @classmethod
    def from_failure(cls, run: _Standing) -> RetryOptions:
        """What did not succeed, and everything behind it. NothingToDo where the run has succeeded."""
        if run.state is RunState.SUCCEEDED:
            raise NothingToDo(
                f"nothing to do: run {run.id} has succeeded", hint="from_selected([…]) runs steps again"
            )
        return cls()

    @classmethod
    def from_selected(cls, steps: Steps) -> RetryOptions:
        """These steps, finished or not, and everything behind them."""
        return cls(select=_some(steps))

    @classmethod
    def only_selected(cls, steps: Steps) -> RetryOptions:
        """These steps alone; finished ones behind them are kept as stale."""
        return cls(only=_some(steps))

    @classmethod
    def up_to(cls, steps: Steps) -> RetryOptions:
        """What is unfinished among these steps and those before them."""
        return cls(to=_some(steps))

    @classmethod
    def everything(cls) -> RetryOptions:
        """Every step; sub-DAGs start over, too."""
        return cls(all=True)

    # --- for the engine

    def answers(self) -> Answers:
        """The same as the planner takes it."""
        steps = _text(self.only) or _text(self.select)
        stale = self.on_stale
        return Answers(
            on_stale=((("*", stale),) if stale else ()) if isinstance(stale, str) else tuple(stale.items()),
            allow=tuple(self.allow),
            reason=self.reason,
            kill_orphans=self.kill_orphans,
            selection=Selection(steps, _text(self.to), bool(self.only), self.all),
            params=tuple((name, str(value)) for name, value in self.params.items()),
            sets=tuple(self.sets),
            tags=tuple(self.tags),
            acknowledged=tuple(self.acknowledged),
            wrapper=self.wrapper,
            wrapped=_text(self.wrapped),
            profile=self.profile,
            cutoff=self.cutoff,
        )

    def text(self) -> bytes | None:
        """The text in place of spec.next.yaml, if one is given."""
        return self.spec.encode() if isinstance(self.spec, str) else self.spec


FROM_FAILURE = RetryOptions()


def require_rerun(options: RetryOptions) -> Answers:
    """What a new run may be told of it; UsageError where something is for a retry alone."""
    for name in ("sets", "tags", "wrapper", "wrapped", "spec"):
        if getattr(options, name):
            raise UsageError(f"a rerun takes no `{name}`", hint="tell it to a retry of the new run")
    return options.answers()


def _some(steps: Steps) -> Steps:
    if not steps or (isinstance(steps, str) and not steps.strip(" ,")):
        raise UsageError("a selection is empty")
    return steps


def _text(steps: Steps) -> str:
    """One expression. In a list, what holds a comma or a quote is a name as it stands."""
    return steps if isinstance(steps, str) else ",".join(map(_term, steps))


def _term(term: str) -> str:
    if _QUOTED.isdisjoint(term):
        return term
    return f"'{term}'" if '"' in term else f'"{term}"'
