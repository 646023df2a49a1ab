"""Selections: what an expression means, what a retry with one does, and what it refuses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.edit import Evidence, Severity
from dagfs.model.graph import children, closure
from dagfs.model.state import RunState, StepState
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Plan, Verdict
from dagfs.planning.selection import BadSelection, Selection, scope_of, selected
from tests.planning.scenes import Scene, actions, only, reason, rules_of, spec

# extract -> transform -> load -> report;  extract -> audit
SPEC = """
steps:
  - name: extract
    id: ex
    command: ./extract
  - name: transform
    command: ./transform
    depends: extract
  - name: load
    command: ./load
    depends: transform
  - name: report
    command: ./report
    depends: load
  - name: audit
    command: ./audit
    depends: extract
  - name: "odd, name+"
    command: ./odd
"""
DAG = spec(SPEC)
NONE: dict[str, StepState] = {}
ALL = set(DAG.by_name)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("load", {"load"}),
        ("ex", {"extract"}),
        ("load,audit", {"load", "audit"}),
        (" load , audit , ", {"load", "audit"}),
        ("l*", {"load"}),
        ("*a?", {"load"}),
        ("[lr]*", {"load", "report"}),
        ("*", ALL),
        ("extract+", {"extract", "transform", "audit"}),
        ("+load", {"transform", "load"}),
        ("extract++", ALL - {"odd, name+"}),
        ("++load", {"extract", "transform", "load"}),
        ("+load+", {"transform", "load", "report"}),
        ("++load+", {"extract", "transform", "load", "report"}),
        ("*,-audit", ALL - {"audit"}),
        ("-audit", ALL - {"audit"}),
        ("!audit", ALL - {"audit"}),
        ("extract++,-load++", {"extract", "transform", "audit"}),
        ("-load,load", ALL),
        ("'odd, name+'", {"odd, name+"}),
        ('"odd, name+"++,load', {"odd, name+", "load"}),
        ("executor:shell", ALL),
        ("t*+", {"transform", "load"}),
    ],
)
def test_an_expression_means_these_steps(expression: str, names: set[str]) -> None:
    assert selected(expression, DAG, NONE) == names


def test_states_select() -> None:
    states = {"extract": StepState.SUCCEEDED, "transform": StepState.FAILED, "audit": StepState.SKIPPED}
    assert selected("state:failed", DAG, states) == {"transform"}
    assert selected("state:aborted", DAG, states) == set()
    assert selected("state:unfinished", DAG, states) == ALL - {"extract", "audit"}
    assert selected("state:failed++", DAG, states) == {"transform", "load", "report"}


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("lode", "there is no step 'lode'", "did you mean 'load'?"),
        ("zzzzzz", "there is no step 'zzzzzz'", "there are extract, transform"),
        ("lode*", "no step fits 'lode*'", "did you mean 'load'?"),
        ("load,,transfrom", "there is no step 'transfrom'", "did you mean 'transform'?"),
        ("state:faild", "there is no state 'faild'", "did you mean 'failed'?"),
        ("tag:nightly", "cannot be selected by 'tag'", "steps have no tags"),
        ("stat:failed", "cannot be selected by 'stat'", "did you mean 'state'?"),
        ("executor:dokcer", "no step runs by executor", "shell"),
        ("'load", "a quote that is not closed", ""),
        (" , ", "the selection is empty", "there are extract"),
        ("++", "there is no step ''", ""),
        ("load+++", "there is no step 'load+'", "did you mean 'load'?"),
        ("-", "there is no step ''", ""),
    ],
)
def test_what_means_nothing_is_named_with_the_nearest_that_does(
    expression: str, message: str, hint: str
) -> None:
    with pytest.raises(BadSelection) as caught:
        selected(expression, DAG, NONE)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_selection_or_refused(text: str) -> None:
    try:
        assert selected(text, DAG, NONE) <= ALL
    except BadSelection:
        pass


@given(st.builds(Selection, st.text(), st.text(), st.booleans(), st.booleans()))
def test_selections_come_back_from_json(selection: Selection) -> None:
    assert Selection.from_data(json.loads(json.dumps(selection.as_data()))) == selection


@pytest.mark.parametrize("data", [{"step": "a"}, [], 1, "x"])
def test_what_is_no_selection_is_refused(data: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Selection.from_data(data)  # type: ignore[arg-type]


# -- plans with a selection ------------------------------------------------------------------------

FAILED = {
    "transform": StepState.FAILED,
    "load": StepState.UPSTREAM_FAILED,
    "report": StepState.UPSTREAM_FAILED,
}


def plan(states: dict[str, StepState] | None = None, **selection: object) -> Plan:
    return Scene(SPEC, states or {}).plan(None, Answers(selection=Selection(**selection)))  # type: ignore[arg-type]


def test_selected_steps_of_a_run_that_succeeded_run_again_with_all_behind_them() -> None:
    found = plan(steps="transform")
    assert found.verdict is Verdict.COMPATIBLE
    assert actions(found) == dict.fromkeys(ALL, "keep") | dict.fromkeys(
        ("transform", "load", "report"), "run"
    )
    assert reason(found, "transform") == "selected"
    assert reason(found, "load") == "upstream transform runs"


def test_only_leaves_the_finished_steps_behind_as_stale() -> None:
    found = plan(steps="transform", only=True)
    assert actions(found)["transform"] == "run"
    assert actions(found)["load"] == actions(found)["report"] == "keep_stale"
    assert actions(found)["extract"] == actions(found)["audit"] == "keep"
    assert reason(found, "load") == "not selected, though upstream transform runs"
    assert reason(found, "report") == "not selected, though upstream load is kept as stale"


def test_a_selection_leaves_other_unfinished_steps_alone() -> None:
    found = plan({**FAILED, "audit": StepState.FAILED}, steps="transform")
    assert actions(found)["audit"] == "leave"
    assert reason(found, "audit") == "not selected; failed (exit 1)"
    assert reason(found, "transform") == "selected; failed (exit 1)"
    assert actions(found)["report"] == "run"


def test_to_is_a_bound_on_what_runs() -> None:
    found = plan(FAILED, to="load")
    assert actions(found)["transform"] == actions(found)["load"] == "run"
    assert actions(found)["report"] == "leave"
    again = plan(steps="extract", to="transform")
    assert actions(again)["extract"] == actions(again)["transform"] == "run"
    assert actions(again)["load"] == actions(again)["audit"] == "keep_stale"


def test_a_step_is_not_run_before_what_it_waits_for() -> None:
    found = plan(FAILED, steps="load")
    assert found.verdict is Verdict.REFUSED
    finding = only(found)
    assert (finding.rule, finding.severity) == ("selection.upstream", Severity.REJECT)
    assert finding.message == "step 'load' was selected, but 'transform' before it has not finished (failed)"
    assert "++load" in finding.hint
    assert plan(FAILED, steps="++load").verdict is Verdict.COMPATIBLE


def test_everything_runs_again_where_that_is_asked() -> None:
    found = plan(afresh=True)
    assert set(actions(found).values()) == {"run"}


def test_a_selection_of_nothing_to_run_is_nothing_to_do() -> None:
    assert plan(to="extract").verdict is Verdict.NOTHING_TO_DO
    assert plan(FAILED, to="extract").verdict is Verdict.NOTHING_TO_DO
    assert plan(steps="state:failed").verdict is Verdict.NOTHING_TO_DO


def test_a_tolerated_failure_that_is_not_selected_is_kept() -> None:
    text = SPEC.replace("    command: ./audit", "    command: ./audit\n    continue_on: failed")
    scene = Scene(text)
    tolerated = {"audit": scene._run("audit").__class__("audit", StepState.FAILED, tolerated=True, attempt=1)}
    scene = Scene(text, tolerated)
    assert scene.attempt.state is RunState.PARTIALLY_SUCCEEDED
    found = scene.plan(None, Answers(selection=Selection("report")))
    assert actions(found)["audit"] == "keep"


def test_plan_ids_cover_what_is_selected_and_not_how_it_is_said() -> None:
    ids = {plan(steps="load").id, plan(steps="load,load").id, plan(steps="l*").id}
    assert len(ids) == 1
    others = [plan().id, plan(steps="load", only=True).id, plan(steps="report").id, plan(afresh=True).id]
    assert len({*ids, *others, plan(to="load").id}) == 6


def test_an_unselected_edit_is_still_asked_about() -> None:
    answers = Answers(selection=Selection("report"))
    found = Scene(SPEC).plan(SPEC.replace("./audit", "./other"), answers)
    assert rules_of(found) == ["stale.semantic"]
    assert found.verdict is Verdict.NEEDS_ANSWER


def test_work_that_is_gone_is_made_again_even_if_only_one_step_is_selected() -> None:

    text = SPEC.replace("command: ./load", "command: ./load ${transform.outputs.ROWS}")
    found = Scene(text).plan(
        None, Answers(selection=Selection("load", only=True)), evidence={"transform": Evidence("missing")}
    )
    assert actions(found)["transform"] == "run"
    assert actions(found)["report"] == "keep_stale"


@settings(deadline=None)
@given(st.data())
def test_selected_plans_agree_with_an_obvious_model(data: st.DataObject) -> None:
    names = ["extract", "transform", "load", "report", "audit"]
    usual = [StepState.SUCCEEDED, StepState.FAILED, StepState.UPSTREAM_FAILED, StepState.SKIPPED]
    states = {name: data.draw(st.sampled_from(usual)) for name in names}
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1))
    stand_still, bounded = data.draw(st.booleans()), data.draw(st.booleans())
    end = data.draw(st.sampled_from(names))
    found = plan(states, steps=",".join(chosen), only=stand_still, to=end if bounded else "")
    bound = closure([end], DAG.depends) if bounded else ALL
    start = chosen & bound
    runs = start if stand_still else _within(start, bound)
    done = {name for name in ALL if states.get(name, StepState.SUCCEEDED) in (usual[0], usual[3])}
    by_action = {
        word: {name for name, each in actions(found).items() if each == word}
        for word in ("run", "keep", "keep_stale", "leave")
    }
    assert by_action["run"] == runs
    assert by_action["leave"] == ALL - runs - done
    behind = closure(runs, children(DAG.depends))
    kept = done - runs
    assert by_action["keep_stale"] == {
        name for name in kept & behind if states.get(name) is not StepState.SKIPPED
    }
    cut_off = any(parent in by_action["leave"] for name in runs for parent in DAG.depends[name])
    expected = Verdict.REFUSED if cut_off else Verdict.COMPATIBLE if runs else Verdict.NOTHING_TO_DO
    assert found.verdict is expected


def _within(start: set[str], bound: set[str]) -> set[str]:
    """Everything behind `start` that is reached through `bound` alone."""
    found = set(start)
    while True:
        more = {name for name in bound if set(DAG.depends[name]) & found} - found
        if not more:
            return found
        found |= more


def test_steps_of_children_are_told_apart_from_those_of_the_run() -> None:
    selection = Selection("load,each-*/fetch+,-each-1/'a, b',each-1/deep-2/x", only=True)
    assert selection.own() == ["load"]
    assert selection.of_child("each-1") == Selection("fetch+,-'a, b',deep-2/x", only=True)
    assert selection.of_child("each-1").of_child("deep-2") == Selection("x", only=True)
    assert selection.of_child("each-2") == Selection("fetch+", only=True)
    assert not selection.of_child("other")
    assert not selection.of_child("deep-2")


def test_where_only_children_are_named_no_step_of_the_run_is_selected() -> None:
    dag = spec("steps: [{name: a, run: x}]\n")
    assert scope_of(Selection("each-1/fetch"), dag, {}).steps == frozenset()
    assert scope_of(Selection("a,each-1/fetch"), dag, {}).steps == {"a"}
    with pytest.raises(BadSelection):
        scope_of(Selection(" , "), dag, {})
