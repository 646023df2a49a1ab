"""What a retry keeps and what it runs, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dagfs.model.dag import Dag, Output, Step
from dagfs.model.edit import Action, Edit, Evidence, Finding, Severity
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.answers import Answers
from dagfs.planning.compat import Basis, compare
from dagfs.planning.plan import Verdict
from dagfs.planning.request import plan_id
from dagfs.planning.retry import plan_retry
from tests.planning.calls import calls_of
from tests.planning.scenes import (
    PLUGINS,
    Scene,
    actions,
    allow,
    attempt_of,
    keep,
    only,
    reason,
    request,
    rerun,
    rules_of,
    spec,
    step_run,
)

CHAIN = """
steps:
  - name: extract
    command: ./extract
  - name: transform
    command: ./transform
    depends: extract
  - name: load
    command: ./load
    depends: transform
"""
FAILED_IN_THE_MIDDLE = {"transform": StepState.FAILED, "load": StepState.UPSTREAM_FAILED}


def edited(old: str, new: str, text: str = CHAIN) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


# -- without an edit -------------------------------------------------------------------------------


def test_without_an_edit_what_is_done_is_kept_and_the_rest_runs() -> None:
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan()
    assert actions(plan) == {"extract": "keep", "transform": "run", "load": "run"}
    assert reason(plan, "extract") == "succeeded in attempt 1, unchanged"
    assert reason(plan, "transform") == "failed (exit 1)"
    assert reason(plan, "load") == "upstream transform runs"
    assert (plan.verdict, plan.base, plan.attempt) == (Verdict.COMPATIBLE, 1, 2)
    assert plan.findings == ()


def test_where_all_is_done_there_is_nothing_to_do() -> None:
    plan = Scene(CHAIN).plan()
    assert plan.verdict is Verdict.NOTHING_TO_DO
    assert set(actions(plan).values()) == {"keep"}


def test_an_attempt_that_did_not_come_to_its_end_is_taken_there_although_all_is_kept() -> None:
    scene = Scene(CHAIN)
    for state in (RunState.FAILED, RunState.ABORTED, RunState.INTERRUPTED):
        scene.attempt = replace(scene.attempt, state=state)
        assert scene.plan().verdict is Verdict.COMPATIBLE


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (StepState.NOT_STARTED, "never ran"),
        (StepState.QUEUED, "never ran"),
        (StepState.UPSTREAM_FAILED, "never ran: an upstream step failed"),
        (StepState.FAILED, "failed (exit 1)"),
        (StepState.ABORTED, "was stopped"),
        (StepState.REJECTED, "was rejected"),
        (StepState.LOST, "its end is unknown"),
        (StepState.RETRYING, "was between two tries"),
        (StepState.WAITING, "was waiting"),
    ],
)
def test_whatever_is_unfinished_runs(state: StepState, words: str) -> None:
    plan = Scene(CHAIN, {"load": state}).plan()
    assert actions(plan) == {"extract": "keep", "transform": "keep", "load": "run"}
    assert reason(plan, "load") == words


def test_every_state_of_a_step_has_its_decision() -> None:
    for state in StepState:
        plan = Scene(CHAIN, {"load": state}).plan()
        kept = state.is_success or state is StepState.SKIPPED
        action = "adopt" if state is StepState.RUNNING else "keep" if kept else "run"
        assert actions(plan)["load"] == action


def test_a_failure_is_described() -> None:
    dag = spec(CHAIN)
    killed = step_run(dag, "load", StepState.FAILED, exit_code=None, signal=9)
    assert reason(Scene(CHAIN, {"load": killed}).plan(), "load") == "failed (signal 9)"
    unready = step_run(dag, "load", StepState.FAILED, exit_code=None)
    assert reason(Scene(CHAIN, {"load": unready}).plan(), "load") == "failed"


def test_every_step_behind_one_that_runs_runs_too() -> None:
    plan = Scene(CHAIN, {"extract": StepState.FAILED}).plan()
    assert actions(plan) == dict.fromkeys(("extract", "transform", "load"), "run")
    assert reason(plan, "load") == "upstream transform runs"


# -- tolerated failures and skips ------------------------------------------------------------------

TOLERANT = """
steps:
  - name: lint
    command: ./lint
    continue_on: failed
  - name: build
    command: ./build
    depends: lint
  - name: test
    command: ./test
