"""Parameters that say what they may be."""

from __future__ import annotations

from typing import Any

import pytest

from dagfs.model.dag import Param
from dagfs.spec.contract import Violation, as_json, defaults, violations
from dagfs.spec.parse import Options, parse


def read(params: str, dialect: str = "dagu2") -> Any:
    return parse(f"params:\n{params}steps: [echo]\n".encode(), "a.yaml", options=Options(dialect))


def errors(params: str) -> list[str]:
    return [f"{each.line}:{each.column} {each.message}" for each in read(params).errors]


def test_a_rich_parameter_keeps_all_that_it_says() -> None:
    dag = read(
        """
  - name: count
    type: integer
    default: 08
    minimum: 1
    maximum: 10
    description: how many
  - {name: env, required: true, enum: [dev, 1.0, true]}
  - {name: tag, pattern: ^v, min_length: 2, max_length: 9}
  - {name: list, type: array, default: [a, 1]}
  - {name: day, eval: $(date +%F)}
  - plain=1
"""
    ).dag
    assert dag.params == (
        Param("count", "08", "how many", schema={"type": "integer", "minimum": 1, "maximum": 10}),
        Param("env", required=True, schema={"enum": ["dev", "1.0", "true"]}),
        Param("tag", schema={"pattern": "^v", "minLength": 2, "maxLength": 9}),
        Param("list", '["a", 1]', schema={"type": "array"}),
        Param("day", eval="$(date +%F)"),
        Param("plain", "1"),
    )
    assert dag.mark("params.env").line == 9


def test_an_inline_schema_declares_its_properties() -> None:
    text = """
  type: object
  properties:
    n: {type: integer, default: 3, description: number}
    who: {type: string}
  required: [who]
"""
    dag = read(text).dag
    assert dag.params == (
        Param("n", "3", "number", schema={"type": "integer"}),
        Param("who", required=True, schema={"type": "string"}),
    )
    assert dag.params_schema["required"] == ["who"]
    assert read("  schema:\n" + text.replace("\n", "\n  ") + "\n  values: {n: 5, more: x}\n").dag.params == (
        Param("n", "5", "number", schema={"type": "integer"}),
        Param("who", required=True, schema={"type": "string"}),
        Param("more", "x"),
    )


def test_a_schema_may_be_in_a_file() -> None:
    dag = read("  schema: s.json\n  values: {a: 1}\n", "dagu1").dag
    assert (dag.params_schema, dag.params) == ("s.json", (Param("a", "1"),))


