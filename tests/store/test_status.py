from __future__ import annotations

from dagfs.model.event import Event
from dagfs.model.fold import fold
from dagfs.model.run import Attempt, AttemptHeader, Run, RunHeader
from dagfs.store.status import status_document

KEYS = (
    "run dag state attempt spec spec_sha256 trigger params created started finished "
    "root parent as_of steps handlers counts plugins error"
)
STEP_KEYS = "state attempt tries exit_code started finished reason outputs stdout stderr error"


def run_of(names: list[str], *events: tuple[str, dict[str, object]]) -> Run:
    first = Event(1, "t1", "attempt_started", {})
    rest = [Event(n, f"t{n}", name, data) for n, (name, data) in enumerate(events, 2)]
    base: Attempt = fold(AttemptHeader(n=1), names, [])
    attempt = fold(AttemptHeader(n=2, params={"date": "x"}, base=1), names, [first, *rest], base)
    return Run(RunHeader(id="r", dag="d"), (base, attempt))


def test_the_keys_are_those_that_were_promised() -> None:
    document = status_document(run_of(["a"]), as_of=(1, 10))
    assert document.keys() >= set(KEYS.split())
    assert document["steps"]["a"].keys() == set(STEP_KEYS.split())
    assert document["params"] == {"date": "x"}


def test_a_kept_step_points_at_its_own_logs_and_says_so() -> None:
    kept = ("step_kept", {"step": "a", "attempt": 1, "stale": True, "reason": "accepted"})
    document = status_document(run_of(["a"], kept), as_of=(2, 10))
    assert document["steps"]["a"]["kept"] is True
    assert document["steps"]["a"]["stale"] is True


def test_an_adopted_step_points_at_the_logs_it_goes_on_writing() -> None:
    document = status_document(
        run_of(["a b"], ("step_adopted", {"step": "a b", "attempt": 1, "try": 1})), as_of=(2, 1)
    )
    assert document["steps"]["a b"]["stdout"] == "attempts/1/steps/a%20b/stdout.log"
    assert document["steps"]["a b"]["attempt"] == 2


def test_handlers_and_errors_are_shown() -> None:
    document = status_document(
        run_of(
            ["a"],
            ("step_finished", {"step": "a", "state": "failed", "error": "no such program"}),
            ("handler_started", {"handler": "failure", "try": 1}),
            ("handler_finished", {"handler": "failure", "state": "succeeded", "exit_code": 0}),
        ),
        as_of=(4, 1),
    )
    assert document["handlers"]["failure"]["state"] == "succeeded"
    assert document["handlers"]["failure"]["exit_code"] == 0
    assert document["error"] == "no such program"


def test_many_steps_are_cut_short_unless_all_are_wanted() -> None:
    names = [f"s{i}" for i in range(2001)]
    run = run_of(names, ("step_finished", {"step": "s0", "state": "succeeded"}))
    short = status_document(run, as_of=(2, 1))
    assert short["truncated"] is True
    assert short["steps"]["s0"] == {"state": "succeeded"}
    assert "tries" in short["steps"]["s1"]
    assert "truncated" not in status_document(run, as_of=(2, 1), complete=True)
    assert short["counts"] == {"succeeded": 1, "not_started": 2000}
