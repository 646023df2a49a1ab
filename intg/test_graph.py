"""The picture of a DAG and of a run: as a tree, SVG, dot, Mermaid and JSON."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from intg.home import Home

FAN = """
    name: fan
    steps:
      - {name: start, run: "true"}
      - {name: left, run: "true", depends: start}
      - {name: right, run: "false", depends: start}
      - {name: join, run: "true", depends: [left, right]}
    handler_on:
      failure: {run: "true"}
    """


def test_a_run_is_drawn_as_a_tree_with_its_states(home: Home) -> None:
    home.dag("fan", FAN)
    home.dagfs("run", "fan", "--id", "r1").exits(1)
    lines = home.dagfs("graph").exits(0).out.splitlines()
    assert lines[0].split() == ["fan", "r1", "✗", "failed"]
    words = [line.split() for line in lines[1:]]
    assert [line[:3] for line in words[:3]] == [
        ["✓", "start", "succeeded"],
        ["├─✓", "left", "succeeded"],
        ["└─✗", "right", "failed"],
    ]
    assert " ".join(words[3]) == "· join upstream_failed after left, right"
    assert lines[5] == "on failure: onFailure  ✓ succeeded"


def test_a_dag_a_file_and_standard_input_are_drawn_alike(home: Home) -> None:
    path = home.dag("fan", FAN)
    by_name = home.dagfs("graph", "fan").exits(0).out
    assert by_name.splitlines()[1:4] == ["● start", "├─● left", "└─● right"]
    assert home.dagfs("graph", str(path)).exits(0).out == by_name
    assert home.dagfs("graph", "-", stdin=path.read_text()).exits(0).out == by_name


def test_a_file_needs_no_home(home: Home) -> None:
    path = home.dag("fan", FAN)
    elsewhere = home.file("elsewhere")
    elsewhere.mkdir()
    path.rename(elsewhere / "fan.yaml")
    home.dagfs("graph", "fan.yaml", "--json", cwd=elsewhere).exits(0)


def test_a_picture_of_a_run_names_every_step_and_state(home: Home) -> None:
    home.dag("fan", FAN)
    home.dagfs("run", "fan", "--id", "r1")
    for direction in ("auto", "down", "right"):
        root = ET.fromstring(home.dagfs("graph", "fan@", "--svg", "--direction", direction).exits(0).out)
        titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
        assert titles[0] == "fan r1"
        assert [(text or "").split("\n")[0] for text in titles[1:]] == [
            "start: succeeded",
            "left: succeeded",
            "right: failed",
            "join: upstream_failed",
        ]
        assert "2 succeeded, 1 failed, 1 upstream_failed" in str(root.get("aria-label"))


def test_other_programs_can_draw_it(home: Home) -> None:
    home.dag("odd", "steps: [{name: 'a \"b\" <c>', run: x}, {name: end, run: y, depends: 'a \"b\" <c>'}]\n")
    home.dagfs("graph", "odd", "--dot").exits(0).says('label="a \\"b\\" <c>"', "s1 -> s2;")
    home.dagfs("graph", "odd", "--mermaid").exits(0).says('s1["a #34;b#34; #60;c#62;"]', "s1 --> s2")
    ET.fromstring(home.dagfs("graph", "odd", "--svg").exits(0).out)


def test_the_data_of_a_picture(home: Home) -> None:
    home.dag("fan", FAN)
    home.dagfs("run", "fan", "--id", "r1")
    found = home.dagfs("graph", "r1", "--json").exits(0).json
    assert (found["dag"], found["run"], found["state"]) == ("fan", "r1", "failed")
    assert {node["name"]: (node["layer"], node["state"]) for node in found["nodes"]} == {
        "start": (0, "succeeded"),
        "left": (1, "succeeded"),
        "right": (1, "failed"),
        "join": (2, "upstream_failed"),
    }
    assert {"from": "right", "to": "join"} in found["edges"]
    assert found["handlers"] == {"failure": {"name": "onFailure", "state": "succeeded"}}


def test_what_cannot_be_drawn_is_told_in_one_line(home: Home) -> None:
    home.dag("fan", FAN)
    home.dag("broken", "steps: [{nmae: a, run: b}]\n")
    home.dagfs("graph", "fnn").exits(4).in_one_line().says("did you mean fan?")
    home.dagfs("graph", "@").exits(4).in_one_line().says("no runs yet")
    home.dagfs("graph", "fan", "--svg", "--dot").exits(2).in_one_line()
    home.dagfs("graph", "broken").exits(3).says("unknown key 'nmae'", "did you mean 'name'?")
    home.dagfs("graph", "no.yaml").exits(4).in_one_line()
