"""What a step to run takes from finished ones must be there, and be what they left."""

from __future__ import annotations

from dagfs.model.edit import Evidence, Severity
from dagfs.model.state import StepState
from dagfs.planning.plan import Verdict
from tests.planning.scenes import Scene, actions, keep, only, place, rerun, rules_of, step_run

SPEC = """
steps:
  - name: extract
    command: ./extract
    output: ROWS
  - name: other
    command: ./other
  - name: load
    command: ./load ${ROWS}
    depends: [extract, other]
"""
SCENE = Scene(SPEC, {"load": StepState.FAILED})


def edited(*pairs: tuple[str, str], text: str = SPEC) -> str:
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_an_unedited_run_misses_nothing() -> None:
    assert not SCENE.plan().findings


def test_a_renamed_output_is_refused_where_a_step_to_run_uses_the_new_name() -> None:
    new = edited(("output: ROWS", "output: LINES"), ("${ROWS}", "${LINES}"))
    plan = SCENE.plan(new)
    assert plan.verdict is Verdict.REFUSED
    missing = plan.rejections[0]
    assert missing.rule == "outputs.missing"
    assert missing.message == (
        "step 'load' needs LINES, which finished step 'extract' did not put out (it has ROWS)"
    )
    assert (missing.field, place(missing)) == ("command", (8, 5))
    assert missing.hint == "--on-stale rerun runs extract again; or refer to what it has put out: ROWS"
    assert SCENE.plan(new, keep()).verdict is Verdict.REFUSED
    again = SCENE.plan(new, rerun())
    assert again.verdict is Verdict.COMPATIBLE
    assert actions(again) == {"extract": "run", "other": "keep", "load": "run"}


def test_a_dropped_output_of_kept_work_is_still_there() -> None:
    new = edited(("    output: ROWS\n", ""))
    assert rules_of(SCENE.plan(new)) == ["stale.semantic"]
    assert SCENE.plan(new, keep()).verdict is Verdict.COMPATIBLE


def test_a_dropped_output_of_a_step_that_runs_again_is_refused() -> None:
    new = edited(("    output: ROWS\n", ""))
    plan = SCENE.plan(new, rerun())
    assert plan.verdict is Verdict.REFUSED
    assert only(plan).message == "step 'load' needs ROWS, which step 'extract' no longer puts out"
    assert only(plan).hint == "put `output: ROWS` of extract back, or stop referring to ROWS"
    both = edited(("    output: ROWS\n", ""), (" ${ROWS}", ""))
    assert SCENE.plan(both, rerun()).verdict is Verdict.COMPATIBLE


def test_a_name_that_a_parameter_or_the_step_itself_gives_is_not_missed() -> None:
    gone = edited(("    output: ROWS\n", ""))
    assert SCENE.plan("params: [ROWS=0]" + gone, rerun("extract")).rejections == ()
    assert SCENE.plan("env: [ROWS: 0]" + gone, rerun("extract")).rejections == ()
    own = edited(("./load ${ROWS}", './load ${ROWS}\n    env: [ROWS: "0"]'), text=gone)
    assert SCENE.plan(own, rerun("extract")).rejections == ()


def test_an_output_written_by_the_step_itself_is_expected_again() -> None:
    text = edited(("    output: ROWS\n", ""))
    maker = step_run(Scene(text).old, "extract", StepState.SUCCEEDED, outputs={"ROWS": "3"})
    scene = Scene(text, {"extract": maker, "load": StepState.FAILED})
    assert not scene.plan().findings
    again = scene.plan(edited(("./extract", "./extract --all"), text=text), rerun())
    assert again.verdict is Verdict.COMPATIBLE


def test_another_step_that_now_makes_the_output_will_do() -> None:
    new = edited(("    output: ROWS\n", ""), ("./other", "./other\n    output: ROWS"))
    assert SCENE.plan(new, rerun()).verdict is Verdict.COMPATIBLE


def test_only_steps_upstream_count() -> None:
    text = SPEC.replace("depends: [extract, other]", "depends: other")
    scene = Scene(text, {"load": StepState.FAILED})
    assert not scene.plan(
        edited(("./extract", "./more"), ("output: ROWS", "output: X"), text=text), keep()
    ).rejections


def test_a_skipped_maker_gives_what_it_gave_before() -> None:
    text = edited(("./extract", "./extract\n    continue_on: skipped\n    preconditions: [test -e x]"))
    scene = Scene(text, {"extract": StepState.SKIPPED, "load": StepState.FAILED})
    assert scene.plan().verdict is Verdict.COMPATIBLE
    assert not scene.plan().findings


# -- evidence --------------------------------------------------------------------------------------


def test_altered_outputs_and_artifacts_are_asked_about() -> None:
    evidence = {"extract": Evidence(outputs="altered", artifacts_altered=("a.csv", "b.csv"))}
    plan = SCENE.plan(evidence=evidence)
    assert plan.verdict is Verdict.NEEDS_ANSWER
    assert rules_of(plan) == ["outputs.verify"] * 3
    assert [each.message for each in plan.findings] == [
        "artifact a.csv of finished step 'extract' was changed after it ended",
        "artifact b.csv of finished step 'extract' was changed after it ended",
        "outputs.json of finished step 'extract' was changed after it ended",
    ]
    assert {place(each) for each in plan.findings} == {(2, 5)}
    assert actions(SCENE.plan(answers=rerun(), evidence=evidence))["extract"] == "run"
    kept = SCENE.plan(answers=keep(), evidence=evidence)
    assert (actions(kept)["extract"], kept.verdict) == ("keep_stale", Verdict.COMPATIBLE)


def test_evidence_about_a_step_that_runs_is_of_no_account() -> None:
    evidence = {"load": Evidence(outputs="altered", artifacts_altered=("x",), work_changed=("y",))}
    assert not SCENE.plan(evidence=evidence).findings


def test_changed_files_of_the_work_folder_are_remarked() -> None:
    plan = SCENE.plan(evidence={"extract": Evidence(work_changed=("a", "b", "c", "d", "e"))})
    assert plan.verdict is Verdict.COMPATIBLE
    assert only(plan).severity is Severity.WARN
    assert only(plan).message == "work/a, b, c and 2 more changed after finished step 'extract' wrote it"
