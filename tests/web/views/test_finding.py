"""Searching a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.pattern import BadPattern
from dagfs.web.views.finding import CONTEXT, LONGEST_LINE, MOST_OF_FILE, Hit, Needle, hits


def said(hit: Hit) -> list[tuple[int, str]]:
    return [(line.number, "".join(each.text for each in line.pieces)) for line in hit.lines]


def marked(found: list[Hit]) -> list[str]:
    return [piece.text for hit in found for line in hit.lines for piece in line.pieces if piece.is_hit]


def test_a_text_is_found_in_any_case_with_lines_around_it() -> None:
    [hit] = hits(Needle("error"), b"a\nb\nc\nAn ERROR\nd\ne\nf")
    assert said(hit) == [(2, "b"), (3, "c"), (4, "An ERROR"), (5, "d"), (6, "e")]
    assert marked([hit]) == ["ERROR"]


def test_places_near_each_other_are_shown_together_and_once() -> None:
    text = "\n".join(["x"] + ["."] * CONTEXT + ["x"] + ["."] * 20 + ["x"]).encode()
    found = hits(Needle("x"), text)
    assert [len(marked([each])) for each in found] == [2, 1]
    numbers = [number for each in found for number, _ in said(each)]
    assert numbers == sorted(set(numbers))


def test_a_file_shows_its_first_places_only() -> None:
    assert len(hits(Needle("x"), b"\n".join([b"x"] * 1000))) == MOST_OF_FILE


def test_a_long_line_is_cut_around_the_place() -> None:
    [hit] = hits(Needle("needle"), b"a" * 5000 + b"needle" + b"b" * 5000)
    assert marked([hit]) == ["needle"]
    assert len(said(hit)[0][1]) <= LONGEST_LINE + 2


def test_a_pattern_is_one_of_re2() -> None:
    assert marked(hits(Needle(r"d\w+y", is_pattern=True), b"a day, a dry day")) == ["day", "dry", "day"]
    assert hits(Needle("x*", is_pattern=True), b"abc") == []
    with pytest.raises(BadPattern):
        Needle("(a", is_pattern=True)
    with pytest.raises(BadPattern):
        Needle("(?=a)", is_pattern=True)


def test_what_would_keep_another_engine_busy_for_years_is_nothing() -> None:
    assert hits(Needle("(a+)+$", is_pattern=True), b"a" * 50_000 + b"!") == []


@settings(max_examples=80)
@given(st.binary(max_size=200), st.text(min_size=1, max_size=5))
def test_any_bytes_can_be_searched_for_any_text(data: bytes, text: str) -> None:
    for piece in marked(hits(Needle(text), data)):
        assert piece.lower() == text.lower()


@settings(max_examples=40)
@given(st.text(alphabet="ab\n", max_size=60), st.text(alphabet="ab", min_size=1, max_size=3))
def test_what_is_there_is_found(text: str, needle: str) -> None:
    assert bool(hits(Needle(needle), text.encode())) is (needle in text)
