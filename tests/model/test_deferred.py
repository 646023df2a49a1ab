"""A finished step about which is decided later: what its events make of it, attempt after attempt."""

from __future__ import annotations

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.fold import fold
from dagfs.model.run import Attempt, AttemptHeader
from dagfs.model.state import StepState

NAMES = ("a", "b")


def attempt(n: int, *events: tuple[str, dict[str, object]], base: Attempt | None = None) -> Attempt:
    told = [Event(place, "", name, data) for place, (name, data) in enumerate(events, 1)]
    return fold(AttemptHeader(n=n), NAMES, told, base)


def started(step: str) -> tuple[str, dict[str, object]]:
    return ev.STEP_STARTED, {"step": step, "try": 1}


def finished(step: str, state: StepState, **more: object) -> tuple[str, dict[str, object]]:
    return ev.STEP_FINISHED, {"step": step, "state": state, **more}


FIRST = attempt(
    1,
    *(started("a"), finished("a", StepState.SUCCEEDED, outputs={"A": "1"}, outputs_sha256="one")),
    *(started("b"), finished("b", StepState.SUCCEEDED, outputs={"B": "2"}, outputs_sha256="two")),
)
DEFERRED = ev.STEP_DEFERRED, {"step": "b", "attempt": 1, "against": {"a": "one"}, "reason": "unless"}


def test_it_has_not_begun_and_remembers_its_work() -> None:
    b = attempt(2, DEFERRED, base=FIRST).steps["b"]
    assert (b.state, b.attempt, b.basis, b.outputs) == (StepState.NOT_STARTED, 0, 1, {})
    assert (b.prior, b.against, b.ever_started) == (FIRST.steps["b"], {"a": "one"}, True)


def test_what_is_kept_after_all_is_the_old_work() -> None:
    b = attempt(2, DEFERRED, (ev.STEP_KEPT, {"step": "b", "attempt": 1}), base=FIRST).steps["b"]
    assert (b.state, b.attempt, b.kept, b.outputs) == (StepState.SUCCEEDED, 1, True, {"B": "2"})
    assert (b.prior, b.against) == (None, {})


def test_what_runs_after_all_has_no_old_work_any_more() -> None:
    b = attempt(2, DEFERRED, started("b"), finished("b", StepState.FAILED), base=FIRST).steps["b"]
    assert (b.state, b.attempt, b.prior, b.against) == (StepState.FAILED, 2, None, {})


def test_what_never_came_to_it_keeps_it_for_later_attempts() -> None:
    second = attempt(2, DEFERRED, started("a"), finished("b", StepState.UPSTREAM_FAILED), base=FIRST)
    assert second.steps["b"].prior == FIRST.steps["b"]
    left = attempt(3, (ev.STEP_LEFT, {"step": "b", "attempt": 0}), base=second)
    assert (left.steps["b"].prior, left.steps["b"].against) == (FIRST.steps["b"], {"a": "one"})
    again = attempt(4, DEFERRED, base=left)
    assert again.steps["b"].prior == FIRST.steps["b"]
    kept = attempt(5, (ev.STEP_KEPT, {"step": "b", "attempt": 1}), base=again)
    assert (kept.steps["b"].attempt, kept.steps["b"].outputs) == (1, {"B": "2"})


def test_without_a_word_on_it_a_later_attempt_knows_of_no_work() -> None:
    second = attempt(2, DEFERRED, base=FIRST)
    assert attempt(3, base=second).steps["b"].prior is None


def test_what_is_skipped_or_marked_is_decided() -> None:
    assert attempt(2, DEFERRED, finished("b", StepState.SKIPPED), base=FIRST).steps["b"].prior is None
    mark = {"step": "b", "state": "failed", "was": "not_started", "reason": "no", "actor": {}}
    over = (ev.ATTEMPT_FINISHED, {"state": "failed"})
    assert attempt(2, DEFERRED, over, (ev.STEP_MARKED, mark), base=FIRST).steps["b"].prior is None
