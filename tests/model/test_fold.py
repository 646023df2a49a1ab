"""An attempt from its events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.fold import Fold, fold
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import TRANSITIONS, RunState, StepState

HEADER = AttemptHeader(n=3, base=2)


def told(*events: tuple[str, dict[str, object]], base: Attempt | None = None) -> Attempt:
    """The attempt of steps a and b that these events tell of; event n happens at time `t<n>`."""
    return fold(
        HEADER, "ab", [Event(n, f"t{n}", name, data) for n, (name, data) in enumerate(events, 1)], base
    )


def started(step: str = "a", try_: int = 1, **data: object) -> tuple[str, dict[str, object]]:
    return ev.STEP_STARTED, {"step": step, "try": try_, **data}


def finished(step: str = "a", state: str = "succeeded", **data: object) -> tuple[str, dict[str, object]]:
    return ev.STEP_FINISHED, {"step": step, "state": state, **data}


def base(**steps: StepRun) -> Attempt:
    return Attempt(AttemptHeader(n=2), steps=steps)


# -- each event ------------------------------------------------------------------------------------


def test_an_attempt_begins_with_its_steps_not_started() -> None:
    attempt = told((ev.ATTEMPT_STARTED, {}))
    assert (attempt.n, attempt.state, attempt.started, attempt.events) == (3, RunState.RUNNING, "t1", 1)
    assert attempt.steps == {"a": StepRun("a"), "b": StepRun("b")}


def test_an_attempt_ends_with_a_state_and_a_reason() -> None:
    attempt = told((ev.ATTEMPT_FINISHED, {"state": "failed", "reason": "failed at a"}))
    assert (attempt.state, attempt.reason, attempt.finished) == (RunState.FAILED, "failed at a", "t1")


def test_a_step_starts() -> None:
    step = told(started(stdout=10, stderr=20)).steps["a"]
    assert step == StepRun(
        "a",
        StepState.RUNNING,
        attempt=3,
        log_attempt=3,
        basis=3,
        tries=1,
        started="t1",
        offsets=(10, 20),
        ever_started=True,
    )


def test_a_step_ends() -> None:
    step = told(
        started(),
        finished(
            state="failed",
            exit_code=7,
            reason="exit 7",
            error="e",
            outputs={"X": "1"},
            outputs_sha256="abc",
            tolerated=True,
        ),
    ).steps["a"]
    assert (step.state, step.exit_code, step.signal, step.finished) == (StepState.FAILED, 7, None, "t2")
    assert (step.reason, step.error, step.outputs, step.outputs_sha256) == ("exit 7", "e", {"X": "1"}, "abc")
    assert step.tolerated


def test_a_step_is_tried_again() -> None:
    waiting = told(started(), (ev.STEP_RETRYING, {"step": "a", "exit_code": 1, "until": "t9", "reason": "r"}))
    step = waiting.steps["a"]
    assert (step.state, step.exit_code, step.until, step.reason) == (StepState.RETRYING, 1, "t9", "r")
    again = told(
        started(),
        (ev.STEP_RETRYING, {"step": "a", "exit_code": 1, "until": "t9"}),
        started(try_=2, stdout=5),
    ).steps["a"]
    assert (again.tries, again.retries, again.started, again.offsets) == (2, 1, "t1", (5, 0))
    assert (again.exit_code, again.until) == (None, None)


def test_a_step_is_repeated_without_a_failure() -> None:
    step = told(started(), started(try_=2), finished()).steps["a"]
    assert (step.tries, step.retries, step.state) == (2, 0, StepState.SUCCEEDED)


def test_a_step_can_end_without_having_started() -> None:
    for state in ("skipped", "upstream_failed", "aborted", "failed"):
        step = told(finished(state=state, reason="r")).steps["a"]
        assert (step.state, step.attempt, step.ever_started) == (StepState(state), 0, False)


def test_a_kept_step_stands_as_it_did() -> None:
    before = StepRun(
        "a",
        StepState.SUCCEEDED,
        attempt=1,
        log_attempt=1,
        basis=1,
        outputs={"X": "1"},
        exit_code=0,
        ever_started=True,
    )
    step = told((ev.STEP_KEPT, {"step": "a", "attempt": 1, "reason": "done"}), base=base(a=before)).steps["a"]
    assert (step.kept, step.stale, step.reason) == (True, False, "done")
    assert (step.attempt, step.log_attempt, step.basis, step.outputs) == (1, 1, 1, {"X": "1"})
    stale = told((ev.STEP_KEPT, {"step": "a", "attempt": 1, "stale": True}), base=base(a=before)).steps["a"]
    assert (stale.stale, stale.basis, stale.attempt) == (True, 3, 1)


def test_a_kept_step_without_a_base_is_at_least_known_to_be_done() -> None:
    step = told((ev.STEP_KEPT, {"step": "a", "attempt": 1})).steps["a"]
    assert (step.state, step.kept, step.attempt) == (StepState.SUCCEEDED, True, 1)


def test_an_adopted_step_goes_on_with_the_logs_it_has() -> None:
    before = StepRun(
        "a", StepState.RUNNING, attempt=1, log_attempt=1, basis=1, tries=2, started="t0", ever_started=True
    )
    step = told((ev.STEP_ADOPTED, {"step": "a", "attempt": 2}), base=base(a=before)).steps["a"]
    assert (step.state, step.attempt, step.log_attempt, step.basis) == (StepState.RUNNING, 3, 1, 3)
    assert (step.tries, step.started) == (2, "t0")
    done = told((ev.STEP_ADOPTED, {"step": "a", "attempt": 2}), finished(), base=base(a=before)).steps["a"]
    assert done.state is StepState.SUCCEEDED
    alone = told((ev.STEP_ADOPTED, {"step": "a", "attempt": 2})).steps["a"]
    assert (alone.log_attempt, alone.ever_started) == (2, True)


def test_handlers_stand_beside_the_steps() -> None:
    attempt = told(
        (ev.HANDLER_STARTED, {"handler": "exit", "try": 1}),
        (ev.HANDLER_FINISHED, {"handler": "exit", "state": "failed", "exit_code": 2}),
    )
    handler = attempt.handlers["exit"]
    assert (handler.state, handler.exit_code, handler.started) == (StepState.FAILED, 2, "t1")
    assert all(step.state is StepState.NOT_STARTED for step in attempt.steps.values())


@pytest.mark.parametrize("name", [ev.NOTICE, ev.STOP_REQUESTED, ev.RUN_TIMED_OUT, "of_a_newer_version"])
def test_other_events_change_nothing_but_the_count(name: str) -> None:
    assert told((name, {"step": "a"})) == Attempt(HEADER, steps=told().steps, events=1)


def test_what_ran_in_an_earlier_attempt_is_known_to_have_run() -> None:
    before = base(a=StepRun("a", StepState.UPSTREAM_FAILED, ever_started=True), b=StepRun("b"))
    attempt = told(base=before)
    assert attempt.steps["a"] == StepRun("a", ever_started=True)
    assert not attempt.steps["b"].ever_started


# -- what cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in StepState if state.is_settled])
def test_a_settled_step_stays_as_it_is(state: StepState) -> None:
    for event in (
        started(),
        finished(),
        (ev.STEP_RETRYING, {"step": "a"}),
        (ev.STEP_KEPT, {"step": "a", "attempt": 1}),
        (ev.STEP_ADOPTED, {"step": "a", "attempt": 1}),
    ):
        with pytest.raises(ValueError, match=rf"^event 2 \({event[0]}\): step 'a' "):
            told(finished(state=state), event)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((ev.STEP_RETRYING, {"step": "a"}), "event 1 .*: step 'a' cannot go from not_started to retrying"),
        ((ev.STEP_STARTED, {"step": "a"}), "event 1 .*: has no 'try'"),
        ((ev.STEP_FINISHED, {"step": "a"}), "event 1 .*: has no 'state'"),
        ((ev.STEP_FINISHED, {"step": "a", "state": "happy"}), "event 1 .*: 'happy' is not a valid StepState"),
        ((ev.ATTEMPT_FINISHED, {"state": "happy"}), "event 1 .*: 'happy' is not a valid RunState"),
        ((ev.STEP_KEPT, {"step": "a"}), "event 1 .*: has no 'attempt'"),
        ((ev.HANDLER_STARTED, {"try": 1}), "event 1 .*: has no 'handler'"),
    ],
)
def test_an_event_that_cannot_be_is_named(event: tuple[str, dict[str, object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        told(event)


def test_a_running_step_is_neither_kept_nor_adopted() -> None:
    for name in (ev.STEP_KEPT, ev.STEP_ADOPTED):
        with pytest.raises(ValueError, match="step 'a' is running already"):
            told(started(), (name, {"step": "a", "attempt": 1}))


@given(st.lists(st.sampled_from(("start", "retry", *(state for state in StepState if state.is_settled)))))
def test_a_fold_takes_exactly_what_the_table_allows(moves: list[str]) -> None:
    made = {"start": started(), "retry": (ev.STEP_RETRYING, {"step": "a"})}
    target = {"start": StepState.RUNNING, "retry": StepState.RETRYING}
    folding, state = Fold(HEADER, "a"), StepState.NOT_STARTED
    for n, move in enumerate(moves, 1):
        name, data = made.get(move) or finished(state=move)
        after = target.get(move) or StepState(move)
        if after not in TRANSITIONS[state]:
            with pytest.raises(ValueError, match=f"cannot go from {state} to {after}"):
                folding.apply(Event(n, "", name, data))
            assert folding.attempt().events == n - 1
            break
        folding.apply(Event(n, "", name, data))
        state = after
        assert folding.step("a").state is state
        assert folding.steps["a"] is folding.step("a")


# -- the rest --------------------------------------------------------------------------------------


def test_a_fold_gives_values_that_later_events_do_not_change() -> None:
    folding = Fold(HEADER, "a")
    before = folding.attempt()
    folding.apply(Event(1, "", *started()))
    assert before.steps["a"].state is StepState.NOT_STARTED


def test_an_event_is_one_flat_json_object() -> None:
    assert Event(1, "t", "notice", {"message": "x"}).as_data() == {
        "n": 1,
        "t": "t",
        "event": "notice",
        "message": "x",
    }
    assert Event(1, "t", "notice", {"step": 3}).step is None


# -- markings --------------------------------------------------------------------------------------

OVER = (ev.ATTEMPT_FINISHED, {"state": "failed", "reason": "failed at a"})


def marked(step: str = "a", state: str = "succeeded", **data: object) -> tuple[str, dict[str, object]]:
    said = {"was": "failed", "reason": "by hand", "actor": {"user": "ada", "host": "desk"}}
    return ev.STEP_MARKED, {"step": step, "state": state, **said, **data}


def test_a_settled_step_is_marked_after_the_end() -> None:
    given = {"outputs": {"X": "1"}, "outputs_sha256": "d1"}
    attempt = told(started(), finished(state="failed", tolerated=True), OVER, marked(**given))
    step = attempt.steps["a"]
    assert (step.state, step.attempt, step.basis, step.tolerated) == (StepState.SUCCEEDED, 3, 3, False)
    assert (step.outputs, step.outputs_sha256, step.outputs_attempt) == ({"X": "1"}, "d1", 3)
    assert step.reason == "marked succeeded by ada@desk: by hand"
    assert attempt.markings == (step.marking,)
    assert (attempt.state, attempt.reason, attempt.events) == (RunState.FAILED, "failed at a", 4)


def test_a_step_that_never_ran_is_marked_and_one_without_outputs_keeps_its_own() -> None:
    attempt = told(finished("b", outputs={"Y": "2"}, outputs_sha256="d2"), OVER, marked(), marked("b"))
    assert (attempt.steps["a"].attempt, attempt.steps["a"].finished) == (3, "t3")
    assert (attempt.steps["b"].outputs, attempt.steps["b"].outputs_attempt) == ({"Y": "2"}, 0)
    assert [each.step for each in attempt.markings] == ["a", "b"]


def test_a_run_that_went_well_fails_when_a_step_is_marked_so() -> None:
    well = (ev.ATTEMPT_FINISHED, {"state": "succeeded", "reason": ""})
    attempt = told(finished(), finished("b"), well, marked(state="failed"))
    assert attempt.state is RunState.FAILED
    assert attempt.reason == "step a was marked failed by ada@desk: by hand"
    assert told(finished(), finished("b"), well, marked(state="skipped")).state is RunState.SUCCEEDED


def test_a_marking_stays_with_a_kept_step_and_goes_when_it_runs() -> None:
    before = told(OVER, marked())
    kept = fold(AttemptHeader(n=4), "ab", [Event(1, "t", ev.STEP_KEPT, {"step": "a", "attempt": 3})], before)
    assert kept.steps["a"].marking == before.steps["a"].marking
    ran = fold(AttemptHeader(n=4), "ab", [Event(1, "t", *started())], before)
    assert ran.steps["a"].marking is None
    assert kept.markings == ()


@pytest.mark.parametrize(
    "events",
    [
        (marked(),),
        (OVER, marked("z")),
        (OVER, marked(state="running")),
        (OVER, marked(state="lost")),
        (OVER, marked(actor=None)),
        (OVER, marked(), finished(state="failed")),
    ],
)
def test_a_marking_that_cannot_be_is_damage(events: tuple[tuple[str, dict[str, object]], ...]) -> None:
    with pytest.raises(ValueError, match="event"):
        told(*events)
