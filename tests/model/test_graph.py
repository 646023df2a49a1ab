"""Graph algorithms against naive ones."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dagfs.model.graph import ancestors, children, closure, cycle, topological

NAMES = st.sampled_from("abcdef")
graphs = st.dictionaries(NAMES, st.lists(NAMES, max_size=4).map(tuple), max_size=6)
"""Any mapping: with cycles, doubled names, and parents that are not there."""


def reach(name: str, depends: dict[str, tuple[str, ...]]) -> set[str]:
    """Everything upstream of a name, by repeated passes; the name itself only where it is on a cycle."""
    found: set[str] = set()
    while True:
        more = {p for each in (name, *found) for p in depends.get(each, ()) if p in depends}
        if more <= found:
            return found
        found |= more


@given(graphs)
def test_children_turn_the_mapping_round(depends: dict[str, tuple[str, ...]]) -> None:
    following = children(depends)
    assert following.keys() == depends.keys()
    for parent, found in following.items():
        assert found == [name for name in depends if parent in depends[name]]


@given(graphs)
def test_topological_order_puts_parents_first_and_leaves_cycles_out(
    depends: dict[str, tuple[str, ...]],
) -> None:
    order = topological(depends)
    stuck = {
        name for name in depends if any(up in reach(up, depends) for up in (name, *reach(name, depends)))
    }
    assert sorted(order) == sorted(depends.keys() - stuck)
    for place, name in enumerate(order):
        assert {parent for parent in depends[name] if parent in depends} <= set(order[:place])


def test_equals_stay_in_the_order_given() -> None:
    assert topological({"c": (), "a": (), "b": ()}) == ["c", "a", "b"]


@given(graphs)
def test_a_cycle_is_found_exactly_where_there_is_one(depends: dict[str, tuple[str, ...]]) -> None:
    found = cycle(depends)
    assert bool(found) == any(name in reach(name, depends) for name in depends)
    if found:
        assert found[0] == found[-1]
        assert len(set(found)) == len(found) - 1
        assert all(after in depends[name] for name, after in pairwise(found))


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    assert cycle({"a": ("a",)}) == ["a", "a"]


@given(graphs, st.lists(NAMES))
def test_the_closure_is_all_that_can_be_reached(
    depends: dict[str, tuple[str, ...]], start: list[str]
) -> None:
    expected = set(start)
    for _ in range(len(depends) + 1):
        expected |= {after for name in expected for after in depends.get(name, ())}
    assert closure(start, depends) == expected


@given(graphs, NAMES)
def test_ancestors_are_all_upstream_nearest_first(depends: dict[str, tuple[str, ...]], name: str) -> None:
    found = ancestors(name, depends)
    assert set(found) == reach(name, depends) - {name}
    assert len(set(found)) == len(found)
    far = {name: 0}
    for _ in depends:
        for each, distance in list(far.items()):
            for parent in depends.get(each, ()):
                far[parent] = min(far.get(parent, distance + 1), distance + 1)
    assert [far[each] for each in found] == sorted(far[each] for each in found)
