"""States and what may follow what."""

from __future__ import annotations

from dagfs.model.graph import closure
from dagfs.model.state import TRANSITIONS, RunState, StepState

SETTLED = {
    StepState.SUCCEEDED,
    StepState.PARTIALLY_SUCCEEDED,
    StepState.FAILED,
    StepState.ABORTED,
    StepState.SKIPPED,
    StepState.REJECTED,
    StepState.UPSTREAM_FAILED,
    StepState.LOST,
}


def test_every_state_has_its_line_in_the_table() -> None:
    assert set(TRANSITIONS) == set(StepState)


def test_nothing_follows_a_settled_state_and_something_follows_any_other() -> None:
    assert {state for state in StepState if state.is_settled} == SETTLED
    assert all(TRANSITIONS[state] >= SETTLED for state in set(StepState) - SETTLED)


def test_every_state_can_be_reached_and_none_leads_back_to_the_start() -> None:
    assert closure([StepState.NOT_STARTED], TRANSITIONS) == set(StepState)
    assert not any(StepState.NOT_STARTED in after for after in TRANSITIONS.values())


def test_only_a_running_step_can_wait_for_its_next_try() -> None:
    before = {state for state, after in TRANSITIONS.items() if StepState.RETRYING in after}
    assert before == {StepState.RUNNING}


def test_success_and_being_under_way_are_what_they_say() -> None:
    assert {state for state in StepState if state.is_success} == {
        StepState.SUCCEEDED,
        StepState.PARTIALLY_SUCCEEDED,
    }
    assert {state for state in StepState if state.is_underway} == {StepState.RUNNING, StepState.RETRYING}


def test_a_run_is_over_unless_an_engine_is_or_may_come_to_be_at_work() -> None:
    assert {state for state in RunState if not state.is_over} == {
        RunState.QUEUED,
        RunState.RUNNING,
        RunState.WAITING,
    }


def test_states_are_written_in_snake_case() -> None:
    assert all(state == state.name.lower() for state in (*StepState, *RunState))
