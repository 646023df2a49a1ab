"""How one execution of a step counts, and whether another follows: pure, from the step's policies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dagfs.model.dag import Condition, ContinueOn, RepeatPolicy, RetryPolicy, Step
from dagfs.model.pattern import BadPattern, found_in
from dagfs.model.state import StepState
from dagfs.model.value import frozen, replace
from dagfs.planning.frontier import Outcome

_LONGEST_TEXT = 1 << 20
_LONGEST_FACTOR = 1e9
_LOST = "its supervising process was killed; how it ended is unknown"
_ENDS_IT = ("stop", "kill", "lost", "waiting", "rejected")
"""Causes behind which nothing is tried or repeated."""


@frozen
class Ending:
    """How the process of a step ended."""

    exit_code: int | None = None
    signal: int | None = None
    cause: str = ""
    """`stop`, `kill` or `timeout` where the shim ended it; `lost` where nobody knows. For a step with
    children also `waiting` where one waits for somebody, `rejected` where somebody said no, `partly` where
    one only partly succeeded, and `unmet` where no precondition of theirs held."""
    error: str = ""


def judge(step: Step, ending: Ending, printed: str = "") -> Outcome:
    """The step's outcome. `printed` is its standard output, needed for `continue_on.output` alone."""
    if ending.cause == "lost":
        return Outcome(StepState.LOST, reason=ending.error or _LOST)
    if ending.cause in ("stop", "kill"):
        return Outcome(StepState.ABORTED, reason="stopped")
    if ending.cause == "waiting":
        return Outcome(StepState.WAITING, reason="its sub-DAG waits for approval")
    if ending.cause == "rejected":
        return Outcome(StepState.REJECTED, reason=ending.error)
    if ending.cause == "unmet":
        return Outcome(StepState.SKIPPED, reason=ending.error)
    if ending.cause == "partly":
        return Outcome(StepState.PARTIALLY_SUCCEEDED, reason="a child partially succeeded")
    if ending.exit_code == 0 and not ending.error and ending.cause != "timeout":
        return Outcome(StepState.SUCCEEDED)
    reason = _why_failed(step, ending)
    if not _tolerated(step, ending, printed):
        return Outcome(StepState.FAILED, reason=reason)
    if step.continue_on.mark_success:
        return Outcome(StepState.SUCCEEDED, reason=f"{reason}, marked as success by continue_on")
    return Outcome(StepState.FAILED, tolerated=True, reason=f"{reason}, tolerated by continue_on")


def by_itself(step: Step, ending: Ending) -> Outcome:
    """The step's outcome as if it had no `continue_on`."""
    policy = step.continue_on
    if not (policy.failure or policy.exit_code or policy.output):
        return judge(step, ending)
    return judge(replace(step, continue_on=ContinueOn()), ending)


def _why_failed(step: Step, ending: Ending) -> str:
    if ending.cause == "timeout":
        return f"timed out after {step.timeout_sec:g} s"
    if ending.error:
        return ending.error
    if ending.signal is not None:
        return f"killed by signal {ending.signal}"
    return f"exit {ending.exit_code}"


def _tolerated(step: Step, ending: Ending, printed: str) -> bool:
    policy = step.continue_on
    if policy.failure or _failed_with(policy.exit_code, ending):
        return True
    return any(matches(pattern, printed, whole_line=False) for pattern in policy.output)


def _failed_with(codes: Sequence[int], ending: Ending) -> bool:
    """Whether it failed with one of these. An exit 0 is the code of no failure, whatever failed behind it."""
    return bool(ending.exit_code) and ending.exit_code in codes


def retry_wait(policy: RetryPolicy, retries: int, ending: Ending) -> float | None:
    """Seconds until the next try after `retries` earlier ones, or None where none follows."""
    if retries >= policy.limit or ending.cause in (*_ENDS_IT, "timeout", "unmet"):
        return None
    if policy.exit_code and not _failed_with(policy.exit_code, ending):
        return None
    return _wait(policy.interval_sec, policy.backoff, policy.max_interval_sec, retries)


def repeat_wait(policy: RepeatPolicy, executions: int, ending: Ending, met: bool) -> float | None:
    """Seconds until a step that ended is run again, or None where it is done.

    `met` is the policy's condition, as found after the execution; it counts where one is given.
    """
    if not policy.mode or (policy.limit and executions >= policy.limit):
        return None
    if ending.cause in _ENDS_IT:
        return None
    if policy.condition:
        holds = met
    elif policy.exit_code:
        holds = ending.exit_code in policy.exit_code
    else:
        holds = policy.mode == "while" and ending.exit_code == 0
    if holds is (policy.mode == "until"):
        return None
    return _wait(policy.interval_sec, policy.backoff, policy.max_interval_sec, executions - 1)


def may_repeat(policy: RepeatPolicy, executions: int, ending: Ending) -> bool:
    """Whether another execution may follow, where nobody knows what the policy's condition says."""
    return any(repeat_wait(policy, executions, ending, met) is not None for met in (False, True))


def _wait(interval: float, backoff: float, longest: float, before: int) -> float:
    # The power alone would overflow after some hundred doublings.
    endless = backoff > 1 and before * math.log(backoff) > math.log(_LONGEST_FACTOR)
    wait = interval * (_LONGEST_FACTOR if endless else backoff**before)
    return min(wait, longest) if longest else wait


def matches(pattern: str, text: str, *, whole_line: bool = True) -> bool:
    """Whether one line of `text` equals `pattern` (or holds it), or fits the expression after `re:`.

    An expression that is none fits nothing; `dagfs validate` names it.
    """
    if pattern.startswith("re:"):
        try:
            return any(found_in(pattern[3:], line) for line in text[:_LONGEST_TEXT].splitlines() or [""])
        except BadPattern:
            return False
    lines = text.splitlines() or [""]
    return any(line == pattern if whole_line else pattern in line for line in lines)


def condition_met(condition: Condition, exit_code: int | None, value: str) -> bool:
    """Whether a condition holds: by its command's exit code, or by its value where one is expected.

    What could not be found out (no exit code, or the command of a value failed) meets nothing,
    negated or not.
    """
    if condition.expected is None:
        return exit_code is not None and (exit_code == 0) is not condition.negate
    known = exit_code in (0, None)
    return known and matches(condition.expected, value) is not condition.negate
