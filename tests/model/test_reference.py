"""References in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.model.reference import Reference, references


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A", [Reference("A", start=0, end=2)]),
        ("x${A}y", [Reference("A", start=1, end=5)]),
        ("$1${12}", [Reference("1", start=0, end=2), Reference("12", start=2, end=7)]),
        ("${a.stdout}", [Reference("a", "stdout", start=0, end=11)]),
        ("${my-step.outputs.X}", [Reference("my-step", "outputs.X", start=0, end=20)]),
        ("${A.b[2].c:1:3}", [Reference("A", "b[2].c", (1, 3), 0, 15)]),
        ("${A[0]:4}", [Reference("A", "[0]", (4, None), 0, 9)]),
        ("$ ${} ${A:-b} $(A) $$", []),
    ],
)
def test_references_are_found_with_their_parts(text: str, found: list[Reference]) -> None:
    assert list(references(text)) == found


@given(st.text(alphabet="$A{}.:[]0-_ ", max_size=30))
def test_references_lie_side_by_side_in_the_text(text: str) -> None:
    place = 0
    for reference in references(text):
        assert place <= reference.start < reference.end <= len(text)
        assert text[reference.start] == "$"
        place = reference.end


@pytest.mark.parametrize("text", ["${A}", "${A.b}", "${A[0]}", "${A[0].b}"])
def test_a_reference_is_written_as_a_person_would(text: str) -> None:
    assert next(references(text)).text == text
