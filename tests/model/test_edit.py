"""An edit as rules see it."""

from __future__ import annotations

from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Action, Change, Edit, Severity
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import StepState

CHANGES = (
    Change("a", "command", "1", "2", FieldClass.SEMANTIC),
    Change("a", "output", "1", "2", FieldClass.WIRING),
    Change("b", "command", "1", "2", FieldClass.SEMANTIC),
    Change(None, "shell", "1", "2", FieldClass.SEMANTIC),
)
DAG = Dag(steps=(Step(name="a"), Step(name="b")))
EDIT = Edit(
    DAG,
    DAG,
    Attempt(AttemptHeader(), steps={"a": StepRun("a", StepState.LOST)}),
    changes=CHANGES,
    actions={"a": Action.KEEP_STALE},
)


def test_changes_are_found_by_step_and_class() -> None:
    assert EDIT.changes_of("a") == CHANGES[:2]
    assert EDIT.changes_of("a", FieldClass.WIRING) == CHANGES[1:2]
    assert EDIT.changes_of("a", FieldClass.SEMANTIC, FieldClass.WIRING) == CHANGES[:2]
    assert EDIT.changes_of(None) == CHANGES[3:]
    assert EDIT.changes_of("nobody") == ()


def test_a_step_of_which_nothing_is_said_runs() -> None:
    assert EDIT.action("b") is Action.RUN
    assert (EDIT.is_kept("a"), EDIT.is_kept("b")) == (True, False)


def test_a_step_that_the_attempt_does_not_know_has_not_started() -> None:
    assert EDIT.state("a").state is StepState.LOST
    assert EDIT.state("b") == StepRun("b")


def test_only_kept_work_is_kept() -> None:
    assert [action for action in Action if action.is_keep] == [Action.KEEP, Action.KEEP_STALE]


def test_severities_are_ordered_by_weight() -> None:
    assert Severity.NOTE < Severity.WARN < Severity.ASK < Severity.REJECT
