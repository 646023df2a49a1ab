"""Events of one attempt put together into tries, stretches and remarks."""

from __future__ import annotations

from typing import Any

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.web.views.course import Course, course


def told(*events: tuple[int, str, dict[str, Any]]) -> Course:
    return course(
        1,
        [
            Event(n, f"2026-11-21T12:00:{second:02}Z", name, data)
            for n, (second, name, data) in enumerate(events, 1)
        ],
    )


def test_tries_begin_and_end_with_their_events() -> None:
    found = told(
        (0, ev.ATTEMPT_STARTED, {}),
        (1, ev.STEP_STARTED, {"step": "a", "try": 1}),
        (2, ev.STEP_RETRYING, {"step": "a", "exit_code": 3}),
        (5, ev.STEP_STARTED, {"step": "a", "try": 2, "stdout": 100, "stderr": 7}),
        (6, ev.STEP_FINISHED, {"step": "a", "state": "succeeded", "exit_code": 0}),
        (7, ev.ATTEMPT_FINISHED, {"state": "succeeded"}),
    )
    first, second = found.tries["a", ""]
    assert (first.state, first.exit_code, first.ended) == ("failed", 3, "2026-11-21T12:00:02Z")
    assert (second.number, second.state, second.offsets) == (2, "succeeded", (100, 7))
    assert [(each.began[-3:-1], (each.ended or "")[-3:-1]) for each in found.stretches] == [("00", "07")]


def test_a_repeated_step_ends_one_try_where_the_next_begins() -> None:
    found = told(
        (1, ev.STEP_STARTED, {"step": "a", "try": 1}),
        (3, ev.STEP_STARTED, {"step": "a", "try": 2}),
    )
    assert [each.state for each in found.tries["a", ""]] == ["succeeded", "running"]


def test_waiting_is_a_bar_of_its_own_and_cuts_the_time() -> None:
    found = told(
        (0, ev.ATTEMPT_STARTED, {}),
        (1, ev.STEP_STARTED, {"step": "a", "try": 1}),
        (2, ev.STEP_WAITING, {"step": "a"}),
        (3, ev.ATTEMPT_WAITING, {}),
        (40, ev.ATTEMPT_RESUMED, {}),
        (41, ev.STEP_ANSWERED, {"step": "a", "approved": True}),
        (42, ev.STEP_FINISHED, {"step": "a", "state": "succeeded"}),
    )
    assert [each.state for each in found.tries["a", ""]] == ["succeeded", "waiting"]
    assert len(found.stretches) == 2
    assert [each.name for each in found.remarks] == [ev.ATTEMPT_WAITING, ev.ATTEMPT_RESUMED, ev.STEP_ANSWERED]


def test_an_attempt_whose_engine_died_ended_with_its_last_sign_of_life() -> None:
    found = told(
        (0, ev.ATTEMPT_STARTED, {}),
        (2, ev.STEP_STARTED, {"step": "a", "try": 1}),
        (50, ev.ATTEMPT_FINISHED, {"state": "interrupted"}),
    )
    assert found.stretches[0].ended == "2026-11-21T12:00:02Z"
    assert found.tries["a", ""][0].ended is None
    assert found.last == "2026-11-21T12:00:02Z"


def test_handlers_are_told_apart_from_steps_and_nonsense_is_passed_over() -> None:
    found = told(
        (1, ev.HANDLER_STARTED, {"handler": "exit", "try": 1}),
        (2, ev.HANDLER_FINISHED, {"handler": "exit", "state": "failed", "exit_code": 1}),
        (3, ev.STEP_FINISHED, {"step": "never begun", "state": "skipped"}),
        (4, "of the future", {"step": 7}),
        (5, ev.STEP_STARTED, {"step": "b", "try": "many", "stdout": None}),
    )
    assert found.tries["", "exit"][0].state == "failed"
    assert ("never begun", "") not in found.tries
    assert found.tries["b", ""][0].number == 1
