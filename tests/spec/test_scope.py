"""What references find: given values, namespaces, and what stays unresolved."""

from __future__ import annotations

import pytest

from dagfs.spec.scope import Scope, StepRef, unresolved
from dagfs.spec.values import expand, rewrite_shell

ITEM = '{"region": "eu", "tags": ["a", "b"], "deep": {"x": {"y": 1}}}'
GIVEN = Scope(
    {"ITEM": "hidden", "X": "x"},
    {"up": StepRef(outputs={"rows": "own"})},
    given={
        "ITEM": ITEM,
        "foreach.item": ITEM,
        "foreach.index": "3",
        "steps.up.outputs.rows": '{"n": 5}',
        "list": '["p", "q"]',
        "plain": "text",
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${ITEM}", ITEM),
        ("$ITEM", ITEM),
        ("${ITEM.region}/${ITEM.tags[1]}", "eu/b"),
        ("${foreach.item}", ITEM),
        ("${foreach.item.deep.x.y}", "1"),
        ("${foreach.item.nothing}", "<nil>"),
        ("${foreach.index}", "3"),
        ("${foreach.what}", "${foreach.what}"),
        ("${steps.up.outputs.rows}", '{"n": 5}'),
        ("${steps.up.outputs.rows.n}", "5"),
        ("${list[1]} ${list.0}", "q <nil>"),
        ("${plain.x} ${plain[0]}", "${plain.x} ${plain[0]}"),
        ("${ITEM:0:2}", '{"'),
        ("${X}", "x"),
    ],
)
def test_given_values_go_before_all_others(text: str, expected: str) -> None:
    assert expand(text, GIVEN) == expected


SPACES = Scope(
    {"x": "env", "params": "shell", "j": "no"},
    {"run": StepRef(stdout="/log")},
    namespaces={
        "params": {"x": "param", "j": '{"a": {"b": 2}}', "": '{"x": "param"}'},
        "env": {"x": "env"},
        "consts": {"region": "eu"},
        "context": {"dag.name": "etl", "run.id": "r1"},
        "run": {"id": "r1"},
    },
    literal_quotes=True,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${params.x} ${env.x} ${x} $x", "param env env env"),
        ("${params.j.a.b}", "2"),
        ("${params}", '{"x": "param"}'),
        ("$params", "shell"),
        ("${consts.region} ${context.dag.name} ${context.run.id} ${run.id}", "eu etl r1 r1"),
        ("${run.stdout}", "/log"),
        ("${params.nope} ${consts.nope}", "${params.nope} ${consts.nope}"),
        ("\\${params.x}", "${params.x}"),
    ],
)
def test_namespaces_hold_what_their_word_says(text: str, expected: str) -> None:
    assert expand(text, SPACES) == expected


def test_dagu_2_leaves_plain_names_in_single_quotes_to_the_shell() -> None:
    text, extra = rewrite_shell("awk '{print $1} ${x} ${params.x}' $x", SPACES, ())
    assert text == "awk '{print $1} ${x} '\"${DAGFS_V1}\" ${DAGFS_V2}"
    assert extra == {"DAGFS_V1": "param", "DAGFS_V2": "env"}


def test_what_nothing_is_called_is_told() -> None:
    text = "${params.x} ${params.nope} \\${consts.nope} ${other.thing} ${steps.a.outputs.x} $env.x ${env.no}"
    assert list(unresolved(text, SPACES)) == ["${params.nope}", "${steps.a.outputs.x}", "${env.no}"]