def test_dagu_1_prints_an_inline_schema_like_any_map() -> None:
    dag = read("  schema: {type: object}\n  values: {a: 1}\n", "dagu1").dag
    assert dag.params == (Param("schema", "map[type:object]"), Param("values", "map[a:1]"))
    assert dag.params_schema == ""


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            "  - {name: a, type: int}\n",
            "a parameter has the type string, integer, number, boolean, array, object",
        ),
        ("  - {name: a, enum: x}\n", "enum must be a list of values"),
        ("  - {name: a, type: integer, minimum: low}\n", "minimum must be a number"),
        ("  - {name: a, max_length: 1.5}\n", "max_length must be a whole number"),
        ("  - {name: a, minimum: 1}\n", "minimum means nothing for the type string"),
        ("  - {name: a, type: integer, pattern: x}\n", "pattern means nothing for the type integer"),
        ("  - {name: a, default: x, eval: y}\n", "eval and default say the same"),
        ("  - {name: a, required: maybe}\n", "required must be true or false"),
        ("  schema: https://example.org/s.json\n  values: {}\n", "a schema is never fetched from elsewhere"),
        ("  schema: file:///etc/passwd\n  values: {}\n", "a schema is never fetched from elsewhere"),
    ],
)
def test_what_a_parameter_says_wrong_is_named(params: str, expected: str) -> None:
    (problem,) = errors(params)
    assert expected in problem
    assert problem[0].isdigit()


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("3", "integer", 3),
        (" 3 ", "integer", 3),
        ("3.0", "integer", 3),
        ("3.5", "integer", "3.5"),
        ("1_000", "integer", "1_000"),
        ("1e999", "number", "1e999"),
        ("nan", "number", "nan"),
        ("1e3", "number", 1000.0),
        ("TRUE", "boolean", True),
        ("yes", "boolean", "yes"),
        ("[1]", "array", [1]),
        ("{}", "array", "{}"),
        ('{"a": 1}', "object", {"a": 1}),
        ("[" * 100_000, "array", "[" * 100_000),
        ("", "null", None),
        ("3", "string", "3"),
        ("x", "odd", "x"),
    ],
)
def test_a_text_becomes_what_its_schema_wants(text: str, type_: str, value: Any) -> None:
    assert as_json(text, {"type": type_}) == value


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        ({"type": "integer"}, "abc", "'abc' is not an integer"),
        ({"type": ["number", "boolean"]}, "abc", "'abc' is not a number or boolean"),
        ({"type": "integer", "minimum": 1}, "0", "0 is less than the minimum of 1"),
        ({"type": "number", "maximum": 1}, "1.5", "1.5 is more than the maximum of 1"),
        ({"enum": ["a", "b"]}, "c", "'c' is not one of 'a', 'b'"),
        ({"minLength": 3}, "ab", "'ab' is shorter than 3 characters"),
        ({"maxLength": 1}, "ab", "'ab' is longer than 1 characters"),
        ({"pattern": "^v"}, "x", "'x' does not fit the pattern '^v'"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": {"type": "integer"}}}},
            },
            '{"a": {"b": "x"}}',
            "'x' is not an integer (at b)",
        ),
        ({"type": "strin"}, "x", "its schema is wrong: 'strin' is not valid under any of the given schemas"),
        (
            {"$ref": "http://127.0.0.1:1/x"},
            "x",
            "its schema refers to http://127.0.0.1:1/x, which is not in it",
        ),
        ({"$ref": "#"}, "x", "its schema refers to itself without end"),
        ({"pattern": "(?=x)"}, "x", "its schema has a pattern that is none: invalid perl operator: (?="),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_words(schema: dict[str, Any], text: str, message: str) -> None:
    (found,) = violations([Param("p", "d", schema=schema)], {}, {"p": text})
    assert (found.name, found.message) == ("p", message)


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("pattern", ["(", "(?=x)"])
def test_rules_that_are_none_are_named_without_a_value_too(pattern: str, required: bool) -> None:
    found = violations([Param("p", required=required, schema={"pattern": pattern})], {}, {"p": ""})
    assert [each.is_schema for each in found if not each.is_missing] == [True]
    assert not violations([Param("p", schema={"pattern": "^v"})], {}, {"p": ""})


def test_a_pattern_cannot_be_made_to_take_for_ever() -> None:
    (found,) = violations([Param("p", "d", schema={"pattern": "^(a+)+$"})], {}, {"p": "a" * 50_000 + "!"})
    assert "does not fit" in found.message


def test_what_is_required_must_be_there_and_what_is_not_may_be_empty() -> None:
    params = [Param("a", required=True), Param("b", schema={"type": "integer"})]
    assert violations(params, {}, {"a": "", "b": ""}) == [
        Violation("a", "is required and has no value", is_missing=True)
    ]
    assert violations(params, {}, {"a": "x", "b": ""}) == []


def test_all_together_must_fit_too() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "default": 2}},
        "required": ["z"],
        "additionalProperties": False,
    }
    found = violations([Param("n", "1")], schema, {"n": "1", "k": "x"})
    assert {each.message for each in found} == {
        "'z' is a required property",
        "Additional properties are not allowed ('k' was unexpected)",
    }
    assert defaults(schema) == {"n": 2}
