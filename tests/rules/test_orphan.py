"""A process that outlived its engine goes on with the definition it was started with, or ends."""

from __future__ import annotations

import pytest

from dagfs.model.edit import Severity
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Verdict
from tests.planning.scenes import Scene, actions, keep, only, place, rerun

SPEC = """
params: [day=monday]
env:
  - DIR: /data
steps:
  - name: before
    command: cat in.txt
  - name: orphan
    command: cat $DIR/$day
    depends: before
  - name: behind
    command: cat out.txt
    depends: orphan
"""
SCENE = Scene(SPEC, {"orphan": StepState.RUNNING, "behind": StepState.NOT_STARTED})
KILL = Answers(kill_orphans=True)


def test_an_orphan_that_was_not_edited_is_adopted() -> None:
    plan = SCENE.plan()
    assert plan.verdict is Verdict.COMPATIBLE
    assert actions(plan) == {"before": "keep", "orphan": "adopt", "behind": "run"}


@pytest.mark.parametrize(
    ("old", "new", "field", "line"),
    [
        ("cat $DIR/$day", "cat $DIR/x", "command", 8),
        ("cat $DIR/$day", "cat $DIR/$day\n    output: X", "output", 9),
        ("DIR: /data", "DIR: /other", "env.DIR", 3),
        ("params:", "shell: zsh\nparams:", "shell", 1),
    ],
)
def test_an_edited_orphan_is_neither_adopted_nor_started_again(
    old: str, new: str, field: str, line: int
) -> None:
    for answers in (Answers(), keep(), rerun()):
        plan = SCENE.plan(SPEC.replace(old, new), answers)
        assert plan.verdict is Verdict.REFUSED
        finding = next(each for each in plan.findings if each.rule == "orphan.running")
        assert finding.severity is Severity.REJECT
        assert finding.message == f"step 'orphan' is still running, and {field} changed"
        assert (finding.field, finding.line) == (field, line)
        assert finding.hint == "wait until it has ended, or end it with --kill-orphans"
        assert not finding.allowable


def test_an_orphan_whose_parameter_changed_is_not_adopted() -> None:
    plan = SCENE.plan(params={"day": "friday"})
    assert only(plan).field == "params.day"
    assert plan.verdict is Verdict.REFUSED


def test_an_edited_orphan_that_is_ended_runs() -> None:
    plan = SCENE.plan(SPEC.replace("cat $DIR/$day", "cat x"), KILL)
    assert plan.verdict is Verdict.COMPATIBLE
    assert actions(plan)["orphan"] == "run"


def test_an_operational_edit_of_an_orphan_is_free() -> None:
    plan = SCENE.plan(SPEC.replace("cat $DIR/$day", "cat $DIR/$day\n    timeout_sec: 5"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert actions(plan)["orphan"] == "adopt"


def test_an_orphan_behind_a_step_that_would_run_again_is_refused() -> None:
    plan = SCENE.plan(SPEC.replace("cat in.txt", "cat other.txt"), rerun())
    assert plan.verdict is Verdict.REFUSED
    assert only(plan).message == "step 'orphan' is still running, and a step before it would run again"
    assert place(only(plan)) == (7, 5)
    assert SCENE.plan(SPEC.replace("cat in.txt", "cat other.txt"), keep()).verdict is Verdict.COMPATIBLE
