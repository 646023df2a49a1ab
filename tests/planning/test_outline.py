"""The tree of a graph for terminals: each step once, below what it waits for."""

from hypothesis import given, settings

from dagfs.planning.outline import outline
from tests.planning.test_arrangement import Graph, graphs


def drawn(depends: Graph) -> list[str]:
    return [
        line.prefix + line.name + (f" < {','.join(line.after)}" if line.after else "")
        for line in outline(depends)
    ]


def test_a_chain_goes_straight_down() -> None:
    assert drawn({"a": [], "b": ["a"], "c": ["b"]}) == ["a", "b", "c"]


def test_branches_are_indented_and_joins_name_all_they_wait_for() -> None:
    depends = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"]}
    assert drawn(depends) == ["a", "├─b", "└─c", "  d < b,c", "  e"]


def test_several_starts_are_branches_of_the_whole() -> None:
    assert drawn({"a": [], "b": [], "c": ["a"]}) == ["├─a", "│ c", "└─b"]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_each_step_is_there_once_and_after_what_it_stands_under(depends: Graph) -> None:
    names = [line.name for line in outline(depends)]
    assert sorted(names) == sorted(depends)
    for line in outline(depends):
        own = set(depends[line.name])
        assert set(line.after) == (own if len(own) > 1 else set())


def test_a_circle_loses_nothing() -> None:
    assert sorted(line.name for line in outline({"a": ["b"], "b": ["a"], "c": ["a"]})) == ["a", "b", "c"]


def test_a_thousand_steps_in_a_row_are_no_problem() -> None:
    names = [f"s{i}" for i in range(3000)]
    assert len(outline({name: names[max(0, i - 1) : i] for i, name in enumerate(names)})) == 3000
