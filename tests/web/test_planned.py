"""A plan as a page shows it."""

from __future__ import annotations

from typing import Any

from dagfs.errors import Problem, SpecError
from dagfs.web.views.planned import planned, relevant, text_notes
from dagfs.web.views.wish import Wish

TEXT = b"name: d\nsteps:\n  - name: a\n"


def step(name: str, action: str = "run", reason: str = "failed", **more: Any) -> dict[str, Any]:
    return {"step": name, "action": action, "reason": reason, "attempt": 1, **more}


def finding(rule: str = "stale.semantic", severity: str = "ask", **more: Any) -> dict[str, Any]:
    said = {"step": "a", "field": "", "line": 3, "column": 5, "message": "it changed", "hint": "answer"}
    return {"rule": rule, "severity": severity, "allowable": False, "blocks": True, **said, **more}


def plan(**more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"findings": [], "changes": [], "added": [], "removed": [], "renamed": {}}
    answers = {"on_stale": [], "allow": [], "reason": "", "kill_orphans": False}
    said = {"plan": "0123456789abcdef", "verdict": "compatible", "attempt": 2, "children": [], "afresh": []}
    return {**empty, "answers": answers, "steps": [step("a", "keep"), step("b")], **said, **more}


def test_the_first_line_and_what_becomes_of_each_step() -> None:
    found = planned(plan(), Wish())
    assert found.line == "compatible: 1 kept, 1 to run"
    assert [(row.step, row.action, row.word) for row in found.rows] == [
        ("a", "keep", "keep"),
        ("b", "run", "run"),
    ]
    assert found.can_start
    assert not found.needs_reason


def test_a_finding_has_its_line_and_the_text_of_it() -> None:
    (note,) = planned(plan(findings=[finding()], verdict="needs_answer"), Wish(), TEXT).notes
    assert (note.severity, note.line, note.source, note.rule) == (
        "question",
        3,
        "  - name: a",
        "stale.semantic",
    )


def test_a_question_stays_when_it_was_answered_and_its_step_runs() -> None:
    data = plan(steps=[step("a", "run", "stale: it changed")])
    data["answers"]["on_stale"] = [["a", "rerun"]]
    (question,) = planned(data, Wish(stale={"a": "rerun"})).questions
    assert (question.step, question.answer, question.effective) == ("a", "rerun", "rerun")
    assert question.message == "it changed"


def test_keeping_stale_work_needs_a_reason() -> None:
    data = plan(findings=[finding(blocks=False)])
    data["answers"]["on_stale"] = [["*", "keep"]]
    found = planned(data, Wish(stale={"*": "keep"}))
    assert found.needs_reason
    assert found.notes[0].answer == "answered: keep"


def test_a_rule_can_be_lifted_where_it_is_allowable() -> None:
    rules = [finding("structure.add", "reject", allowable=True), finding("structure.rename", "reject")]
    found = planned(plan(findings=rules, verdict="refused"), Wish())
    assert [(each.value, each.is_on) for each in found.rules] == [("structure.add", False)]
    lifted = plan(findings=[finding("structure.add", "reject", allowable=True, blocks=False)])
    assert planned(lifted, Wish(allow=("structure.add",))).needs_reason


def test_an_acknowledged_step_can_be_taken_back_as_long_as_it_runs() -> None:
    asked = plan(findings=[finding("effects.ack", "reject", step="b")], verdict="refused")
    assert [each.is_on for each in planned(asked, Wish()).effects] == [False]
    assert [each.is_on for each in planned(plan(), Wish(acknowledged=("b",))).effects] == [True]
    assert planned(plan(), Wish(acknowledged=("a",))).effects == ()


def test_answers_to_what_nobody_asks_are_dropped() -> None:
    wish = Wish(stale={"a": "keep", "*": "rerun"}, allow=("structure.add",), acknowledged=("a", "b"))
    kept = relevant(wish, planned(plan(), wish))
    assert kept == Wish(acknowledged=("b",))
    asked = planned(plan(findings=[finding()]), wish)
    assert relevant(wish, asked).stale == {"a": "keep", "*": "rerun"}


def test_children_stand_below_their_step() -> None:
    child = {"step": "b", "child": "b-1", "verdict": "compatible", "steps": [step("in")], "children": []}
    rows = planned(plan(children=[child], afresh=["b"]), Wish()).rows
    assert [(row.step, row.depth) for row in rows] == [("a", 0), ("b", 0), ("b-1", 1), ("in", 2)]
    assert rows[1].reason.endswith("; its children start over")
    assert rows[2].reason == "goes on: compatible: 1 to run"


def test_what_changed_is_said_in_words() -> None:
    change = {"step": "a", "field": "command", "old": "x", "new": "y", "kind": "semantic", "line": 4}
    found = planned(plan(changes=[change], renamed={"o": "n"}, added=["c"], removed=["d"]), Wish()).meaning
    assert found == (
        "step o: renamed to n",
        "step c: added",
        "step d: removed",
        "step a: command at line 4: x → y (may change the result)",
    )


def test_another_place_is_named() -> None:
    elsewhere = planned(plan(steps=[step("a", executor="shell", before="docker")]), Wish())
    assert elsewhere.rows[0].where == "in shell instead of docker"


def test_what_is_wrong_with_a_text_has_its_place() -> None:
    error = SpecError([Problem("f", 3, 5, "unknown key", "did you mean 'x'?"), Problem("f", 99, 1, "more")])
    first, second = text_notes(error, TEXT)
    assert (first.severity, first.line, first.source, first.hint) == (
        "error",
        3,
        "  - name: a",
        "did you mean 'x'?",
    )
    assert second.source == ""
