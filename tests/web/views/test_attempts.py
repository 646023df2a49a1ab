"""Attempts as a list, and what was said and done."""

from __future__ import annotations

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.run import Actor, Attempt, AttemptHeader, Run, RunHeader, StepRun
from dagfs.model.state import RunState
from dagfs.web.views.attempts import attempt_rows, remarks, who
from dagfs.web.views.course import course

ANN = {"user": "ann", "host": "desk", "source": "web", "remote": "10.0.0.7"}


def test_attempts_are_listed_newest_first_with_the_spec_that_changed() -> None:
    headers = [
        AttemptHeader(n=1, spec="spec.v1.yaml"),
        AttemptHeader(n=2, spec="spec.v1.yaml"),
        AttemptHeader(n=3, spec="spec.v2.yaml", reason="mended", asked=("--from load",)),
    ]
    steps = {"a": StepRun("a", kept=True, tries=1), "b": StepRun("b", tries=2), "c": StepRun("c", left=True)}
    run = Run(RunHeader(id="r"), tuple(Attempt(header, RunState.FAILED, steps=steps) for header in headers))
    found = attempt_rows(run)
    assert [(row.n, row.version, row.before) for row in found] == [(3, 2, 1), (2, 1, 0), (1, 1, 0)]
    assert (found[0].ran, found[0].kept, found[0].left) == (1, 1, 1)
    assert (found[0].why, found[0].asked) == ("mended", "--from load")


def test_people_are_named_with_the_way_they_came() -> None:
    assert who(Actor(user="ann", host="desk")) == "ann@desk"
    assert who(Actor.from_data(ANN)) == "ann@desk, web from 10.0.0.7"


def test_everything_that_was_said_and_done_has_its_words() -> None:
    data = [
        (ev.NOTICE, {"message": "the disk is nearly full", "step": "load"}),
        (
            ev.STEP_ANSWERED,
            {"step": "check", "approved": True, "actor": ANN, "reason": "ok", "inputs": {"A": "1"}},
        ),
        (ev.STEP_ANSWERED, {"step": "check", "approved": False, "actor": ANN}),
        (ev.STOP_REQUESTED, {"actor": ANN, "kill": True}),
        (ev.RUN_TIMED_OUT, {"timeout_sec": 60}),
        (ev.STEP_MARKED, {"step": "load", "state": "succeeded", "was": "upstream_failed", "actor": ANN}),
        (ev.ATTEMPT_WAITING, {"reason": "waits at check"}),
        (ev.ATTEMPT_RESUMED, {"actor": "nobody"}),
    ]
    events = [Event(n, f"2026-11-21T12:00:0{n}Z", name, each) for n, (name, each) in enumerate(data, 1)]
    found = remarks([course(2, events)])[::-1]
    assert [each.what for each in found] == [
        "step load: the disk is nearly full",
        "approved step check with A=1",
        "rejected step check",
        "killed the run",
        "the run's limit of 60 s passed",
        "marked step load succeeded (was upstream failed)",
        "the run waits",
        "the run went on",
    ]
    assert [each.kind for each in found][:4] == ["", "good", "bad", "bad"]
    assert found[1].who == "ann@desk, web from 10.0.0.7"
