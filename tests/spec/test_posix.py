"""POSIX parameter expansions in data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.spec.posix import Unset, expansion_at
from dagfs.spec.scope import Scope
from dagfs.spec.values import expand

SCOPE = Scope({"A": "value", "E": "", "F": "dir/name.tar.gz", "B": "b"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${U:-d} ${E:-d} ${E-d} ${A:-d}", "d d  value"),
        ("${U:-${B}} ${U:-${V:-x}} ${U:-a b}", "b x a b"),
        ("${U:=d} ${E=d}", "d "),
        ("${A:+alt}|${E:+alt}|${E+alt}|${U+alt}", "alt||alt|"),
        ("${#A} ${#E}", "5 0"),
        ("${F%.gz} ${F%%.*} ${F#*/} ${F##*.}", "dir/name.tar dir/name name.tar.gz gz"),
        ("${A?no} ${A:?no}", "value value"),
        ("${U%x} ${#U} ${U:-}|", "${U%x} ${#U} |"),
        ("${A:-", "${A:-"),
        ("${A^^} ${A/x/y}", "${A^^} ${A/x/y}"),
    ],
)
def test_expansions_come_to_what_a_shell_makes_of_them(text: str, expected: str) -> None:
    assert expand(text, SCOPE) == expected


def test_a_variable_that_must_be_set_says_so() -> None:
    with pytest.raises(Unset, match="U: give one"):
        expand("${U:?give one}", SCOPE)


@given(st.text(st.sampled_from("${}#%:-ab\\"), max_size=20))
def test_any_text_is_read_to_some_end(text: str) -> None:
    for place in range(len(text)):
        found = expansion_at(text, place)
        assert found is None or place < found.end <= len(text)
