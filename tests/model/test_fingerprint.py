"""Fingerprints: equal for what means the same, by class of field."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.dag import Dag, Executor, Output, Param, Step, Variable
from dagfs.model.fingerprint import FieldClass, dag_fields, digest, fingerprint, step_fields
from dagfs.rules.fields import classify_field
from tests.model.test_dag import plain, steps


def classify(owner: str, path: str) -> FieldClass:
    return classify_field(owner, path) or FieldClass.SEMANTIC


def test_fields_are_listed_one_by_one() -> None:
    step = Step(
        name="a",
        command=("x",),
        env=(Variable("A", "1"), Variable("B", "2"), Variable("A", "3")),
        executor=Executor("docker", {"image": "alpine", "volumes": ["a:b"]}),
        output=Output("X"),
    )
    assert dict(step_fields(step)) == {
        "name": "a",
        "command": ["x"],
        "env.A": "1",
        "env.B": "2",
        "env.A#2": "3",
        "executor.type": "docker",
        "executor.config.image": "alpine",
        "executor.config.volumes": ["a:b"],
        "output": {"name": "X"},
    }
    dag = Dag(
        name="d",
        params=(Param("P", "1"),),
        env=(Variable("A", "1"),),
        handler_on={"exit": Step(name="bye")},
        steps=(step,),
    )
    assert dict(dag_fields(dag)) == {
        "name": "d",
        "params.P": "1",
        "env.A": "1",
        "handler_on.exit": {"name": "bye"},
    }


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_fingerprint_survives_the_disk_and_has_a_facet_for_each_class_in_use(step: Step) -> None:
    found = fingerprint(step, classify)
    assert fingerprint(Step.from_data(step.as_data()), classify) == found
    assert found.keys() == {classify("step", path) for path, _ in step_fields(step)}


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_change_shows_in_the_facet_of_its_class_alone(step: Step) -> None:
    before = fingerprint(step, classify)
    for change, facet in (
        ({"timeout_sec": step.timeout_sec + 1}, FieldClass.OPERATIONAL),
        ({"script": step.script + "x"}, FieldClass.SEMANTIC),
        ({"description": step.description + "x"}, FieldClass.COSMETIC),
        ({"depends": (*step.depends, "x")}, FieldClass.WIRING),
    ):
        after = fingerprint(replace(step, **change), classify)
        assert {each for each in FieldClass if before.get(each) != after.get(each)} == {facet}


@given(st.dictionaries(st.text(max_size=3), plain, max_size=4))
def test_the_order_of_keys_does_not_count(data: dict[str, object]) -> None:
    assert digest(data) == digest(dict(reversed(data.items())))


def test_a_digest_is_short_and_the_same_everywhere() -> None:
    assert digest({"b": [1, "é"], "a": None}) == digest({"a": None, "b": [1, "é"]}) == "a44633ba036df252"
    assert digest([1]) != digest(["1"])


def test_settings_of_an_executor_in_another_order_are_the_same() -> None:
    one = Step(name="a", executor=Executor("x", {"a": 1, "b": 2}))
    other = Step(name="a", executor=Executor("x", {"b": 2, "a": 1}))
    assert one == other
    assert fingerprint(one, classify) == fingerprint(other, classify)
