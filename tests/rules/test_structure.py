"""The shape of a run is fixed, but for what is provably harmless and allowed."""

from __future__ import annotations

import pytest

from dagfs.model.edit import Severity
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Verdict
from tests.planning.scenes import Scene, actions, allow, only, place, rerun, rules_of, step_run

SPEC = """
name: nightly
steps:
  - name: extract
    command: ./extract
  - name: transform
    command: ./transform
    depends: extract
  - name: load
    command: ./load
    depends: transform
  - name: report
    command: ./report
    depends: extract
"""
FAILED = {"transform": StepState.FAILED, "load": StepState.UPSTREAM_FAILED}
SCENE = Scene(SPEC, FAILED)


def edited(*pairs: tuple[str, str]) -> str:
    text = SPEC
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_a_renamed_step_is_refused_by_name_with_its_line() -> None:
    new = edited(("name: transform\n", "name: clean\n"), ("depends: transform", "depends: clean"))
    for answers in (Answers(), allow("structure.rename"), rerun()):
        plan = SCENE.plan(new, answers)
        assert plan.verdict is Verdict.REFUSED
        finding = only(plan)
        assert finding.rule == "structure.rename"
        assert finding.message == "step 'transform' was renamed to 'clean'"
        assert place(finding) == (5, 5)
        assert not finding.allowable
        assert finding.hint == "call it 'transform' again; words for people go into its description"


def test_a_renamed_finished_step_is_refused_too() -> None:
    new = edited(("name: report", "name: summary"))
    assert only(SCENE.plan(new)).rule == "structure.rename"


def test_a_step_with_another_name_and_other_work_is_removed_and_added() -> None:
    plan = SCENE.plan(edited(("name: report\n    command: ./report", "name: mail\n    command: ./mail")))
    assert rules_of(plan) == ["structure.remove", "structure.add"]


# -- adding ----------------------------------------------------------------------------------------

NOTIFY = "  - name: notify\n    command: ./notify\n    depends: load\n"