"""


def tolerated() -> StepRun:
    return step_run(spec(TOLERANT), "lint", StepState.FAILED, tolerated=True)


def test_a_tolerated_failure_is_kept_where_something_else_has_failed() -> None:
    plan = Scene(TOLERANT, {"lint": tolerated(), "test": StepState.FAILED}).plan()
    assert actions(plan) == {"lint": "keep", "build": "keep", "test": "run"}
    assert reason(plan, "lint") == "failed in attempt 1, tolerated, unchanged"


def test_a_tolerated_failure_runs_where_nothing_else_has_failed() -> None:
    scene = Scene(TOLERANT, {"lint": tolerated()})
    assert scene.attempt.state is RunState.PARTIALLY_SUCCEEDED
    plan = scene.plan()
    assert actions(plan) == {"lint": "run", "build": "run", "test": "keep"}


def test_a_partially_succeeded_step_is_kept() -> None:
    plan = Scene(CHAIN, {"load": StepState.PARTIALLY_SUCCEEDED}).plan()
    assert plan.verdict is Verdict.NOTHING_TO_DO
    assert reason(plan, "load") == "partially succeeded in attempt 1, unchanged"


SKIPPING = """
params: [day=monday, other=x]
steps:
  - name: a
    command: ./a
  - name: b
    command: ./b
    depends: a
    preconditions:
      - condition: ${day}
        expected: sunday
  - name: c
    command: ./c
    depends: b
  - name: d
    command: ./d
