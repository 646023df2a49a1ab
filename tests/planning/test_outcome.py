"""How an execution of a step counts, and whether another follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.model.dag import Condition, ContinueOn, RepeatPolicy, RetryPolicy, Step
from dagfs.model.state import StepState
from dagfs.planning.outcome import Ending, condition_met, judge, matches, repeat_wait, retry_wait

OK, EXIT_1, EXIT_7 = Ending(exit_code=0), Ending(exit_code=1), Ending(exit_code=7)


def step(**policy: object) -> Step:
    return Step(name="a", timeout_sec=2.5, continue_on=ContinueOn(**policy))


@pytest.mark.parametrize(
    ("ending", "state", "reason"),
    [
        (OK, StepState.SUCCEEDED, ""),
        (EXIT_7, StepState.FAILED, "exit 7"),
        (Ending(signal=9), StepState.FAILED, "killed by signal 9"),
        (Ending(exit_code=0, error="no such program"), StepState.FAILED, "no such program"),
        (Ending(exit_code=0, cause="timeout"), StepState.FAILED, "timed out after 2.5 s"),
        (Ending(signal=15, cause="timeout"), StepState.FAILED, "timed out after 2.5 s"),
        (Ending(signal=15, cause="stop"), StepState.ABORTED, "stopped"),
        (Ending(exit_code=0, cause="kill"), StepState.ABORTED, "stopped"),
        (Ending(cause="lost"), StepState.LOST, "its supervising process was killed; how it ended is unknown"),
        (Ending(cause="lost", error="rebooted"), StepState.LOST, "rebooted"),
    ],
)
def test_an_ending_is_judged(ending: Ending, state: StepState, reason: str) -> None:
    outcome = judge(step(), ending)
    assert (outcome.state, outcome.reason, outcome.tolerated) == (state, reason, False)


@pytest.mark.parametrize(
    ("policy", "ending", "printed", "tolerated"),
    [
        ({"failure": True}, EXIT_7, "", True),
        ({"failure": True}, Ending(signal=9), "", True),
        ({"failure": True}, Ending(exit_code=0, cause="timeout"), "", True),
        ({"exit_code": (3, 7)}, EXIT_7, "", True),
        ({"exit_code": (3,)}, EXIT_7, "", False),
        ({"exit_code": (3,)}, Ending(signal=3), "", False),
        ({"output": ("no data",)}, EXIT_1, "there is\nstill no data today", True),
        ({"output": ("re:^no .*day$",)}, EXIT_1, "there is\nno data today", True),
        ({"output": ("no data",)}, EXIT_1, "all is well", False),
        ({"skipped": True}, EXIT_1, "", False),
    ],
)
def test_a_failure_is_tolerated_where_continue_on_says_so(
    policy: dict[str, object], ending: Ending, printed: str, tolerated: bool
) -> None:
    outcome = judge(step(**policy), ending, printed)
    assert outcome.state is StepState.FAILED
    assert outcome.tolerated is tolerated
    marked = judge(step(mark_success=True, **policy), ending, printed)
    assert marked.state is (StepState.SUCCEEDED if tolerated else StepState.FAILED)
    assert not marked.tolerated


def test_what_was_stopped_or_lost_is_never_tolerated() -> None:
    for cause in ("stop", "kill", "lost"):
        assert not judge(step(failure=True, mark_success=True), Ending(cause=cause)).state.is_success


@pytest.mark.parametrize(
    ("policy", "retries", "ending", "wait"),
    [
        (RetryPolicy(), 0, EXIT_1, None),
        (RetryPolicy(limit=2, interval_sec=5), 0, EXIT_1, 5),
        (RetryPolicy(limit=2, interval_sec=5), 1, EXIT_1, 5),
        (RetryPolicy(limit=2, interval_sec=5), 2, EXIT_1, None),
        (RetryPolicy(limit=9, interval_sec=5, backoff=2), 3, EXIT_1, 40),
        (RetryPolicy(limit=9, interval_sec=5, backoff=2, max_interval_sec=12), 3, EXIT_1, 12),
        (RetryPolicy(limit=9, exit_code=(7,)), 0, EXIT_1, None),
        (RetryPolicy(limit=9, exit_code=(7,)), 0, EXIT_7, 0),
        (RetryPolicy(limit=9, exit_code=(7,)), 0, Ending(signal=7), None),
        (RetryPolicy(limit=9), 0, Ending(signal=9), 0),
        (RetryPolicy(limit=9), 0, Ending(exit_code=1, cause="timeout"), None),
        (RetryPolicy(limit=9), 0, Ending(signal=15, cause="stop"), None),
        (RetryPolicy(limit=9), 0, Ending(signal=9, cause="kill"), None),
        (RetryPolicy(limit=9), 0, Ending(cause="lost"), None),
    ],
)
def test_a_failed_try_is_repeated_as_the_policy_says(
    policy: RetryPolicy, retries: int, ending: Ending, wait: float | None
) -> None:
    assert retry_wait(policy, retries, ending) == wait


WHILE, UNTIL = RepeatPolicy(mode="while", interval_sec=3), RepeatPolicy(mode="until", interval_sec=3)


@pytest.mark.parametrize(
    ("policy", "executions", "ending", "met", "wait"),
    [
        (RepeatPolicy(), 1, OK, False, None),
        (WHILE, 1, OK, False, 3),
        (WHILE, 1, EXIT_1, False, None),
        (RepeatPolicy(mode="while", interval_sec=3, condition="c"), 1, EXIT_1, True, 3),
        (RepeatPolicy(mode="while", condition="c"), 1, OK, False, None),
        (RepeatPolicy(mode="until", interval_sec=3, condition="c"), 1, OK, False, 3),
        (RepeatPolicy(mode="until", condition="c"), 1, OK, True, None),
        (RepeatPolicy(mode="while", interval_sec=3, exit_code=(7,)), 1, EXIT_7, False, 3),
        (RepeatPolicy(mode="while", exit_code=(7,)), 1, OK, False, None),
        (RepeatPolicy(mode="until", interval_sec=3, exit_code=(0,)), 1, EXIT_1, False, 3),
        (RepeatPolicy(mode="until", exit_code=(0,)), 1, OK, False, None),
        (RepeatPolicy(mode="while", limit=2, interval_sec=3), 1, OK, False, 3),
        (RepeatPolicy(mode="while", limit=2, interval_sec=3), 2, OK, False, None),
        (RepeatPolicy(mode="while", interval_sec=3, backoff=2), 3, OK, False, 12),
        (WHILE, 1, Ending(exit_code=0, cause="stop"), False, None),
        (UNTIL, 1, Ending(signal=9, cause="kill"), False, None),
        (UNTIL, 1, Ending(cause="lost"), False, None),
    ],
)
def test_a_step_is_run_again_as_its_repeat_policy_says(
    policy: RepeatPolicy, executions: int, ending: Ending, met: bool, wait: float | None
) -> None:
    assert repeat_wait(policy, executions, ending, met) == wait


@given(
    st.floats(0, 1e6),
    st.one_of(st.just(1.0), st.floats(1, 1e300), st.integers(1, 10**40)),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
)
def test_a_wait_never_overflows_and_never_shrinks(
    interval: float, backoff: float, retries: int, longest: float
) -> None:
    policy = RetryPolicy(10**9, interval, (), backoff, longest)
    first, second = (retry_wait(policy, n, EXIT_1) for n in (retries, retries + 1))
    assert first is not None
    assert second is not None
    assert 0 <= first <= second * (1 + 1e-9) < float("inf")
    assert not longest or second <= longest


@pytest.mark.parametrize(
    ("pattern", "text", "whole", "part"),
    [
        ("ok", "ok", True, True),
        ("ok", "all ok", False, True),
        ("ok", "no\nok\nno", True, True),
        ("", "", True, True),
        ("re:^o.$", "no\nok", True, True),
        ("re:^o.$", "ok!", False, False),
        ("re:(", "(", False, False),
        ("re:a{99999999999}", "a", False, False),
        ("re:" + "a" * 5000, "a" * 5000, False, False),
        ("re:x?", "", True, True),
    ],
)
def test_texts_are_matched_line_by_line(pattern: str, text: str, whole: bool, part: bool) -> None:
    assert matches(pattern, text) is whole
    assert matches(pattern, text, whole_line=False) is part


@pytest.mark.parametrize(
    ("condition", "exit_code", "value", "met"),
    [
        (Condition("c"), 0, "", True),
        (Condition("c"), 1, "", False),
        (Condition("c"), None, "", False),
        (Condition("c", negate=True), 0, "", False),
        (Condition("c", negate=True), 1, "", True),
        (Condition("c", negate=True), None, "", False),
        (Condition("$x", expected="a"), None, "a", True),
        (Condition("$x", expected="a"), None, "b", False),
        (Condition("$x", expected="a", negate=True), None, "b", True),
        (Condition("$x", expected="re:^[ab]$"), 0, "b", True),
        (Condition("`c`", expected="a"), 1, "a", False),
        (Condition("`c`", expected="a", negate=True), 1, "b", False),
    ],
)
def test_a_condition_is_met(condition: Condition, exit_code: int | None, value: str, met: bool) -> None:
    assert condition_met(condition, exit_code, value) is met
