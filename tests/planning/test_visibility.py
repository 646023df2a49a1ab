"""Which outputs a step sees, against searching the graph anew for each."""

from hypothesis import given
from hypothesis import strategies as st

from dagfs.model.graph import ancestors
from dagfs.planning.visibility import VisibleOutputs

NAMES = ["A", "B"]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    steps = [f"s{n}" for n in range(draw(st.integers(1, 8)))]
    depends = {
        step: draw(st.lists(st.sampled_from(steps[:n]), unique=True)) if n else []
        for n, step in enumerate(steps)
    }
    outputs = {step: dict.fromkeys(draw(st.sets(st.sampled_from(NAMES))), step) for step in steps}
    return depends, outputs


@given(graphs())
def test_the_nearest_maker_of_a_name_wins(
    graph: tuple[dict[str, list[str]], dict[str, dict[str, str]]],
) -> None:
    depends, outputs = graph
    visible = VisibleOutputs(depends, outputs.__getitem__)
    for step in reversed(depends):
        naive: dict[str, str] = {}
        for before in ancestors(step, depends):
            naive = {**outputs[before], **naive}
        seen = visible.of(step)
        assert seen.keys() == naive.keys()
        far = {name: _distance(step, maker, depends) for name, maker in seen.items()}
        assert far == {name: _distance(step, maker, depends) for name, maker in naive.items()}


def _distance(step: str, maker: str, depends: dict[str, list[str]]) -> int:
    level, far = {step}, 0
    while maker not in level:
        level, far = {parent for each in level for parent in depends[each]}, far + 1
    return far


def test_a_chain_of_thousands_can_be_asked_from_its_end() -> None:
    depends = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(20_000)}
    visible = VisibleOutputs(depends, lambda step: {"A": "1"} if step == "s0" else {})
    assert visible.of("s19999") == {"A": "1"}


def test_of_two_makers_as_near_the_parent_named_first_wins() -> None:
    depends = {"a": [], "b": [], "c": ["b", "a"]}
    assert VisibleOutputs(depends, lambda step: {"X": step}).of("c") == {"X": "b"}