"""
SKIPPED = {"b": StepState.SKIPPED, "c": StepState.SKIPPED, "d": StepState.FAILED}


def test_a_skipped_step_is_kept_while_its_condition_stays() -> None:
    plan = Scene(SKIPPING, SKIPPED).plan()
    assert actions(plan) == {"a": "keep", "b": "keep", "c": "keep", "d": "run"}


def test_a_skipped_step_has_no_work_that_could_be_stale() -> None:
    plan = Scene(SKIPPING, SKIPPED).plan(edited("./b", "./better", SKIPPING))
    assert actions(plan)["b"] == "keep"
    assert plan.verdict is Verdict.COMPATIBLE
    assert not plan.findings


def test_a_skipped_step_is_judged_again_with_what_stands_behind_it_when_its_condition_changes() -> None:
    plan = Scene(SKIPPING, SKIPPED).plan(edited("sunday", "monday", SKIPPING))
    assert actions(plan) == {"a": "keep", "b": "run", "c": "run", "d": "run"}
    assert reason(plan, "b") == "its precondition changed"
    assert reason(plan, "c") == "upstream b runs"


def test_a_skipped_step_is_judged_again_when_what_its_condition_uses_changes() -> None:
    other = {"day": "monday", "other": "y"}
    scene = Scene(SKIPPING, SKIPPED, params={"day": "monday", "other": "x"})
    assert actions(scene.plan(params={"day": "sunday", "other": "x"}, answers=keep()))["b"] == "run"
    assert actions(scene.plan(params=other, answers=keep()))["b"] == "keep"


def test_a_skipped_step_is_judged_again_when_the_step_before_it_runs() -> None:
    plan = Scene(SKIPPING, SKIPPED | {"a": StepState.FAILED}).plan()
    assert actions(plan)["b"] == "run"


def test_a_step_skipped_behind_a_skipped_one_runs_when_that_is_now_tolerated() -> None:
    lenient = edited("    command: ./b\n", "    command: ./b\n    continue_on: skipped\n", SKIPPING)
    plan = Scene(SKIPPING, SKIPPED).plan(lenient)
    assert actions(plan) == {"a": "keep", "b": "keep", "c": "run", "d": "run"}
    assert reason(plan, "c") == "continue_on of upstream b changed"


# -- edits of steps --------------------------------------------------------------------------------


def test_a_semantic_edit_of_a_failed_step_is_what_a_retry_is_for() -> None:
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(edited("./transform", "./transform --fixed"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert reason(plan, "transform") == "failed (exit 1), command changed at line 5"
    assert not plan.findings


def test_a_semantic_edit_of_a_step_that_never_ran_is_free() -> None:
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(edited("./load", "./load --fast"))
    assert plan.verdict is Verdict.COMPATIBLE
    assert reason(plan, "load") == "upstream transform runs, command changed at line 8"


def test_a_semantic_edit_of_a_finished_step_is_a_question() -> None:
    scene, new = Scene(CHAIN, FAILED_IN_THE_MIDDLE), edited("./extract", "./extract --all")
    plan = scene.plan(new)
    assert plan.verdict is Verdict.NEEDS_ANSWER
    assert actions(plan)["extract"] == "keep"
    assert reason(plan, "extract") == "succeeded in attempt 1; command changed at line 3"
    assert plan.questions == plan.findings
    again = scene.plan(new, rerun())
    assert again.verdict is Verdict.COMPATIBLE
    assert actions(again)["extract"] == "run"
    assert reason(again, "extract") == "stale: command of finished step 'extract' changed"
    kept = scene.plan(new, keep())
    assert kept.verdict is Verdict.COMPATIBLE
    assert actions(kept)["extract"] == "keep_stale"
    assert reason(kept, "extract") == "kept although command of finished step 'extract' changed"


def test_an_answer_for_one_step_leaves_the_others_open() -> None:
    scene = Scene(CHAIN)
    new = edited("./extract", "./other", edited("./load", "./other-load"))
    plan = scene.plan(new, rerun("load"))
    assert actions(plan) == {"extract": "keep", "transform": "keep", "load": "run"}
    assert plan.verdict is Verdict.NEEDS_ANSWER
    assert [finding.step for finding in plan.questions] == ["extract"]
    both = replace(keep("*"), on_stale=(("*", "keep"), ("load", "rerun")))
    assert actions(scene.plan(new, both)) == {"extract": "keep_stale", "transform": "keep", "load": "run"}
    assert scene.plan(new, both).verdict is Verdict.COMPATIBLE


def test_running_a_stale_step_again_takes_along_all_behind_it() -> None:
    plan = Scene(CHAIN).plan(edited("./extract", "./other"), rerun())
    assert actions(plan) == dict.fromkeys(("extract", "transform", "load"), "run")
    assert plan.verdict is Verdict.COMPATIBLE


def test_an_edit_of_a_finished_run_may_reopen_it_or_leave_it() -> None:
    assert Scene(CHAIN).plan(edited("./load", "./other"), rerun()).verdict is Verdict.COMPATIBLE
    kept = Scene(CHAIN).plan(edited("./load", "./other"), keep())
    assert kept.verdict is Verdict.NOTHING_TO_DO


def test_comments_order_and_white_space_are_no_edit() -> None:
    same = """
    # a comment
    steps:
      - command: "./extract"   # another
        name: extract

      - {name: transform, depends: [extract], command: ['./transform']}
      - name: load
        depends:
          - transform
        command: |-
          ./load
    """
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(same)
    assert plan.edit.changes == ()
    assert plan.decisions == Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan().decisions


@pytest.mark.parametrize(
    "line",
    [
        "timeout_sec: 5",
        "retry_policy: {limit: 3, interval_sec: 1}",
        "description: words",
        "continue_on: failed",
        "signal_on_stop: SIGINT",
        "stdout: out.txt",
    ],
)
def test_an_operational_or_cosmetic_edit_touches_no_finished_step(line: str) -> None:
    new = edited("    command: ./extract\n", f"    command: ./extract\n    {line}\n")
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(new)
    assert plan.verdict is Verdict.COMPATIBLE
    assert not plan.findings
    field = line.partition(":")[0]
    assert reason(plan, "extract") == f"succeeded in attempt 1; {field} changed at line 4, no effect"
    to_run = edited("    command: ./transform\n", f"    command: ./transform\n    {line}\n")
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(to_run)
    assert plan.verdict is Verdict.COMPATIBLE
    assert reason(plan, "transform") == f"failed (exit 1), {field} changed at line 6"


def test_handlers_are_always_free() -> None:
    plan = Scene(CHAIN, FAILED_IN_THE_MIDDLE).plan(CHAIN + "handler_on:\n  failure:\n    command: ./tell\n")
    assert plan.verdict is Verdict.COMPATIBLE
    assert not plan.findings
    (change,) = plan.edit.changes
    assert (change.step, change.field, change.kind.value) == (None, "handler_on.failure", "handler")


# -- kept stale, attempt after attempt -------------------------------------------------------------


def test_what_is_kept_as_stale_stays_so_and_is_asked_again_only_when_edited_again() -> None:
    first, second = spec(CHAIN), spec(edited("./extract", "./second"))
    third = spec(edited("./extract", "./third"))
    steps = {step.name: step_run(second, step.name, StepState.FAILED, 2) for step in second.steps}
    steps["extract"] = replace(
        step_run(first, "extract", StepState.SUCCEEDED), kept=True, stale=True, basis=2
    )
    attempt = attempt_of(second, steps, 2)
    bases = {1: Basis(first), 2: Basis(second)}

    def plan(dag: Dag, answers: Answers | None = None):
        edit = compare(attempt, bases, Basis(dag), PLUGINS.classify)
        return plan_retry(edit, request(repr(dag), answers), PLUGINS.check_edit)

    unedited = plan(second)
    assert actions(unedited)["extract"] == "keep_stale"
    assert unedited.verdict is Verdict.COMPATIBLE
    assert reason(unedited, "extract") == "succeeded in attempt 1, kept as stale since attempt 2"
    assert plan(third).verdict is Verdict.NEEDS_ANSWER
    assert actions(plan(third, keep()))["extract"] == "keep_stale"
    assert actions(plan(third, rerun()))["extract"] == "run"
    # Going back to what it ran with is an edit too: it was accepted for the second text.
    assert plan(first).verdict is Verdict.NEEDS_ANSWER


def test_a_kept_step_is_compared_with_the_spec_it_ran_with_not_with_the_newest() -> None:
    first, second = spec(CHAIN), spec(edited("./extract", "./second"))
    steps = {step.name: step_run(second, step.name, StepState.FAILED, 2) for step in second.steps}
    steps["extract"] = replace(step_run(first, "extract", StepState.SUCCEEDED), kept=True)
    edit = compare(
        attempt_of(second, steps, 2), {1: Basis(first), 2: Basis(second)}, Basis(second), PLUGINS.classify
    )
    assert [change.step for change in edit.changes] == ["extract"]


# -- work that is gone -----------------------------------------------------------------------------

OUTPUTS = """
steps:
  - name: a
    command: ./a
    output: A
  - name: b
    command: ./b $A
    depends: a
    output: B
  - name: c
    command: ./c $B
    depends: b
  - name: d
    command: cat ${a.artifacts}/x
    depends: a
