"""Runs drawn as families."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from dagfs.planning.lineage import families


def documents(parents: Mapping[str, str]) -> list[dict[str, str]]:
    """Newest first, as a store lists them."""
    return [{"run": run, "parent": parent} for run, parent in reversed(parents.items())]


def test_each_stands_below_the_one_it_was_made_from_and_the_newest_family_first() -> None:
    order, branches = families(
        documents({"old": "", "a": "", "a1": "a", "a2": "a", "a11": "a1", "last": "old", "lost": "gone"})
    )
    assert [branches[each["run"]] + each["run"] for each in order] == [
        "lost",
        "old",
        "└─ last",
        "a",
        "├─ a1",
        "│  └─ a11",
        "└─ a2",
    ]


@given(st.lists(st.integers(0, 9), max_size=10))
def test_every_run_is_drawn_once_even_in_forged_circles(parents: list[int]) -> None:
    found = documents({str(n): str(parent) for n, parent in enumerate(parents)})
    order, branches = families(found)
    assert sorted(each["run"] for each in order) == sorted(each["run"] for each in found)
    assert branches.keys() == {each["run"] for each in found}
