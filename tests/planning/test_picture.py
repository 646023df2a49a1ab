"""Pictures as text: valid in their language whatever steps are called."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.state import StepState
from dagfs.model.value import replace
from dagfs.planning.picture import _COLOURS, Sketch, box_size, dot, mermaid, svg, text_width, wrapped

NS = "{http://www.w3.org/2000/svg}"
ODD = (
    '<b>&"x"\'</b>',
    "a\\N b",
    "`md`",
    "]--> x",
    "#35;",
    "\ud800\x00\x1b[31m",
    "数据" * 20,
    "%%{init}",
    "end",
)


def sketch(*names: str, state: str = "") -> Sketch:
    depends = {name: [names[place - 1]] if place else [] for place, name in enumerate(names)}
    return Sketch(f"dag {names[0] if names else ''}", depends, dict.fromkeys(names, state) if state else {})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=6, unique=True))
def test_every_name_gives_valid_xml_and_is_told_in_full(names: list[str]) -> None:
    root = ET.fromstring(svg(sketch(*names, state="failed")))
    boxes = [group for group in root.iter(f"{NS}g") if group.get("class") == "step failed"]
    assert len(boxes) == len(names)
    for group, name in zip(boxes, names, strict=True):
        if re.fullmatch(r"[\w .-]+", name, re.ASCII):
            assert (group.findtext(f"{NS}title") or "").startswith(f"{name}: failed")


@pytest.mark.parametrize("down", [True, False])
def test_an_svg_needs_nothing_from_elsewhere(down: bool) -> None:
    text = svg(sketch(*ODD, state="running"), down=down)
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert f"{len(ODD)} running" in (root.get("aria-label") or "")
    for word in ("<script", "<style", "style=", "url(", "href", "@import", " id=", " on"):
        assert word not in text.replace(" one", ""), word
    assert {each.tag.removeprefix(NS) for each in root.iter()} == {
        "svg",
        "title",
        "rect",
        "g",
        "path",
        "text",
    }


def test_every_state_has_a_colour_of_its_own_and_is_written_out() -> None:
    assert set(_COLOURS) == set(StepState)
    for state in StepState:
        assert f">{state.replace('_', ' ')}</text>" in svg(sketch("a", state=state))


def test_an_empty_graph_is_a_picture() -> None:
    ET.fromstring(svg(Sketch("empty", {})))
    assert dot(Sketch("empty", {})).count("\n") == 4
    assert mermaid(Sketch("empty", {})) == "flowchart LR\n"


@settings(max_examples=80, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_name_is_broken_into_few_lines_that_fit(name: str) -> None:
    lines = wrapped(name)
    assert 1 <= len(lines) <= 3
    assert all(text_width(line) <= 205 for line in lines)


def test_a_name_is_broken_where_a_word_ends() -> None:
    lines = wrapped("load_the_orders_of_yesterday_into_the_store")
    assert "".join(lines) == "load_the_orders_of_yesterday_into_the_store"
    assert all(line.endswith("_") for line in lines[:-1])
    assert wrapped("short") == ["short"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4, unique=True))
def test_dot_keeps_every_name_within_its_quotes(names: list[str]) -> None:
    text = dot(sketch(*names, state="lost"))
    assert text.count("label=") - sum(name.count("label=") for name in names) == len(names)
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "", text, flags=re.DOTALL)
    assert re.fullmatch(r"[\s\w{};=,\[\]>#-]*", outside, re.ASCII)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4, unique=True))
def test_mermaid_gets_no_sign_that_means_something(names: list[str]) -> None:
    for line in mermaid(sketch(*names, state="failed")).split("\n"):
        found = re.fullmatch(r'  s\d+\["(.*)"\]:::failed', line)
        if found:
            assert not re.search(r"[\"`<>\[\](){}|\\&%]", found[1].replace("<br/>", ""))


def test_dot_and_mermaid_as_they_are_written() -> None:
    graph = Sketch("two", {"a": [], 'b "q"': ["a"]}, {"a": "succeeded"})
    assert "  s1 -> s2;" in dot(graph)
    assert 'label="b \\"q\\""' in dot(graph)
    assert '  s2["b #34;q#34;"]' in mermaid(graph)
    assert "  s1 --> s2" in mermaid(graph, down=True)
    assert mermaid(graph, down=True).startswith("flowchart TD\n")


def test_a_picture_of_a_page_has_boxes_that_lead_somewhere_and_can_be_told_apart() -> None:
    plain = sketch(*ODD, state="failed")
    live = replace(
        plain,
        links={name: f"/runs/r?step={place}&a" for place, name in enumerate(ODD)},
        classes={ODD[0]: "chosen"},
        words={ODD[1]: "✗ exit <2>"},
        is_live=True,
    )
    root = ET.fromstring(svg(live))
    assert root.get("role") == "group"
    boxes = [group for group in root.iter(f"{NS}g") if "step" in (group.get("class") or "").split()]
    assert [box.get("class") for box in boxes][:2] == ["step failed chosen", "step failed"]
    assert boxes[0].get("data-step") == ODD[0]
    link = boxes[3].find(f"{NS}a")
    assert link is not None
    assert link.get("href") == "/runs/r?step=3&a"
    assert "✗ exit <2>" in [text.text for text in root.iter(f"{NS}text")]


def test_boxes_of_a_page_keep_their_size_whatever_is_said_in_them() -> None:
    graph = sketch("a", "b", state="queued")
    now = replace(graph, is_live=True, words={"a": "✓ 1 s"})
    later = replace(graph, is_live=True, words={"a": "? partly done"})
    assert [box_size(name, now) for name in "ab"] == [box_size(name, later) for name in "ab"]