"""


def test_lost_outputs_are_made_again_where_a_step_to_run_uses_them() -> None:
    gone = {name: Evidence(outputs="missing") for name in "ab"}
    plan = Scene(OUTPUTS, {"c": StepState.FAILED}).plan(evidence=gone)
    assert actions(plan) == dict.fromkeys("abcd", "run")
    assert reason(plan, "b") == "its outputs.json is gone"
    assert reason(plan, "a") == "its outputs.json is gone"
    assert reason(plan, "d") == "upstream a runs"


def test_lost_outputs_that_nobody_to_run_uses_are_no_reason() -> None:
    gone = {name: Evidence(outputs="missing", artifacts_missing=("x",)) for name in "ab"}
    plan = Scene(OUTPUTS).plan(evidence=gone)
    assert plan.verdict is Verdict.NOTHING_TO_DO


def test_a_lost_artifact_is_made_again_where_a_step_to_run_uses_it() -> None:
    gone = {"a": Evidence(artifacts_missing=("x", "y"))}
    plan = Scene(OUTPUTS, {"d": StepState.FAILED}).plan(evidence=gone)
    assert actions(plan) == dict.fromkeys("abcd", "run")
    assert reason(plan, "a") == "its artifact x is gone"
    plan = Scene(OUTPUTS, {"c": StepState.FAILED}).plan(evidence=gone)
    assert actions(plan) == {"a": "keep", "b": "keep", "c": "run", "d": "keep"}


def test_an_output_that_no_spec_declares_is_missed_too() -> None:
    text = edited("    output: B\n", "", OUTPUTS)
    maker = step_run(spec(text), "b", StepState.SUCCEEDED, outputs={"B": "written by the step"})
    scene = Scene(text, {"b": maker, "c": StepState.FAILED})
    assert actions(scene.plan(evidence={"b": Evidence(outputs="missing")}))["b"] == "run"


# -- adoption --------------------------------------------------------------------------------------


def test_a_running_orphan_is_adopted_and_what_stands_behind_it_waits() -> None:
    plan = Scene(CHAIN, {"transform": StepState.RUNNING, "load": StepState.NOT_STARTED}).plan()
    assert actions(plan) == {"extract": "keep", "transform": "adopt", "load": "run"}
    assert reason(plan, "transform") == "still running since attempt 1"
    assert plan.verdict is Verdict.COMPATIBLE


def test_finished_work_that_comes_to_stand_behind_an_orphan_would_run() -> None:
    new = edited("  - name: load\n    command: ./load\n    depends: transform\n", "")
    new = new.replace("steps:\n", "steps:\n  - name: load\n    command: ./load\n")
    text = new.replace("    command: ./load\n", "    command: ./load\n    depends: transform\n")
    plan = Scene(new, {"transform": StepState.RUNNING}).plan(text)
    assert actions(plan) == {"load": "run", "extract": "keep", "transform": "adopt"}
    assert reason(plan, "load") == "upstream transform is still running"
    assert plan.verdict is Verdict.REFUSED


def test_a_running_orphan_can_be_ended_instead() -> None:
    plan = Scene(CHAIN, {"load": StepState.RUNNING}).plan(answers=Answers(kill_orphans=True))
    assert actions(plan)["load"] == "run"
    assert reason(plan, "load") == "was running when its engine died"
    assert plan.edit.kill_orphans


# -- what the rules say ----------------------------------------------------------------------------


def finding(severity: Severity, step: str | None = None, **more: object) -> Finding:
    return Finding("x.rule", severity, "because", step, **more)


def planned(*findings: Finding, answers: Answers | None = None):
    def check(edit: Edit) -> list[Finding]:
        return [each for each in findings if each.step is None or edit.is_kept(each.step)]

    return plan_retry(Scene(CHAIN).edit(), request(CHAIN, answers), check)


def test_notes_and_warnings_stand_in_nobodys_way() -> None:
    plan = planned(finding(Severity.NOTE), finding(Severity.WARN, "load"))
    assert plan.verdict is Verdict.NOTHING_TO_DO
    assert [each.severity for each in plan.findings] == [Severity.WARN, Severity.NOTE]


def test_a_rejection_is_lifted_only_where_it_can_be_and_was() -> None:
    hard, soft = finding(Severity.REJECT), finding(Severity.REJECT, allowable=True)
    assert planned(hard).verdict is Verdict.REFUSED
    assert planned(soft).verdict is Verdict.REFUSED
    assert planned(hard, answers=allow("x.rule")).verdict is Verdict.REFUSED
    assert planned(soft, answers=allow("y.rule")).verdict is Verdict.REFUSED
    assert planned(soft, answers=allow("x.rule")).verdict is Verdict.NOTHING_TO_DO


def test_a_rejection_weighs_more_than_a_question() -> None:
    assert planned(finding(Severity.ASK, "load"), finding(Severity.REJECT)).verdict is Verdict.REFUSED


def test_a_question_about_no_step_is_about_every_kept_one() -> None:
    question = finding(Severity.ASK)
    assert planned(question).verdict is Verdict.NEEDS_ANSWER
    assert set(actions(planned(question, answers=rerun())).values()) == {"run"}
    assert set(actions(planned(question, answers=keep())).values()) == {"keep_stale"}


def test_the_first_of_several_questions_gives_the_reason() -> None:
    new = edited("./load", "./other\n    working_dir: /tmp")
    plan = Scene(CHAIN).plan(new, keep())
    assert rules_of(plan) == ["stale.semantic", "stale.semantic"]
    assert reason(plan, "load") == "kept although command of finished step 'load' changed"


def test_the_same_finding_twice_counts_once() -> None:
    assert only(planned(*[finding(Severity.WARN)] * 2)).severity is Severity.WARN


def test_rules_see_what_would_become_of_each_step() -> None:
    seen: list[Edit] = []

    def check(edit: Edit) -> list[Finding]:
        seen.append(edit)
        return [finding(Severity.ASK, "extract")] if edit.is_kept("extract") else []

    plan = plan_retry(Scene(CHAIN).edit(), request(CHAIN, rerun()), check)
    assert [dict(edit.actions) for edit in seen] == [
        dict.fromkeys(("extract", "transform", "load"), Action.KEEP),
        dict.fromkeys(("extract", "transform", "load"), Action.RUN),
    ]
    assert plan.verdict is Verdict.COMPATIBLE


def test_steps_run_anyway_only_by_the_old_graph() -> None:
    new = edited("    command: ./extract\n", "    command: ./extract\n    depends: probe\n")
    plan = Scene(CHAIN, {"load": StepState.FAILED}).plan(new + "  - name: probe\n    command: ./probe\n")
    assert actions(plan) == dict.fromkeys(("extract", "transform", "load", "probe"), "run")
    assert plan.edit.anyway == {"load", "probe"}


# -- the plan's id ---------------------------------------------------------------------------------


def test_the_id_covers_all_that_decides() -> None:
    scene = Scene(OUTPUTS, {"c": StepState.FAILED}, params={"p": "1"})
    edit, asked = scene.edit(params={"p": "1"}), request(OUTPUTS)
    base = plan_id(edit, asked)
    assert plan_id(scene.edit(params={"p": "1"}), request(OUTPUTS)) == base
    others = [
        plan_id(edit, request(OUTPUTS + "# a comment\n")),
        plan_id(edit, replace(asked, run="run2")),
        plan_id(edit, replace(asked, circumstances={"shell": "2"})),
        plan_id(edit, request(OUTPUTS, rerun())),
        plan_id(edit, request(OUTPUTS, keep("a"))),
        plan_id(edit, request(OUTPUTS, allow("structure.add"))),
        plan_id(edit, request(OUTPUTS, Answers(kill_orphans=True))),
        plan_id(scene.edit(params={"p": "2"}), asked),
        plan_id(scene.edit(params={"p": "1"}, evidence={"a": Evidence(outputs="missing")}), asked),
        plan_id(scene.edit(params={"p": "1"}, evidence={"a": Evidence(work_changed=("x",))}), asked),
        plan_id(replace(edit, attempt=replace(edit.attempt, header=AttemptHeader(n=2))), asked),
        plan_id(replace(edit, opaque=frozenset()), asked),
    ]
    for change in ({"state": StepState.LOST}, {"attempt": 9}, {"stale": True}, {"outputs": {"Z": ""}}):
        steps = {**edit.attempt.steps, "c": replace(edit.attempt.steps["c"], **change)}
        others.append(plan_id(replace(edit, attempt=replace(edit.attempt, steps=steps)), asked))
    assert len({base, *others}) == len(others) + 1


def test_the_id_does_not_cover_the_reason_or_how_an_answer_is_put() -> None:
    edit = Scene(CHAIN).edit()
    one = Answers((("*", "keep"), ("load", "rerun")), ("a", "b"), "why")
    other = Answers((("load", "keep"), ("*", "keep"), ("load", "rerun")), ("b", "a", "a"), "")
    same = Answers((("load", "rerun"), ("*", "keep"), ("load", "rerun"), ("extract", "keep")), ("a", "b"))
    different = Answers((("load", "rerun"), ("*", "keep")), ("a", "b"))
    ids = [plan_id(edit, request(CHAIN, answers)) for answers in (one, other, same, different)]
    assert ids[0] == ids[1] == ids[2] != ids[3]


# -- cost ------------------------------------------------------------------------------------------


def diamond(layers: int, **changes: str) -> Dag:
    """Two steps a layer, each waiting for both of the layer before and using their outputs."""
    steps: list[Step] = []
    for n in range(layers):
        above = (f"l{n - 1}a", f"l{n - 1}b") if n else ()
        text = " ".join(f"${name.upper()}" for name in above)
        for side in "ab":
            name = f"l{n}{side}"
            command = (f"./work {text}{changes.get(name, '')}",)
            steps.append(Step(name=name, command=command, depends=above, output=Output(name.upper())))
    return Dag(steps=tuple(steps))


def large_attempt(dag: Dag, failed: str = "") -> Attempt:
    states = dict.fromkeys(dag.by_name, StepState.SUCCEEDED) | ({failed: StepState.FAILED} if failed else {})
    return attempt_of(dag, {name: step_run(dag, name, state) for name, state in states.items()})


def cost(layers: int, *, failed: bool, edited: bool, lost: bool, answers: Answers | None = None) -> int:
    """Lines of code that a plan for a large graph goes through."""
    old = diamond(layers)
    last = f"l{layers - 1}b"
    new = diamond(layers, **{step.name: " --new" for step in old.steps}) if edited else old
    attempt = large_attempt(old, last if failed else "")
    evidence = {step.name: Evidence(outputs="missing") for step in old.steps} if lost else {}
    asked = 0

    def check(edit: Edit) -> list[Finding]:
        nonlocal asked
        asked += 1
        return PLUGINS.check_edit(edit)

    def work() -> None:
        edit = compare(attempt, {1: Basis(old)}, Basis(new), PLUGINS.classify, evidence)
        plan = plan_retry(edit, request("x", answers), check)
        assert len(plan.decisions) == 2 * layers
        assert lost or edited or sum(each.action is Action.RUN for each in plan.decisions) == failed

    found = calls_of(work)
    assert asked <= 2
    return found


@pytest.mark.parametrize(
    ("failed", "edited", "lost", "answers"),
    [
        (True, False, False, None),
        (False, True, False, None),
        (False, True, False, rerun()),
        (False, True, False, keep()),
        (True, False, True, None),
        (True, True, True, rerun()),
    ],
)
def test_planning_a_diamond_of_forty_layers_is_linear(
    failed: bool, edited: bool, lost: bool, answers: Answers | None
) -> None:
    small = cost(20, failed=failed, edited=edited, lost=lost, answers=answers)
    large = cost(40, failed=failed, edited=edited, lost=lost, answers=answers)
    assert large < 2.2 * small
    assert large < 80 * 3000
