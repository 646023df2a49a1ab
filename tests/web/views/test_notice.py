"""What stands at the top of a run's page."""

from __future__ import annotations

import pytest

from dagfs.engine.view import View
from dagfs.model.run import Attempt, AttemptHeader, ChildRun, Run, RunHeader, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.store.record import Record
from dagfs.web.views.notice import Notice, failures, notice, questions

START, END = "2026-11-21T12:00:00Z", "2026-11-21T12:00:12Z"


def told(
    state: RunState, *steps: StepRun, alive: bool = False, newest: bool = True, **more: object
) -> Notice:
    over = END if state.is_over else None
    attempt = Attempt(AttemptHeader(), state, START, over, steps={step.name: step for step in steps})
    view = View(Run(RunHeader(id="r1"), (attempt,)), **more)  # type: ignore[arg-type]
    return notice(view, attempt, is_newest=newest, is_alive=alive)


@pytest.mark.parametrize(
    ("state", "kind", "title", "retry", "stop"),
    [
        (RunState.SUCCEEDED, "good", "Succeeded in 12 s", False, False),
        (RunState.FAILED, "bad", "Failed after 12 s", True, False),
        (RunState.ABORTED, "odd", "Stopped after 12 s", True, False),
        (RunState.PARTIALLY_SUCCEEDED, "odd", "Done after 12 s, but something in it failed", True, False),
        (RunState.INTERRUPTED, "bad", "Interrupted: its engine died", True, False),
        (RunState.REJECTED, "bad", "Rejected after 12 s", True, False),
        (RunState.WAITING, "ask", "Waits for somebody's word", False, True),
    ],
)
def test_each_state_says_what_it_means_and_what_can_be_done(
    state: RunState, kind: str, title: str, retry: bool, stop: bool
) -> None:
    found = told(state)
    assert (found.kind, found.title, found.can_retry, found.can_stop) == (kind, title, retry, stop)


def test_a_run_at_work_can_be_stopped() -> None:
    found = told(RunState.RUNNING, alive=True)
    assert (found.kind, found.can_stop, found.can_retry) == ("busy", True, False)
    assert found.commands["kill"] == "dagfs stop --kill r1"


def test_an_interrupted_run_says_what_goes_on() -> None:
    found = told(RunState.INTERRUPTED, orphans={"load": Record(is_running=True)})
    assert "Still running without it: load." in found.lines[-1]
    assert found.can_stop


def test_nothing_can_be_done_with_an_attempt_that_has_a_successor() -> None:
    found = told(RunState.FAILED, newest=False)
    assert not found.can_retry
    assert not found.can_stop


def test_what_stopped_the_run_comes_before_what_was_tolerated_and_the_rest_is_counted() -> None:
    steps = [StepRun(f"s{n}", StepState.FAILED, finished=f"2026-11-21T12:00:0{n}Z") for n in range(7)]
    found = told(RunState.FAILED, StepRun("let", StepState.FAILED, tolerated=True, finished=START), *steps)
    assert [each.label for each in found.failures] == ["s0", "s1", "s2", "s3", "s4"]
    assert found.more == 3


def test_children_that_failed_are_named() -> None:
    child = ChildRun("load-eu", 1, RunState.FAILED, item='"eu"', reason="exit 1")
    step = StepRun(
        "load", StepState.FAILED, children={"load-eu": child, "ok": ChildRun("ok", 1, RunState.SUCCEEDED)}
    )
    attempt = Attempt(AttemptHeader(), steps={"load": step})
    assert failures(attempt)[0].children == (("load-eu", "eu", "exit 1"),)


def test_a_question_comes_with_its_commands_and_what_must_be_given() -> None:
    asking = StepRun(
        "it's", StepState.WAITING, question={"prompt": "Right?", "input": ["A", "B"], "required": ["B"]}
    )
    (found,) = questions([("r1", asking)])
    assert found.inputs == (("A", False), ("B", True))
    assert found.approve == """dagfs approve r1 'it'"'"'s' '--input=B=…'"""
