"""Specs as values: to plain data and back, and where their fields stand."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.dag import (
    HANDLER_EVENTS,
    Condition,
    ContinueOn,
    Dag,
    Executor,
    Mark,
    Output,
    Param,
    RepeatPolicy,
    RetryPolicy,
    Step,
    Variable,
)
from dagfs.model.run import Actor, AttemptHeader, RunHeader

text = st.text(max_size=6)
texts = st.lists(text, max_size=3).map(tuple)
codes = st.lists(st.integers(0, 255), max_size=3).map(tuple)
seconds = st.integers(0, 100) | st.floats(0, 100)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
conditions = st.builds(Condition, text, st.none() | text, st.booleans())
variables = st.lists(st.builds(Variable, text, text), max_size=2).map(tuple)
steps = st.builds(
    Step,
    name=text,
    id=text,
    description=text,
    command=texts,
    script=text,
    shell=texts,
    working_dir=text,
    env=variables,
    depends=texts,
    output=st.builds(Output, text, text, st.booleans()),
    stdout=text,
    stderr=text,
    continue_on=st.builds(ContinueOn, st.booleans(), st.booleans(), codes, texts, st.booleans()),
    retry_policy=st.builds(RetryPolicy, st.integers(0, 9), seconds, codes, seconds, seconds),
    repeat_policy=st.builds(RepeatPolicy, text, seconds, st.integers(0, 9), text, st.none() | text, codes),
    preconditions=st.lists(conditions, max_size=2).map(tuple),
    timeout_sec=seconds,
    signal_on_stop=text,
    executor=st.builds(Executor, text, st.dictionaries(text, plain, max_size=3)),
)
dags = st.builds(
    Dag,
    name=text,
    description=text,
    tags=texts,
    type=text,
    dialect=text,
    params=st.lists(st.builds(Param, text, text), max_size=2).map(tuple),
    env=variables,
    dotenv=texts,
    shell=texts,
    working_dir=text,
    preconditions=st.lists(conditions, max_size=2).map(tuple),
    handler_on=st.dictionaries(st.sampled_from(HANDLER_EVENTS), steps, max_size=2),
    timeout_sec=seconds,
    delay_sec=seconds,
    max_active_steps=st.integers(0, 9),
    steps=st.lists(steps, max_size=3).map(tuple),
)
attempts = st.builds(
    AttemptHeader,
    n=st.integers(1, 9),
    spec=text,
    base=st.integers(0, 9),
    actor=st.builds(Actor, text, st.integers(-1, 9), text, text),
    shell=texts,
    params=st.dictionaries(text, text, max_size=2),
    overrides=st.lists(st.tuples(text, text), max_size=2).map(tuple),
    env_sha256=st.dictionaries(text, text, max_size=2),
    allowed=texts,
    plugins=st.dictionaries(text, text, max_size=2),
)
runs = st.builds(RunHeader, id=text, dag=text, actor=st.builds(Actor, text, st.integers(-1, 9)), root=text)


@settings(max_examples=60, deadline=None)
@given(st.one_of(dags, steps, attempts, runs))
def test_values_come_back_from_json(value: Dag | Step | AttemptHeader | RunHeader) -> None:
    data = value.as_data()
    again = type(value).from_data(json.loads(json.dumps(data)))
    assert again == value
    assert again.as_data() == data


@settings(max_examples=40, deadline=None)
@given(steps)
def test_what_is_at_its_default_is_left_out(step: Step) -> None:
    default = Step()
    assert step.as_data().keys() == {
        field.name
        for field in fields(Step)
        if field.compare and getattr(step, field.name) != getattr(default, field.name)
    }


def test_keys_of_a_newer_version_are_left_alone() -> None:
    assert Step.from_data({"name": "a", "colour": "red", "output": {"name": "X", "unit": "m"}}) == Step(
        name="a", output=Output("X")
    )


def test_marks_are_no_part_of_a_value() -> None:
    step = Step(name="a", marks={"": Mark(3)})
    assert step == Step(name="a")
    assert "marks" not in step.as_data()
    assert "marks" not in repr(step)


@pytest.mark.parametrize("kind", [Step, Dag])
def test_a_mark_is_that_of_the_nearest_thing_around(kind: type[Step] | type[Dag]) -> None:
    thing = kind(marks={"": Mark(1), "env": Mark(2, 3), "env.X": Mark(4, 5), "executor.config": Mark(6, 7)})
    assert thing.mark() == Mark(1)
    assert thing.mark("env.X") == Mark(4, 5)
    assert thing.mark("env.Y") == Mark(2, 3)
    assert thing.mark("executor.config.image.tag") == Mark(6, 7)
    assert thing.mark("executor.type") == Mark(1)
    assert kind().mark("env") == Mark(0, 0)


def test_a_dag_finds_its_steps_by_name_and_by_id() -> None:
    dag = Dag(steps=(Step(name="a", id="one"), Step(name="b", depends=("a",)), Step(name="one_more", id="b")))
    assert dag.by_name["b"].depends == ("a",)
    assert dag.depends == {"a": (), "b": ("a",), "one_more": ()}
    assert dag.names == {"one": "a", "a": "a", "b": "b", "one_more": "one_more"}
    assert list(replace(dag, steps=()).by_name) == []
