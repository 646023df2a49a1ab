"""What the live table shows: all steps where they fit, else what matters; times, tries, reasons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dagfs.cli.progress import Progress, choose
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.run import Attempt, AttemptHeader, Run, RunHeader, StepRun
from dagfs.model.state import StepState

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def progress(*names: str) -> Progress:
    attempt = Attempt(AttemptHeader(), steps={name: StepRun(name) for name in names})
    return Progress(Run(RunHeader(), (attempt,)), footer="how to stop")


def tell(target: Progress, *events: tuple[float, str, dict[str, object]]) -> list[str]:
    return [target.apply(Event(n, at(when), name, data)) for n, (when, name, data) in enumerate(events, 1)]


def test_who_goes_on_with_an_attempt_sees_what_was_before() -> None:
    done = StepRun("a", StepState.SUCCEEDED)
    attempt = Attempt(AttemptHeader(), steps={"a": done, "b": StepRun("b")}, events=7)
    seen = Progress(Run(RunHeader(), (attempt,)), footer="")
    seen.apply(Event(8, at(0), ev.ATTEMPT_RESUMED, {}))
    seen.apply(Event(9, at(1), ev.STEP_STARTED, {"step": "b", "try": 1}))
    rows = seen.frame(START + timedelta(seconds=2), 24).rows
    assert [(row.name, row.state) for row in rows] == [("✓ a", "succeeded"), ("▶ b", "running")]


def test_a_running_step_shows_its_time_and_try() -> None:
    seen = progress("a", "b")
    tell(
        seen,
        (0, ev.ATTEMPT_STARTED, {"attempt": 1}),
        (1, ev.STEP_STARTED, {"step": "a", "try": 1}),
        (2, ev.STEP_RETRYING, {"step": "a", "reason": "exit 1", "until": at(3)}),
        (3, ev.STEP_STARTED, {"step": "a", "try": 2}),
    )
    frame = seen.frame(START + timedelta(seconds=8), 24)
    assert [(row.name, row.state, row.took, row.note) for row in frame.rows] == [
        ("▶ a", "running", "7 s", "try 2"),
        ("· b", "", "", ""),
    ]
    assert frame.counts == "1 running, 1 not started  8 s"
    assert frame.footer == "how to stop"


def test_what_is_asked_of_the_run_stands_in_the_footer() -> None:
    seen = progress("a")
    said = tell(
        seen,
        (0, ev.ATTEMPT_STARTED, {"attempt": 1}),
        (1, ev.NOTICE, {"message": "odd\x1b[31m"}),
        (2, ev.STOP_REQUESTED, {"signal": "SIGINT"}),
    )
    assert said == ["", "  ! odd\\x1b[31m", ""]
    assert "once more to kill" in seen.frame(START, 24).footer
    tell(seen, (3, ev.ATTEMPT_FINISHED, {"state": "aborted", "reason": ""}))
    assert seen.is_over
    assert seen.frame(START, 24).footer == ""


def test_names_and_reasons_stay_in_one_line() -> None:
    seen = progress("a\nb")
    tell(seen, (0, ev.STEP_FINISHED, {"step": "a\nb", "state": "failed", "reason": "two\nlines\x07"}))
    row = seen.frame(START, 24).rows[0]
    assert (row.name, row.note) == ("✗ a b", "two lines\\x07")


def test_a_clock_that_is_behind_shows_no_negative_time() -> None:
    seen = progress("a")
    tell(seen, (9, ev.STEP_STARTED, {"step": "a", "try": 1}))
    assert seen.frame(START, 24).rows[0].took == "0 s"


@given(st.lists(st.sampled_from(StepState), max_size=60), st.integers(1, 30))
def test_what_is_chosen_fits_and_keeps_order_and_what_matters(states: list[StepState], room: int) -> None:
    steps = [StepRun(f"s{i}", state) for i, state in enumerate(states)]
    chosen, left = choose(steps, room)
    assert len(chosen) <= room
    assert len(chosen) + left == len(steps)
    assert chosen == [step for step in steps if step in chosen]
    if left and len(chosen) == room:
        return
    hidden = [step for step in steps if step not in chosen]
    assert not any(step.state in (StepState.RUNNING, StepState.FAILED) for step in hidden)


@given(st.integers(0, 200), st.integers(1, 60))
def test_a_frame_never_outgrows_its_room(number: int, room: int) -> None:
    seen = progress(*(f"s{i}" for i in range(number)))
    for n in range(number):
        seen.apply(Event(n + 1, at(0), ev.STEP_STARTED, {"step": f"s{n}", "try": 1}))
    frame = seen.frame(START, room)
    assert len(frame.rows) + 2 <= max(room, 3)
    if number + 2 > max(room, 3):
        assert f"({number - len(frame.rows)} not shown)" in frame.counts


def test_a_step_with_items_says_how_far_it_is() -> None:
    seen = progress("fan")
    child = {"step": "fan", "child_attempt": 1}
    tell(
        seen,
        (0, ev.ATTEMPT_STARTED, {"attempt": 1}),
        (1, ev.STEP_STARTED, {"step": "fan", "try": 1, "children": 3}),
        (1, ev.CHILD_STARTED, {**child, "child": "fan-a"}),
        (1, ev.CHILD_STARTED, {**child, "child": "fan-b"}),
        (2, ev.CHILD_FINISHED, {**child, "child": "fan-a", "state": "failed"}),
    )
    assert seen.frame(START, 24).rows[0].note == "1 of 3 items, 1 not well"
