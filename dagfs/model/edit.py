"""What changed between the spec a run was made with and the one it shall continue with.

Compatibility rules get an `Edit` and answer with `Finding`s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any

from dagfs.model.dag import Dag
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import Attempt, StepRun
from dagfs.model.site import Site
from dagfs.model.value import field, frozen


class Action(StrEnum):
    """What a retry does with a step."""

    KEEP = "keep"
    """Its work is used as it is."""
    KEEP_STALE = "keep_stale"
    """Its work is used although its definition has changed, because somebody answered for it."""
    ADOPT = "adopt"
    """Its process, started by a dead engine, is still running and is taken over."""
    RUN = "run"
    LEAVE = "leave"
    """It is unfinished and stays so, because it was not selected."""
    DEFER = "defer"
    """It runs, unless the steps before it that run make what they had made before."""

    @property
    def may_run(self) -> bool:
        return self in (Action.RUN, Action.DEFER)

    @property
    def is_keep(self) -> bool:
        return self in (Action.KEEP, Action.KEEP_STALE)


class Severity(IntEnum):
    """How a finding weighs; the heaviest decides the verdict."""

    NOTE = 1
    WARN = 2
    ASK = 3
    """Somebody must say what to do: re-run the step or keep its work (`--on-stale`).

    A finding that names no step asks about every kept one.
    """
    REJECT = 4


@frozen
class Finding:
    """What a rule says about an edit."""

    rule: str
    """The rule's id, `structure.rename`."""
    severity: Severity
    message: str
    """One line, without the place."""
    step: str | None = None
    field: str = ""
    line: int = 0
    """In the new spec; 0 where there is no such place."""
    column: int = 0
    hint: str = ""
    allowable: bool = False
    """A rejection that `--allow RULE --reason …` may lift, because here it is provably harmless."""


@frozen
class Change:
    """One field that differs. `step` is None for a field of the DAG itself."""

    step: str | None
    field: str
    old: Any
    new: Any
    kind: FieldClass
    line: int = 0
    column: int = 0


@frozen
class Evidence:
    """What the disk says about a kept step's work, gathered before planning."""

    outputs: str = "ok"
    """`ok`, `missing` or `altered`: outputs.json against the digest on record."""
    artifacts_missing: tuple[str, ...] = ()
    artifacts_altered: tuple[str, ...] = ()
    inputs_changed: tuple[str, ...] = ()
    """Files that the step names as its `inputs` and that changed, came or went since it ended."""
    work_changed: tuple[str, ...] = ()
    """Files below the run's `work/` that changed after the step, and by no later step."""
    made: str = ""
    """A digest of what it put out, where somebody asked for that; empty where that cannot be compared."""


@frozen
class Edit:
    """An edit of a run's spec, seen against what the run has done so far."""

    old: Dag
    """The spec of the newest attempt."""
    new: Dag
    attempt: Attempt
    """The newest attempt: how each step stands, and what it put out."""
    changes: tuple[Change, ...] = ()
    """Field by field; each kept step is compared with the spec its work answers to."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Old names to new ones; these are in neither `added` nor `removed`."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    """What would become of each step of `new`."""
    anyway: frozenset[str] = frozenset()
    """Steps that would run in the graph of `old` too, so not because the shape was edited."""
    params: Mapping[str, Mapping[str, tuple[str | None, str | None]]] = field(default_factory=dict)
    """For each step, the parameters whose value differs from when it ran: name to (then, now)."""
    env: Mapping[str, Mapping[str, tuple[str | None, str | None]]] = field(default_factory=dict)
    """For each step, the DAG-level variables that are written differently from when it ran."""
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each step, every name its text refers to, through other variables too."""
    opaque: frozenset[str] = frozenset()
    """Steps that start programs which may read any variable of their environment."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    """Steps that would run in another place than before, or where a profile says.

    A handler's name has `handler_on.` before it.
    """
    acknowledged: frozenset[str] = frozenset()
    """Steps with effects outside that the operator lets run again."""
    kill_orphans: bool = False
    """The operator wants processes of a dead engine ended, not adopted."""

    def action(self, step: str) -> Action:
        """What would become of a step of `new`."""
        return self.actions.get(step, Action.RUN)

    def is_kept(self, step: str) -> bool:
        return self.action(step).is_keep

    def state(self, step: str) -> StepRun:
        """How the step stands in the newest attempt; a new step has not started."""
        return self.attempt.steps.get(step) or StepRun(step)

    def work(self, step: str) -> StepRun:
        """Its finished work of an earlier attempt, where that may count again; else how it stands."""
        state = self.state(step)
        return state.prior or state

    def changes_of(self, step: str | None, *kinds: FieldClass) -> tuple[Change, ...]:
        """What changed in a step, or with None in the DAG itself; of these classes, or of any."""
        found = self._changes_by_step.get(step, ())
        return tuple(each for each in found if each.kind in kinds) if kinds else tuple(found)

    @cached_property
    def _changes_by_step(self) -> Mapping[str | None, Sequence[Change]]:
        found: dict[str | None, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.step, []).append(change)
        return found
