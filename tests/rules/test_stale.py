"""Finished work that might come out differently now is never kept in silence."""

from __future__ import annotations

import pytest

from dagfs.model.edit import Severity
from dagfs.model.state import StepState
from dagfs.planning.plan import Plan, Verdict
from tests.planning.scenes import Scene, actions, keep, only, place, rerun, rules_of, step_run

SPEC = """
params:
  - day: monday
  - size: "10"
env:
  - DIR: /data/${day}
  - OTHER: x
steps:
  - name: plain
    command: cat in.txt
  - name: uses
    command: ls $DIR
  - name: program
    command: ./program
  - name: last
    command: ./last
    depends: [plain, uses, program]
"""
SCENE = Scene(SPEC, {"last": StepState.FAILED})
PARAMS = {"day": "monday", "size": "10"}


def edited(old: str, new: str) -> str:
    assert SPEC.count(old) == 1
    return SPEC.replace(old, new)


def found(plan: Plan, rule: str) -> list[tuple[str | None, str, Severity]]:
    return [(each.step, each.field, each.severity) for each in plan.findings if each.rule == rule]


# -- definitions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("command: cat other.txt", "command"),
        ("script: cat in.txt", "command"),
        ("command: cat in.txt\n    working_dir: /tmp", "working_dir"),
        ("command: cat in.txt\n    shell: bash", "shell"),
        ('command: cat in.txt\n    env: [X: "1"]', "env.X"),
        ("command: cat in.txt\n    output: TEXT", "output"),
        ("command: cat in.txt\n    preconditions: [test -f in.txt]", "preconditions"),
        (
            "command: cat in.txt\n    executor: {type: docker, config: {image: alpine}}",
            "executor.config.image",
        ),
    ],
)
def test_each_field_that_may_change_the_result_is_asked_about(line: str, field: str) -> None:
    plan = SCENE.plan(edited("command: cat in.txt", line))
    finding = plan.findings[0]
    assert plan.verdict is Verdict.NEEDS_ANSWER
    assert (finding.rule, finding.severity) == ("stale.semantic", Severity.ASK)
    assert (finding.step, finding.field) == ("plain", field)
    assert finding.message == f"{field} of finished step 'plain' changed"
    assert finding.line in (8, 9, 10)
    assert finding.column == 5 or field.startswith(("env", "executor"))
    assert finding.hint == (
        "--on-stale rerun runs plain and all behind it again; --on-stale keep --reason '…' keeps its work"
    )


def test_a_step_that_runs_anyway_is_never_asked_about() -> None:
    assert not SCENE.plan(edited("./last", "./better")).findings
    states = dict.fromkeys(("plain", "uses", "program", "last"), StepState.FAILED)
    every = SPEC.replace("cat in", "cat out").replace("ls $DIR", "ls").replace("./program", "./p")
    assert not Scene(SPEC, states).plan(every).findings


def test_the_shell_of_the_dag_is_part_of_every_step_that_names_none() -> None:
    text = SPEC.replace("./program", "./program\n    shell: bash")
    scene = Scene(text, {"last": StepState.FAILED})
    plan = scene.plan("shell: zsh\n" + text.lstrip())
    assert [each.step for each in plan.findings] == ["plain", "uses"]
    assert {(each.rule, each.field, *place(each)) for each in plan.findings} == {
        ("stale.semantic", "shell", 1, 1)
    }


def test_a_tolerated_failure_that_is_kept_is_asked_about() -> None:
    failed = step_run(SCENE.old, "plain", StepState.FAILED, tolerated=True)
    plan = Scene(SPEC, {"plain": failed, "last": StepState.FAILED}).plan(edited("cat in", "cat out"))
    assert only(plan).step == "plain"


# -- parameters ------------------------------------------------------------------------------------


def test_another_value_of_a_parameter_is_asked_where_it_was_used_or_may_have_been() -> None:
    plan = SCENE.plan(params={**PARAMS, "day": "friday"})
    assert found(plan, "stale.params") == [
        ("program", "params.day", Severity.ASK),
        ("uses", "params.day", Severity.ASK),
    ]
    messages = {each.step: each.message for each in plan.findings}
    assert messages["uses"] == "day was 'monday' when 'uses' ran and is 'friday' now"
    assert messages["program"].endswith("; its programs may have read it")
    assert {place(each) for each in plan.findings} == {(2, 5)}


