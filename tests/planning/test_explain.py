"""Plans and edits in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dagfs.model.edit import Change
from dagfs.model.fingerprint import FieldClass
from dagfs.model.state import StepState
from dagfs.planning.explain import (
    change_line,
    decision_row,
    edit_lines,
    finding_line,
    is_cosmetic,
    verdict_line,
)
from tests.planning.scenes import Scene, allow, keep, rerun

SPEC = """
env: [X: "1"]
steps:
  - name: a
    command: ./a
  - name: b
    command: ./b
    depends: a
  - name: c
    command: ./c
"""
STATES = {"b": StepState.FAILED}


@pytest.mark.parametrize(
    ("new", "answers", "line"),
    [
        (SPEC, None, "compatible: 2 kept, 1 to run"),
        (SPEC.replace("./a", "./x"), None, "needs an answer: 2 kept, 1 to run"),
        (SPEC.replace("./a", "./x"), rerun(), "compatible: 1 kept, 2 to run"),
        (
            SPEC.replace("name: a", "name: x").replace("depends: a", "depends: x"),
            None,
            "refused: 1 kept, 2 to run",
        ),
    ],
)
def test_the_first_line_says_what_may_be_done(new: str, answers: object, line: str) -> None:
    assert verdict_line(Scene(SPEC, STATES).plan(new, answers)) == line


def test_the_first_line_tells_of_orphans_and_of_nothing_to_do() -> None:
    assert verdict_line(Scene(SPEC).plan()) == "nothing to do: 3 kept"
    assert verdict_line(Scene(SPEC, {"b": StepState.RUNNING}).plan()) == "compatible: 2 kept, 1 adopted"


def test_a_row_says_what_becomes_of_a_step_and_why() -> None:
    plan = Scene(SPEC, STATES).plan(SPEC.replace("./a", "./x"), keep())
    assert [decision_row(each) for each in plan.decisions] == [
        ("keep stale", "a", "kept although command of finished step 'a' changed"),
        ("run", "b", "failed (exit 1)"),
        ("keep", "c", "succeeded in attempt 1, unchanged"),
    ]


def test_a_finding_has_its_place_its_weight_and_its_answer() -> None:
    scene, new = Scene(SPEC, STATES), SPEC.replace("./a", "./x")
    line = "spec.next.yaml:4:5: question [stale.semantic] command of finished step 'a' changed"
    assert finding_line(scene.plan(new).findings[0], scene.plan(new)) == line
    plan = scene.plan(new, keep())
    assert finding_line(plan.findings[0], plan) == f"{line} (answered: keep)"
    added = SPEC + "  - name: d\n    command: ./d\n"
    line = "spec.next.yaml:10:5: refused [structure.add] step 'd' was added"
    plan = scene.plan(added)
    assert finding_line(plan.findings[0], plan) == line
    plan = scene.plan(added, allow("structure.add"))
    allowed = line.replace("refused", "would be refused")
    assert finding_line(plan.findings[0], plan) == f"{allowed} (allowed)"


def test_a_finding_without_a_place_names_none() -> None:
    plan = Scene(SPEC, STATES).plan(SPEC.replace('X: "1"', 'X: "2"'))
    assert finding_line(plan.findings[0], plan).startswith("spec.next.yaml:1:7: warning [stale.env] env X ")
    nowhere = replace(plan.findings[0], line=0)
    assert finding_line(nowhere, plan).startswith("warning [stale.env] env X changed")


@pytest.mark.parametrize(
    ("new", "cosmetic"),
    [
        (SPEC, True),
        (SPEC + "# words\n", True),
        (SPEC.replace("./c", "./c\n    description: words"), True),
        (SPEC.replace("./c", "./c\n    timeout_sec: 3"), False),
        (SPEC.replace('X: "1"', 'X: "2"'), False),
        (SPEC + "  - name: d\n    command: ./d\n", False),
    ],
)
def test_an_edit_is_cosmetic_where_nothing_that_runs_has_changed(new: str, cosmetic: bool) -> None:
    assert is_cosmetic(Scene(SPEC).edit(new)) is cosmetic


def test_another_value_of_a_parameter_is_not_cosmetic() -> None:
    assert not is_cosmetic(Scene(SPEC, params={"p": "1"}).edit(params={"p": "2"}))


def test_an_edit_is_listed_change_by_change() -> None:
    scene = Scene(SPEC)
    new = SPEC.replace("./c", "./c\n    timeout_sec: 3").replace("./a", "./" + "x" * 99)
    assert edit_lines(scene.edit(new + "  - name: d\n    command: ./d\n")) == [
        "step d: added",
        f"step a: command at line 4: ./a → ./{'x' * 57}… (may change the result)",
        "step c: timeout_sec at line 10: none → 3 (changes how it runs, not the result)",
    ]
    assert edit_lines(scene.edit(SPEC.replace("name: c", "name: d"))) == ["step c: renamed to d"]
    assert edit_lines(scene.edit(SPEC[: SPEC.index("  - name: c")])) == ["step c: removed"]
    env = scene.edit(SPEC.replace('X: "1"', 'X: "2"')).changes[0]
    assert change_line(env) == "dag: env.X at line 1: 1 → 2 (may change the result)"


def test_of_a_text_of_several_lines_the_first_that_differs_is_shown() -> None:
    old, new = ["set -u\nsort --wrong x\nend\n"], ["set -u\nsort --right x\nend\n"]
    change = Change("t", "command", old, new, FieldClass.SEMANTIC, 12)
    assert change_line(change).startswith("step t: command at line 12: sort --wrong x → sort --right x")
