"""Steps of children are selected as `CHILD/STEP`."""

from __future__ import annotations

import json

import pytest

from intg.home import Home

PART = """
type: chain
steps:
  - name: fetch
    run: echo "$1 fetch" >> "$DAG_DESK/count"
  - name: load
    run: echo "$1 load" >> "$DAG_DESK/count"; test "$1" != bad || test -e "$DAG_DESK/go"
"""
ALL = """
type: graph
steps:
  - {name: each, call: part, parallel: {items: [one, two, bad], max_concurrent: 1}, params: "${ITEM}"}
  - {name: join, depends: each, run: echo join >> "$DAG_DESK/count"}
  - {name: beside, run: echo beside >> "$DAG_DESK/count"}
"""


@pytest.fixture
def family(home: Home) -> Home:
    home.dag("part", PART)
    home.dag("all", ALL)
    home.file("go").touch()
    home.dagfs("run", "all").exits(0)
    home.file("count").unlink()
    return home


def child(home: Home, item: str) -> str:
    """The id of the child of an item."""
    for path in (home.run / "children").iterdir():
        if json.loads((path / "run.json").read_text()).get("item") == json.dumps(item):
            return path.name
    raise AssertionError(item)


def test_one_step_of_one_item_runs_again(family: Home) -> None:
    one = child(family, "one")
    plan = family.dagfs("plan", "@", "--only", f"{one}/fetch").exits(0)
    plan.says("run each selected", f"{one} goes on", "run fetch selected", "keep stale join", "keep beside")
    family.dagfs("retry", "@", "--only", f"{one}/fetch").exits(0)
    assert family.lines("count") == ["one fetch"]
    assert family.dagfs("status", f"{family.run.name}/{one}", "--json").json["steps"]["load"]["stale"]


def test_with_all_behind_it_the_join_follows(family: Home) -> None:
    two = child(family, "two")
    plan = family.dagfs("plan", "@", "--from", f"{two}/load", "--json").json
    assert {step["step"]: step["action"] for step in plan["steps"]} == {
        "each": "run",
        "join": "run",
        "beside": "keep",
    }
    family.dagfs("retry", "@", "--from", f"{two}/load", "--plan", plan["plan"]).exits(0)
    assert family.lines("count") == ["two load", "join"]
    family.dagfs("fsck").exits(0)


def test_children_are_named_by_globs_beside_steps_of_the_run(family: Home) -> None:
    family.dagfs("retry", "@", "--from", "each-*/load,beside").exits(0)
    assert sorted(family.lines("count")) == ["bad load", "beside", "join", "one load", "two load"]


def test_a_failed_item_goes_on_where_its_steps_are_selected(home: Home) -> None:
    home.dag("part", PART)
    home.dag("all", ALL)
    home.dagfs("run", "all").exits(1)
    home.file("go").touch()
    home.file("count").unlink()
    bad = child(home, "bad")
    home.dagfs("retry", "@", "--from", f"{bad}/state:failed").exits(0)
    assert home.lines("count") == ["bad load", "join"]


def test_in_a_new_run(family: Home) -> None:
    one = child(family, "one")
    old = family.run.name
    family.dagfs("rerun", "@", "--id", "other", "--only", f"{one}/load").exits(0)
    assert family.lines("count") == ["one load"]
    family.dagfs("rerun", f"{old}/{one}").exits(5).in_one_line().says("is a child of run", f"{one}/*")
    family.dagfs("rerun", f"{old}/{one}", "--from", "load").exits(5).in_one_line().says("is a child of run")


def test_deep_inside(home: Home) -> None:
    home.dag("leaf", 'steps: [{name: x, run: echo x >> "$DAG_DESK/count"}]\n')
    home.dag("middle", "steps: [{name: mid, call: leaf}]\n")
    home.dag("top", "steps: [{name: up, call: middle}]\n")
    home.dagfs("run", "top").exits(0)
    deepest = max((home.run / "children").iterdir(), key=lambda path: "mid" in path.name).name
    home.dagfs("plan", "@", "--from", f"{deepest}/x").exits(0).says("run up", "run mid", "run x selected")
    home.dagfs("retry", "@", "--from", f"{deepest}/x").exits(0)
    assert home.lines("count") == ["x", "x"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--only", "ech-1/load"), "has no child 'ech-1'"),
        (("--only", "CHILD/lod"), "did you mean 'load'?"),
        (("--only", "CHILD/"), "CHILD/ names no step"),
        (("--from", "/load"), "has no child ''"),
        (("--to", "CHILD/load"), "only steps of the run itself"),
        (("--from", "CHILD/state:odd"), "there is no state 'odd'"),
        (("--from", "CHILD/'load"), "quote"),
        (("--from", "../x"), "has no child"),
    ],
)
def test_what_means_nothing_is_named(words: tuple[str, str], says: str, family: Home) -> None:
    one = child(family, "one")
    before = family.listing()
    words = words[0], words[1].replace("CHILD", one)
    for verb in ("plan", "retry"):
        family.dagfs(verb, "@", *words).exits(2).in_one_line().says(says.replace("CHILD", one))
    assert family.listing() == before
