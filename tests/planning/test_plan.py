"""A plan as data, and the answers it was made with."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.model.edit import Severity
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.selection import Selection
from tests.planning.scenes import Scene, allow, keep, rerun

SPEC = """
steps:
  - name: a
    command: ./a
  - name: b
    command: ./b
    depends: a
"""
CHANGED = SPEC.replace("./a", "./other")

said = st.builds(
    Answers,
    on_stale=st.lists(
        st.tuples(st.sampled_from(("*", "a", "b")), st.sampled_from(("rerun", "keep", "error")))
    ).map(tuple),
    allow=st.lists(st.text()).map(tuple),
    reason=st.text(),
    kill_orphans=st.booleans(),
    selection=st.builds(Selection, st.sampled_from(("", "a", "b++")), st.sampled_from(("", "b"))),
    params=st.lists(st.tuples(st.sampled_from(("p", "q")), st.text(max_size=3)), max_size=2).map(tuple),
    sets=st.lists(st.just("a.timeout_sec=3"), max_size=1).map(tuple),
    tags=st.lists(st.sampled_from(("x", "y")), max_size=2).map(tuple),
    acknowledged=st.lists(st.sampled_from(("a", "b")), max_size=2).map(tuple),
    wrapper=st.sampled_from(("", "time -v")),
    wrapped=st.sampled_from(("", "a")),
    profile=st.sampled_from(("", "local")),
)


@given(said)
def test_answers_come_back_from_json(answers: Answers) -> None:
    assert Answers.from_data(json.loads(json.dumps(answers.as_data()))) == answers


@pytest.mark.parametrize("data", [{}, {"on_stale": 1, "allow": [], "reason": "", "kill_orphans": 0}])
def test_what_are_no_answers_is_refused(data: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Answers.from_data(data)


@given(said, st.sampled_from(("a", "b", "c")))
def test_the_last_answer_that_fits_counts(answers: Answers, step: str) -> None:
    fitting = [answer for name, answer in answers.on_stale if name in ("*", step)]
    assert answers.stale_answer(step) == (fitting or ["error"])[-1]


@given(said, said)
def test_deciding_data_is_equal_exactly_where_the_answers_say_the_same(one: Answers, other: Answers) -> None:
    def told(answers: Answers) -> object:
        stale = {name: answers.stale_answer(name) for name in ("*", "a", "b", "any other")}
        changes = (dict(answers.params), answers.sets, answers.tags)
        wrap = (answers.wrapper, answers.wrapped)
        return stale, set(answers.allow), answers.kill_orphans, changes, set(answers.acknowledged), wrap

    assert (one.deciding_data() == other.deciding_data()) == (told(one) == told(other))


def test_a_plan_says_as_data_all_that_it_says_in_words() -> None:
    plan = Scene(SPEC, {"b": StepState.FAILED}).plan(CHANGED, keep())
    data = json.loads(json.dumps(plan.as_data()))
    assert data["plan"] == plan.id
    assert data["verdict"] == "compatible"
    assert (data["base"], data["attempt"], data["spec"]) == (1, 2, "spec.next.yaml")
    assert data["steps"] == [
        {
            "step": "a",
            "action": "keep_stale",
            "reason": "kept although command of finished step 'a' changed",
            "attempt": 1,
        },
        {"step": "b", "action": "run", "reason": "failed (exit 1)", "attempt": 0},
    ]
    (finding,) = data["findings"]
    assert (finding["rule"], finding["severity"], finding["blocks"]) == ("stale.semantic", "ask", False)
    assert (finding["line"], finding["column"]) == (3, 5)
    (change,) = data["changes"]
    assert (change["field"], change["old"], change["new"]) == ("command", ["./a"], ["./other"])
    assert Answers.from_data(data["answers"]) == plan.answers


def test_a_finding_blocks_until_it_is_answered_or_lifted() -> None:
    scene, added = Scene(SPEC), SPEC + "  - name: c\n    command: ./c\n    depends: b\n"
    for plan, blocks in (
        (scene.plan(CHANGED), True),
        (scene.plan(CHANGED, rerun("a")), False),
        (scene.plan(CHANGED, rerun("b")), True),
        (scene.plan(added), True),
        (scene.plan(added, allow("structure.add")), False),
        (scene.plan(added, allow("structure.remove")), True),
    ):
        for finding in plan.findings:
            assert plan.blocks(finding) is blocks
            assert (finding in plan.questions or finding in plan.rejections) is blocks
            assert plan.is_open(finding) is (blocks and finding.severity is Severity.ASK)
        assert plan.as_data()["verdict"] != "compatible" or not blocks


@given(said)
def test_options_say_all_that_the_answers_do(answers: Answers) -> None:
    said_again = dict(answers.options())
    for name, value in {
        "--with": answers.wrapper,
        "--profile": answers.profile,
        "--to": answers.selection.to,
    }.items():
        assert said_again.get(name, "") == value
    names = [name for name, _ in answers.options()]
    counts = {
        "--param": answers.params,
        "--set": answers.sets,
        "--tag": answers.tags,
        "--ack": answers.acknowledged,
    }
    for name, values in counts.items():
        assert names.count(name) == len(values)


def test_a_child_hears_only_what_is_about_it() -> None:
    answers = Answers(
        on_stale=(("*", "rerun"), ("c1/x", "keep"), ("c2/y", "keep")),
        selection=Selection("a"),
        params=(("p", "1"),),
        sets=("a.timeout_sec=3",),
        acknowledged=("a", "c1/x"),
        profile="local",
    )
    child = answers.of_child("c1")
    assert child.on_stale == (("*", "rerun"), ("x", "keep"))
    assert child.acknowledged == ("x",)
    assert not child.selection
    assert (child.params, child.sets, child.profile) == ((), (), "local")