def test_an_added_step_is_refused_unless_it_is_allowed() -> None:
    plan = SCENE.plan(SPEC + NOTIFY)
    finding = only(plan)
    assert plan.verdict is Verdict.REFUSED
    assert (finding.rule, finding.message) == ("structure.add", "step 'notify' was added")
    assert place(finding) == (14, 5)
    assert finding.allowable
    assert finding.hint.endswith("or --allow structure.add --reason '…'")
    plan = SCENE.plan(SPEC + NOTIFY, allow("structure.add"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert actions(plan)["notify"] == "run"


def test_a_step_may_be_added_at_the_end_of_a_finished_run() -> None:
    plan = Scene(SPEC).plan(SPEC + NOTIFY, allow("structure.add"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert actions(plan) == {
        **dict.fromkeys(("extract", "transform", "load", "report"), "keep"),
        "notify": "run",
    }


def test_a_step_before_steps_that_run_anyway_may_be_added() -> None:
    new = edited(("depends: transform", "depends: [transform, probe]"))
    new += "  - name: probe\n    command: ./probe\n    depends: extract\n"
    assert only(SCENE.plan(new)).allowable
    assert SCENE.plan(new, allow("structure.add")).verdict is Verdict.COMPATIBLE


def test_a_step_before_a_finished_one_cannot_be_added() -> None:
    new = edited(("./report\n    depends: extract", "./report\n    depends: [extract, probe]"))
    new += "  - name: probe\n    command: ./probe\n"
    plan = SCENE.plan(new, allow("structure.add"))
    assert plan.verdict is Verdict.REFUSED
    assert not only(plan).allowable
    assert only(plan).hint == "take it out and `dagfs run` the new spec instead"


def test_a_step_two_steps_before_a_finished_one_cannot_be_added_either() -> None:
    new = edited(("./extract\n", "./extract\n    depends: probe\n"))
    new += "  - name: probe\n    command: ./probe\n"
    assert SCENE.plan(new, allow("structure.add")).verdict is Verdict.REFUSED


def test_a_step_before_a_finished_one_cannot_be_added_whatever_else_is_answered() -> None:
    new = edited(("./report\n    depends: extract", "./report --new\n    depends: [extract, probe]"))
    new += "  - name: probe\n    command: ./probe\n"
    answers = Answers((("report", "rerun"),), ("structure.add",), "new probe")
    assert SCENE.plan(new, answers).verdict is Verdict.REFUSED


# -- removing --------------------------------------------------------------------------------------

WITHOUT_LOAD = edited(("  - name: load\n    command: ./load\n    depends: transform\n", ""))


def test_a_removed_step_that_never_ran_may_be_let_go() -> None:
    finding = only(SCENE.plan(WITHOUT_LOAD))
    assert (finding.rule, finding.step, finding.allowable) == ("structure.remove", "load", True)
    assert place(finding) == (2, 1)
    assert "`command: 'true'` makes it do nothing" in finding.hint
    plan = SCENE.plan(WITHOUT_LOAD, allow("structure.remove"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert "load" not in actions(plan)


@pytest.mark.parametrize("state", [StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED, StepState.LOST])
def test_a_step_that_ran_or_was_skipped_cannot_be_removed(state: StepState) -> None:
    plan = Scene(SPEC, {"load": state}).plan(WITHOUT_LOAD, allow("structure.remove"))
    assert plan.verdict is Verdict.REFUSED


def test_a_step_that_ran_in_an_earlier_attempt_cannot_be_removed() -> None:
    earlier = StepRun("load", StepState.UPSTREAM_FAILED, ever_started=True)
    plan = Scene(SPEC, FAILED | {"load": earlier}).plan(WITHOUT_LOAD, allow("structure.remove"))
    assert plan.verdict is Verdict.REFUSED


def test_a_step_that_others_waited_for_cannot_be_removed() -> None:
    scene = Scene(SPEC, dict.fromkeys(("transform", "load"), StepState.NOT_STARTED))
    new = edited(
        ("  - name: transform\n    command: ./transform\n    depends: extract\n", ""),
        ("depends: transform", "depends: extract"),
    )
    plan = scene.plan(new, allow("structure.remove", "structure.depends"))
    assert plan.verdict is Verdict.REFUSED
    assert "structure.remove" in {each.rule for each in plan.rejections}


def test_a_whole_branch_that_never_ran_may_be_removed() -> None:
    scene = Scene(SPEC, dict.fromkeys(("transform", "load"), StepState.NOT_STARTED))
    new = SPEC[: SPEC.index("  - name: transform")] + SPEC[SPEC.index("  - name: report") :]
    plan = scene.plan(new, allow("structure.remove"))
    assert not plan.rejections
    assert actions(plan) == {"extract": "keep", "report": "keep"}


def test_a_step_that_is_still_referred_to_cannot_be_removed() -> None:
    text = SPEC.replace("command: ./load\n", "command: ./load\n    id: ld\n    output: LOADED\n")
    gone = text[: text.index("  - name: load")] + text[text.index("  - name: report") :]
    for reference in ("${LOADED}", "$LOADED"):
        plan = Scene(text, FAILED).plan(
            gone.replace("./report", f"./report {reference}"),
            Answers((("*", "rerun"),), ("structure.remove",), "x"),
        )
        assert not next(each for each in plan.findings if each.rule == "structure.remove").allowable
    assert only(Scene(text, FAILED).plan(gone)).allowable


# -- dependencies ----------------------------------------------------------------------------------


def test_another_order_of_the_same_dependencies_is_no_change_of_shape() -> None:
    two = SPEC.replace("depends: transform", "depends: [transform, report]")
    other = SPEC.replace("depends: transform", "depends: [report, transform]")
    plan = Scene(two, FAILED).plan(other)
    assert plan.verdict is Verdict.COMPATIBLE
    assert not plan.findings


def test_changed_dependencies_are_refused_with_what_changed() -> None:
    plan = SCENE.plan(edited(("depends: transform", "depends: report")))
    finding = only(plan)
    assert plan.verdict is Verdict.REFUSED
    assert finding.rule == "structure.depends"
    assert finding.message == (
        "step 'load' no longer waits for 'transform' and now waits for 'report' (not to run: report)"
    )
    assert (finding.field, place(finding)) == ("depends", (10, 5))
    assert finding.hint == "let it wait for transform again"
    assert SCENE.plan(
        edited(("depends: transform", "depends: report")), allow("structure.depends")
    ).rejections


def test_steps_that_run_anyway_may_be_rewired() -> None:
    states = {"extract": StepState.SUCCEEDED} | dict.fromkeys(
        ("transform", "load", "report"), StepState.NOT_STARTED
    )
    scene, new = Scene(SPEC, states), edited(("depends: transform", "depends: [transform, report]"))
    finding = only(scene.plan(new))
    assert finding.allowable
    assert finding.message == "step 'load' now waits for 'report'"
    assert scene.plan(new, allow("structure.depends")).verdict is Verdict.COMPATIBLE


def test_finished_work_cannot_be_rewired_even_where_the_rewiring_makes_it_run() -> None:
    new = edited(("./report\n    depends: extract", "./report\n    depends: [extract, transform]"))
    plan = SCENE.plan(new, allow("structure.depends"))
    assert actions(plan)["report"] == "run"
    assert plan.verdict is Verdict.REFUSED
    assert only(plan).message == "step 'report' now waits for 'transform' (not to run: report)"


def test_a_running_orphan_cannot_be_rewired_unless_it_is_ended() -> None:
    scene = Scene(SPEC, {"load": StepState.RUNNING, "report": StepState.FAILED})
    new = edited(("depends: transform", "depends: [transform, report]"))
    assert scene.plan(new, allow("structure.depends")).verdict is Verdict.REFUSED
    ended = Answers((), ("structure.depends",), "x", kill_orphans=True)
    assert scene.plan(new, ended).verdict is Verdict.COMPATIBLE


def test_the_dependencies_that_follow_a_rename_or_a_removal_are_not_reported_again() -> None:
    new = edited(("name: transform\n", "name: clean\n"), ("depends: transform", "depends: clean"))
    assert rules_of(SCENE.plan(new)) == ["structure.rename"]


# -- the DAG ---------------------------------------------------------------------------------------


def test_another_name_of_the_dag_is_refused() -> None:
    finding = only(SCENE.plan(edited(("name: nightly", "name: weekly"))))
    assert (finding.rule, finding.step, place(finding)) == ("structure.dag", None, (1, 1))
    assert finding.severity is Severity.REJECT
    assert not finding.allowable
    assert finding.hint == "call it 'nightly' again"


def test_an_edit_without_a_change_of_shape_breaks_no_rule() -> None:
    plan = SCENE.plan(edited(("./transform", "./other"), ("name: nightly", "description: x\nname: nightly")))
    assert not plan.findings


def test_tolerated_failures_that_are_kept_count_as_finished() -> None:
    tolerated = step_run(SCENE.old, "report", StepState.FAILED, tolerated=True)
    scene = Scene(SPEC, FAILED | {"report": tolerated})
    new = edited(("./report\n    depends: extract", "./report\n    depends: [extract, transform]"))
    assert scene.plan(new, allow("structure.depends")).verdict is Verdict.REFUSED
