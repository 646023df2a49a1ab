"""Runs and attempts as values."""

from __future__ import annotations

from dagfs.model.run import Actor, Attempt, AttemptHeader, Run, RunHeader, StepRun, outputs_of
from dagfs.model.state import RunState


def test_a_run_stands_as_its_newest_attempt() -> None:
    attempts = (Attempt(AttemptHeader(n=1)), Attempt(AttemptHeader(n=2), RunState.FAILED))
    run = Run(RunHeader(id="r1"), attempts)
    assert (run.id, run.last.n, run.state) == ("r1", 2, RunState.FAILED)


def test_an_actor_is_somebody_somewhere() -> None:
    assert str(Actor("me", 1, "here")) == "me@here"
    assert str(Actor("me")) == "me"


def test_the_outputs_of_an_attempt_are_those_of_its_steps_and_the_last_of_a_name_counts() -> None:
    steps = {
        "a": StepRun("a", outputs={"x": "1", "y": "2"}),
        "b": StepRun("b"),
        "c": StepRun("c", outputs={"x": "3"}),
    }
    assert Attempt(AttemptHeader(n=1), steps=steps).outputs == {"x": "3", "y": "2"}
    assert outputs_of(()) == {}
