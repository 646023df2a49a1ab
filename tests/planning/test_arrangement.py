"""The layout of graphs: nothing overlaps, everything leads on, and few lines cross."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.planning.arrangement import Arrangement, arrange, crossings, layers

Graph = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(0, 14))
    names = [f"s{number}" for number in range(count)]
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), max_size=4)) if place else []
        for place, name in enumerate(names)
    }


def picture(depends: Graph, down: bool | None = None) -> Arrangement:
    return arrange(depends, {name: (60.0 + len(name), 30.0) for name in depends}, down=down)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.booleans())
def test_boxes_lie_apart_within_the_picture_and_edges_lead_on(depends: Graph, down: bool) -> None:
    made = picture(depends, down)
    assert [box.name for box in made.boxes] == list(depends)
    for box in made.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= made.width
        assert box.y + box.height <= made.height
    for one, other in combinations(made.boxes, 2):
        beside = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
        above = one.y + one.height <= other.y + 0.01 or other.y + other.height <= one.y + 0.01
        assert beside or above, (one, other)
    edges = {(edge.source, edge.target) for edge in made.edges}
    assert edges == {(parent, name) for name, parents in depends.items() for parent in parents}
    for edge in made.edges:
        along = [y if down else x for x, y in edge.points]
        assert all(a <= b for a, b in pairwise(along))


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_the_same_graph_is_always_drawn_alike(depends: Graph) -> None:
    assert picture(depends) == picture(dict(depends))


def test_layers_are_longest_paths() -> None:
    assert layers({"a": [], "b": ["a"], "c": ["a", "b"], "d": [], "e": ["c", "d"]}) == {
        "a": 0,
        "b": 1,
        "c": 2,
        "d": 0,
        "e": 3,
    }


def test_a_circle_and_unknown_names_are_no_reason_to_fail() -> None:
    made = picture({"a": ["b"], "b": ["a"], "c": ["nobody", "c"]})
    assert {box.layer for box in made.boxes} == {0}
    assert made.edges == ()


def test_crossings_that_can_be_avoided_are() -> None:
    twisted = {"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"], "end": ["x", "y", "z"]}
    made = picture(twisted, down=True)
    at = {box.name: box.x for box in made.boxes}
    assert sorted("abc", key=at.__getitem__) == [
        {"x": "c", "y": "b", "z": "a"}[n] for n in sorted("xyz", key=at.__getitem__)
    ]


def test_crossings_are_counted() -> None:
    assert crossings([[0, 1], [2, 3]], [[], [], [1], [0]]) == 1
    assert crossings([[0, 1], [2, 3]], [[], [], [0, 1], [0, 1]]) == 1
    assert crossings([[0, 1], [2, 3]], [[], [], [0], [1]]) == 0


def test_a_long_edge_runs_past_the_boxes_between() -> None:
    made = picture({"a": [], "b": ["a"], "c": ["b", "a"]}, down=False)
    long = next(edge for edge in made.edges if (edge.source, edge.target) == ("a", "c"))
    b = next(box for box in made.boxes if box.name == "b")
    assert len(long.points) == 4
    assert all(not b.y < y < b.y + b.height for _, y in long.points[1:3])


@pytest.mark.parametrize("depends", [{}, {"a": []}])
def test_the_smallest_pictures(depends: Graph) -> None:
    assert len(picture(depends).boxes) == len(depends)


def test_a_graph_too_dense_for_bends_is_still_arranged() -> None:
    names = [f"s{i}" for i in range(150)]
    made = picture({name: names[:place] for place, name in enumerate(names)})
    assert len(made.edges) == 150 * 149 // 2
