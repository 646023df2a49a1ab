"""Fields made of parameters, and parameters made of what was filled in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as with_any
from hypothesis import settings
from hypothesis import strategies as st

from dagfs.model.dag import Param
from dagfs.web.views.params import (
    PREFIX,
    Field,
    asked,
    field_of,
    filled,
    given,
    more_params,
    with_errors,
)


def param(name: str = "x", value: str = "", **more: Any) -> Param:
    return Param(name, value, **more)


@pytest.mark.parametrize(
    ("schema", "value", "kind"),
    [
        ({}, "text", "text"),
        ({}, "two\nlines", "lines"),
        ({"type": "integer"}, "3", "number"),
        ({"type": "number"}, "", "number"),
        ({"type": "boolean"}, "true", "check"),
        ({"type": "boolean"}, "", "choice"),
        ({"type": "string", "enum": ["a", "b"]}, "a", "choice"),
        ({"type": "integer", "enum": [1, 2]}, "1", "choice"),
        ({"type": "array"}, "[]", "lines"),
        ({"type": ["string", "null"]}, "", "text"),
    ],
)
def test_a_type_decides_the_kind_of_field(schema: dict[str, Any], value: str, kind: str) -> None:
    assert field_of(param(value=value, schema=schema)).kind == kind


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"minimum": 1, "maximum": 9}, "1 to 9"),
        ({"minimum": 1}, "at least 1"),
        ({"maxLength": 4}, "at most 4 characters"),
        ({"minLength": 1, "pattern": "^a"}, "at least 1 characters, fits ^a"),
    ],
)
def test_rules_are_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert field_of(param(schema=schema)).rules == words


@pytest.mark.parametrize("value", ["$(date)", "`date`", "${HOME}/x"])
def test_a_computed_default_leaves_its_field_empty_and_is_not_given(value: str) -> None:
    field = field_of(param(value=value))
    assert (field.value, field.default, field.is_computed) == ("", value, True)
    assert given([field]) == {}
    assert given(filled([field], {f"{PREFIX}x": "mine"})) == {"x": "mine"}


def test_only_what_differs_from_its_default_is_given() -> None:
    fields = [field_of(param("a", "1")), field_of(param("b", "2")), field_of(param("c"))]
    said = filled(fields, {f"{PREFIX}a": "1", f"{PREFIX}b": "", f"{PREFIX}c": "x\r\ny"})
    assert given(said) == {"b": "", "c": "x\ny"}


def test_an_empty_number_or_choice_is_left_to_the_default() -> None:
    fields = [
        field_of(param("n", "3", schema={"type": "integer"})),
        field_of(param("c", "a", schema={"enum": ["a", "b"]})),
    ]
    assert given(filled(fields, {})) == {}


def test_a_check_box_that_is_missing_says_false() -> None:
    field = field_of(param("dry", "true", schema={"type": "boolean"}))
    assert given(filled([field], {})) == {"dry": "false"}
    assert given(filled([field], {f"{PREFIX}dry": "true"})) == {}


def test_positional_parameters_are_given_up_to_the_last_that_differs() -> None:
    fields = [field_of(param(name, name * 2)) for name in ("1", "2", "3")]
    said = filled(fields, {f"{PREFIX}1": "11", f"{PREFIX}2": "other", f"{PREFIX}3": "33"})
    assert given(said) == {"1": "11", "2": "other"}


def test_an_address_fills_in_what_it_names() -> None:
    fields = [field_of(param("a", "1")), field_of(param("b", "2"))]
    assert [each.value for each in asked(fields, {f"{PREFIX}b": "9", "a": "no"})] == ["1", "9"]


def test_a_required_value_that_is_missing_is_said_before_anything_else() -> None:
    fields = [Field("a", "", required=True), Field("b", "x", required=True)]
    wrong = with_errors(fields, {"a": "is too short", "b": "is no number"})
    assert [each.error for each in wrong] == ["a value is needed", "is no number"]


@pytest.mark.parametrize(
    ("text", "found", "is_wrong"),
    [
        ("", {}, False),
        ("A=1\r\n\r\nB=x=y\n", {"A": "1", "B": "x=y"}, False),
        ("A=", {"A": ""}, False),
        ("A=1\nnonsense", {"A": "1"}, True),
        ("=1", {}, True),
    ],
)
def test_further_parameters_stand_one_a_line(text: str, found: dict[str, str], is_wrong: bool) -> None:
    params, wrong = more_params(text)
    assert (params, bool(wrong)) == (found, is_wrong)


@settings(max_examples=60)
@with_any(
    st.text(max_size=30), st.sampled_from(["string", "integer", "boolean", "array"]), st.text(max_size=30)
)
def test_whatever_is_filled_in_is_kept_and_given(default: str, type_: str, value: str) -> None:
    field = field_of(param("x", default, schema={"type": type_}))
    [said] = filled([field], {f"{PREFIX}x": value})
    if field.kind == "check":
        return
    value = value.replace("\r\n", "\n")
    assert said.value == value
    if value and value != default:
        assert given([said]) == {"x": value}