def test_another_value_of_a_parameter_nobody_finished_can_have_used_is_free() -> None:
    scene = Scene(SPEC, {"last": StepState.FAILED, "program": StepState.FAILED})
    plan = scene.plan(edited('size: "10"', 'size: "20"'), params={**PARAMS, "size": "20"})
    assert plan.verdict is Verdict.COMPATIBLE
    assert not plan.findings


def test_a_parameter_that_came_or_went_counts_as_another_value() -> None:
    gone = SCENE.plan(params={"size": "10"})
    assert {each.step for each in gone.findings} == {"program", "uses"}
    assert "is not set now" in gone.findings[0].message
    come = SCENE.plan(params={**PARAMS, "new": "1"})
    assert {each.step for each in come.findings} == {"program"}
    assert "was not set when" in only(come).message


def test_a_long_value_is_shortened() -> None:
    plan = SCENE.plan(params={**PARAMS, "day": "x" * 500})
    assert all(len(each.message) < 200 for each in plan.findings)


def test_a_parameter_that_every_program_reads_concerns_plain_commands_too() -> None:
    plan = SCENE.plan(params={**PARAMS, "LC_ALL": "C"})
    assert {each.step for each in plan.findings} == {"plain", "uses", "program"}


# -- variables of the DAG --------------------------------------------------------------------------


def test_another_value_of_a_variable_is_asked_where_it_was_used_and_remarked_where_unknown() -> None:
    plan = SCENE.plan(edited("DIR: /data", "DIR: /elsewhere"))
    assert found(plan, "stale.env") == [
        ("uses", "env.DIR", Severity.ASK),
        ("program", "env.DIR", Severity.WARN),
    ]
    assert plan.findings[0].message == "env DIR, which finished step 'uses' used, changed"
    assert place(plan.findings[0])[0] == 5
    assert plan.findings[1].message == "env DIR changed; programs of finished step 'program' may have read it"


def test_another_value_of_a_variable_nobody_finished_uses_is_only_remarked() -> None:
    plan = SCENE.plan(edited("OTHER: x", "OTHER: y"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert found(plan, "stale.env") == [("program", "env.OTHER", Severity.WARN)]


def test_a_variable_that_the_step_sets_itself_is_its_own() -> None:
    text = SPEC.replace("./program", "./program\n    env: [OTHER: own]")
    scene = Scene(text, {"last": StepState.FAILED})
    assert not scene.plan(text.replace("OTHER: x", "OTHER: y")).findings
    text = SPEC.replace("./program", "./program\n    env: [OTHER: own-$OTHER]")
    scene = Scene(text, {"last": StepState.FAILED})
    assert only(scene.plan(text.replace("OTHER: x", "OTHER: y"))).severity is Severity.ASK


def test_variables_of_the_machine_are_remarked_even_for_plain_commands() -> None:
    plan = SCENE.plan(edited("OTHER: x", "PATH: /opt/bin:$PATH"))
    assert {each.step for each in plan.findings if each.field == "env.PATH"} == {"plain", "uses", "program"}
    assert plan.verdict is Verdict.COMPATIBLE


def test_other_dotenv_files_and_another_working_directory_are_remarked_once() -> None:
    dotenv = SCENE.plan("dotenv: [.env, .extra]" + SPEC)
    assert found(dotenv, "stale.env") == [(None, "dotenv", Severity.WARN)]
    assert only(dotenv).message == "dotenv changed; plain, uses, program may have used what was set there"
    moved = SCENE.plan("working_dir: /srv" + SPEC)
    assert rules_of(moved) == ["workdir.change"]
    assert only(moved).message == (
        "working_dir changed; files that plain, uses, program left in the old one are not moved"
    )
    assert place(only(moved)) == (1, 1)


# -- answers ---------------------------------------------------------------------------------------


def test_an_answer_settles_all_questions_about_a_step() -> None:
    new, params = edited("ls $DIR", "ls -l $DIR"), {**PARAMS, "day": "friday"}
    plan = SCENE.plan(new, rerun(), params=params)
    assert actions(plan) == {"plain": "keep", "uses": "run", "program": "run", "last": "run"}
    assert not plan.findings
    plan = SCENE.plan(new, keep(), params=params)
    assert actions(plan) == {"plain": "keep", "uses": "keep_stale", "program": "keep_stale", "last": "run"}
    assert plan.verdict is Verdict.COMPATIBLE
    assert len(plan.findings) == 3
