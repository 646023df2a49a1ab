"""Items of a fanned-out step."""

from __future__ import annotations

import pytest

from dagfs.model.dag import Parallel
from dagfs.planning.items import items_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ('["a", 1, {"b": 2}]', ["a", 1, {"b": 2}]),
        ('{"a": 1}', [{"a": 1}]),
        ("one\n two words \n\nthree", ["one", "two words", "three"]),
        ("1,foo\n2,bar", ["1,foo", "2,bar"]),
        ('{"a": 1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ("a, b c ,,d", ["a", "b c", "d"]),
        ("a;b|c", ["a", "b|c"]),
        ("a|b", ["a", "b"]),
        ("a\tb c", ["a", "b c"]),
        ('a "b c" d', ["a", "b c", "d"]),
        ("a a b", ["a", "b"]),
        ("[not json", ["[not", "json"]),
    ],
)
def test_a_text_comes_to_items(text: str, expected: list[object]) -> None:
    assert items_of(Parallel(source="$X"), lambda _: text) == expected


def test_equal_places_of_a_foreach_stay_apart() -> None:
    assert items_of(Parallel(source="$X", is_foreach=True), lambda _: "a a") == ["a", "a"]


def test_there_is_an_end_to_items() -> None:
    with pytest.raises(ValueError, match="10000 is the most"):
        items_of(Parallel(source="$X"), lambda _: " ".join(map(str, range(10_001))))
