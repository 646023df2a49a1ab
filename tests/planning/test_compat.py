"""What differs between two specs of one run, field by field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dagfs.model.dag import Dag, Executor, Step, Variable
from dagfs.model.edit import Edit
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import Attempt, AttemptHeader
from dagfs.model.state import StepState
from dagfs.planning.compat import Basis, compare
from dagfs.spec.parse import read
from tests.planning.scenes import PLUGINS, Scene, attempt_of, spec, step_run

SPEC = """
params: [day=monday]
env:
  - DIR: /data
steps:
  - name: a
    command: ./a
  - name: b
    command: ./b
    depends: a
"""


def changes(edit: Edit) -> list[tuple[str | None, str, object, object, str, int]]:
    return [(c.step, c.field, c.old, c.new, c.kind.value, c.line) for c in edit.changes]


def compared(old: Dag, new: Dag, shell: tuple[str, ...] = ()) -> Edit:
    steps = {step.name: step_run(old, step.name, StepState.SUCCEEDED) for step in old.steps}
    attempt = replace(attempt_of(old, steps), header=AttemptHeader(shell=shell))
    return compare(attempt, {1: Basis(old)}, Basis(new), PLUGINS.classify)


def test_the_same_spec_differs_in_nothing() -> None:
    edit = Scene(SPEC).edit()
    assert (edit.changes, edit.added, edit.removed, edit.renamed) == ((), (), (), {})
    assert not any(edit.params.values())
    assert not any(edit.env.values())


def test_each_change_has_its_class_and_its_place() -> None:
    new = """
    params: [day=monday]
    env:
      - DIR: /elsewhere
    timeout_sec: 60
    handler_on:
      exit: {command: ./bye}
    steps:
      - name: a
        command: ./a2
        env: [X: "1"]
        executor: {type: docker, config: {image: alpine}}
      - name: b
        command: ./b
        description: words
        depends: a
    """
    assert changes(Scene(SPEC).edit(new)) == [
        (None, "env.DIR", "/data", "/elsewhere", "semantic", 3),
        (None, "handler_on.exit", None, {"name": "onExit", "command": ["./bye"]}, "handler", 5),
        (None, "timeout_sec", None, 60, "operational", 4),
        ("a", "command", ["./a"], ["./a2"], "semantic", 9),
        ("a", "env.X", None, "1", "semantic", 10),
        ("a", "executor.type", None, "docker", "operational", 11),
        ("a", "executor.config.image", None, "alpine", "semantic", 11),
        ("b", "description", None, "words", "cosmetic", 14),
    ]


def test_what_went_is_a_change_at_the_nearest_thing_that_is_there() -> None:
    new = SPEC.replace("env:\n  - DIR: /data\n", "")
    assert changes(Scene(SPEC).edit(new)) == [(None, "env.DIR", "/data", None, "semantic", 1)]
    other = SPEC.replace("DIR: /data", "OTHER: x")
    assert changes(Scene(SPEC).edit(other))[0] == (None, "env.DIR", "/data", None, "semantic", 2)


def test_true_is_not_one_and_one_half_is_not_its_text() -> None:
    def step(value: object) -> Dag:
        return Dag(steps=(Step(name="a", executor=Executor("x", {"tls": value, "deep": [{"k": value}]})),))

    assert len(compared(step(True), step(1)).changes) == 2
    assert len(compared(step("1"), step(1)).changes) == 2
    assert compared(step(1), step(1.0)).changes == ()
    assert compared(step([1, {"a": None}]), step((1, {"a": None}))).changes == ()


def test_one_step_gone_and_one_come_with_the_same_work_is_a_rename() -> None:
    old = spec(SPEC)
    edit = Scene(SPEC).edit(
        SPEC.replace("name: b", "name: c").replace("depends: a", "depends: a\n    timeout_sec: 3")
    )
    assert (edit.renamed, edit.added, edit.removed) == ({"b": "c"}, (), ())
    other = compared(old, spec(SPEC.replace("name: b\n    command: ./b", "name: c\n    command: ./c")))
    assert (other.renamed, other.added, other.removed) == ({}, ("c",), ("b",))


def test_two_renamed_at_once_are_removed_and_added() -> None:
    renamed = (
        SPEC.replace("name: a", "name: x").replace("depends: a", "depends: x").replace("name: b", "name: y")
    )
    edit = compared(spec(SPEC), spec(renamed))
    assert (edit.renamed, edit.added, edit.removed) == ({}, ("x", "y"), ("a", "b"))


def test_parameters_and_variables_are_compared_for_each_step_with_when_it_ran() -> None:
    first, second = spec(SPEC), spec(SPEC.replace("/data", "/second"))
    third = spec(SPEC.replace("/data", "/third"))
    steps = {
        "a": step_run(second, "a", StepState.SUCCEEDED, 1),
        "b": step_run(second, "b", StepState.FAILED, 2),
    }
    bases = {1: Basis(first, {"day": "1"}), 2: Basis(second, {"day": "2", "extra": "x"})}
    edit = compare(attempt_of(second, steps, 2), bases, Basis(third, {"day": "3"}), PLUGINS.classify)
    assert edit.params == {"a": {"day": ("1", "3")}, "b": {"day": ("2", "3"), "extra": ("x", None)}}
    assert edit.env == {"a": {"DIR": ("/data", "/third")}, "b": {"DIR": ("/second", "/third")}}


def env(*entries: tuple[str, str]) -> Dag:
    return Dag(steps=(Step(name="a"),), env=tuple(Variable(*entry) for entry in entries))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ([("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")], set()),
        ([("A", "1"), ("B", "$A")], [("B", "$A"), ("A", "1")], {"B"}),
        ([("A", "1"), ("A", "$A:2")], [("A", "0"), ("A", "$A:2")], {"A"}),
        ([("A", "1")], [("A", "1"), ("A", "$A")], {"A"}),
        ([("A", "1")], [], {"A"}),
    ],
)
def test_the_order_of_variables_counts_where_one_uses_another(
    old: list[tuple[str, str]], new: list[tuple[str, str]], names: set[str]
) -> None:
    assert set(compared(env(*old), env(*new)).env["a"]) == names


def test_a_variable_given_twice_is_compared_entry_by_entry() -> None:
    old, new = env(("A", "1"), ("A", "$A:2")), env(("A", "0"), ("A", "$A:2"))
    assert [(c.field, c.old, c.new) for c in compared(old, new).changes] == [("env.A", "1", "0")]
    assert [c.field for c in compared(old, env(("A", "1"))).changes] == ["env.A#2"]


def test_the_shell_decides_what_a_text_may_read() -> None:
    dag = Dag(steps=(Step(name="a", command=("echo a",)),))
    assert compared(dag, dag).opaque == frozenset()
    assert compared(dag, dag, ("/bin/bash",)).opaque == frozenset()
    assert compared(dag, dag, ("python3",)).opaque == {"a"}
    assert compared(dag, replace(dag, shell=("sh",)), ("python3",)).opaque == frozenset()


def test_a_new_step_is_compared_with_nothing() -> None:
    edit = Scene(SPEC).edit(SPEC + "  - name: c\n    command: ./c\n")
    assert edit.added == ("c",)
    assert edit.changes == ()
    assert "c" not in edit.params
    assert edit.state("c").state is StepState.NOT_STARTED


def test_a_change_in_a_block_of_text_is_placed_at_its_line() -> None:
    old, new = (
        read(
            f"name: d\nsteps:\n  - name: a\n    run: |\n      one\n      {word}\n      three\n".encode(),
            "d.yaml",
        )
        for word in ("two", "zwei")
    )
    attempt = Attempt(AttemptHeader())
    edit = compare(attempt, {1: Basis(old)}, Basis(new), lambda owner, path: FieldClass.SEMANTIC)
    assert [(change.field, change.line) for change in edit.changes] == [("command", 6)]
