"""A step that was not selected keeps what it has, and what stood in its way may be gone."""

from __future__ import annotations

import pytest

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.fold import fold
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import StepState


def left(before: StepRun) -> StepRun:
    """The step in an attempt that left it out."""
    base = Attempt(AttemptHeader(n=1), steps={"a": before})
    events = [Event(1, "", ev.STEP_LEFT, {"step": "a", "attempt": 1, "reason": "not selected"})]
    return fold(AttemptHeader(n=2), ["a"], events, base).steps["a"]


@pytest.mark.parametrize("state", [StepState.FAILED, StepState.ABORTED, StepState.LOST, StepState.REJECTED])
def test_a_step_that_ran_keeps_its_end(state: StepState) -> None:
    found = left(StepRun("a", state, attempt=1, log_attempt=1, ever_started=True, exit_code=3))
    assert (found.state, found.attempt, found.exit_code) == (state, 1, 3)
    assert found.left
    assert not found.kept
    assert found.reason == "not selected"


@pytest.mark.parametrize("state", [StepState.NOT_STARTED, StepState.UPSTREAM_FAILED, StepState.QUEUED])
def test_a_step_that_never_ran_may_run_later(state: StepState) -> None:
    found = left(StepRun("a", state))
    assert (found.state, found.left, found.ever_started) == (StepState.NOT_STARTED, True, False)


def test_a_step_is_left_before_it_begins_or_not_at_all() -> None:
    events = [
        Event(1, "", ev.STEP_STARTED, {"step": "a", "try": 1}),
        Event(2, "", ev.STEP_LEFT, {"step": "a"}),
    ]
    with pytest.raises(ValueError, match="running already"):
        fold(AttemptHeader(), ["a"], events)
