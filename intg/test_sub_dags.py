"""Sub-DAGs: a step that runs another DAG, once or for each item, and what a retry keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intg.home import Home
from tests.patience import eventually

FAN = """
type: graph
steps:
  - id: list
    run: printf '%s\\n' a b c
    output: ITEMS
  - id: load
    depends: [list]
    action: dag.run
    with: {dag: one, params: {NAME: "${ITEM}"}}
    parallel: ${ITEMS}
    output: LOADED
  - id: report
    depends: [load]
    run: echo ${LOADED.summary.succeeded} of ${LOADED.summary.total}
---
name: one
params:
  - NAME: none
steps:
  - id: fetch
    run: echo fetched $NAME >> "$DAGFS_HOME/fetched"
  - id: store
    depends: [fetch]
    run: test "$NAME" != b --no-such-flag && echo stored $NAME >> "$DAGFS_HOME/stored"
"""


@pytest.fixture
def fanned(home: Home) -> Home:
    """A fan-out over a, b and c, of which b has failed."""
    home.dag("fan", FAN.replace("!= b --no-such-flag", "!= b"))
    home.dagfs("run", "fan").exits(1)
    return home


def children(home: Home) -> dict[str, Path]:
    """The children's folders by their item."""
    found = sorted((home.run / "children").iterdir())
    return {json.loads(json.loads((path / "run.json").read_text())["item"]): path for path in found}


def attempts(child: Path) -> int:
    return len(list((child / "attempts").iterdir()))


def test_each_item_is_a_run_of_its_own(fanned: Home) -> None:
    found = children(fanned)
    assert sorted(found) == ["a", "b", "c"]
    header = json.loads((found["a"] / "run.json").read_text())
    assert header["id"] == f"{fanned.run.name}/{found['a'].name}"
    assert (header["root"], header["parent"], header["step"]) == (fanned.run.name, fanned.run.name, "load")
    fanned.dagfs("status").exits(0).says("load ✗ failed", f"{found['b'].name} ✗ failed", "2 of 3")
    fanned.dagfs("status", header["id"]).exits(0).says("store ✓ succeeded")
    fanned.dagfs("runs").exits(0).never_says(found["a"].name)
    fanned.dagfs("fsck").exits(0)


def test_only_the_failed_item_runs_again_and_the_join_with_it(fanned: Home) -> None:
    before = children(fanned)
    child = f"{fanned.run.name}/{before['b'].name}"
    fanned.dagfs("edit", child, "--no-editor").exits(0)
    spec = before["b"] / "spec.next.yaml"
    spec.write_text(spec.read_text().replace("!= b", "!= x"))
    fanned.dagfs("plan").exits(0).says(
        "keep list", "run load", f"{before['b'].name} goes on: compatible: 1 kept, 1 to run", "run report"
    )
    fanned.dagfs("retry").exits(0).says("load/" + before["b"].name, "succeeded")
    assert children(fanned) == before
    assert {item: attempts(path) for item, path in before.items()} == {"a": 1, "b": 2, "c": 1}
    assert sorted((fanned.path / "fetched").read_text().splitlines()) == [
        "fetched a",
        "fetched b",
        "fetched c",
    ]
    assert fanned.log("report", 2) == "3 of 3\n"
    fanned.dagfs("retry").exits(7)
    fanned.dagfs("fsck").exits(0)


def test_a_sub_dag_of_the_same_file_is_mended_in_its_parents_spec(fanned: Home) -> None:
    found = children(fanned)
    fanned.edit(("!= b", "!= x"))
    fanned.dagfs("plan").exits(5).says("stale", found["a"].name, "store")
    fanned.dagfs("retry", "--on-stale", "keep", "--reason", "the others were right").exits(0)
    assert {item: attempts(path) for item, path in found.items()} == {"a": 1, "b": 2, "c": 1}
    assert (fanned.path / "stored").read_text().split().count("a") == 1


def test_items_are_known_by_their_value_and_not_by_their_place(fanned: Home) -> None:
    before = children(fanned)
    fanned.edit((" a b c", " d c a"))
    fanned.dagfs("retry", "--on-stale", "rerun").exits(0)
    after = children(fanned)
    assert sorted(after) == ["a", "b", "c", "d"]
    assert {item: attempts(after[item]) for item in "abcd"} == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert {after[item] for item in "abc"} == {before[item] for item in "abc"}
    assert fanned.log("report", 2) == "3 of 3\n"


NESTED = """
type: graph
steps:
  - id: top
    action: dag.run
    with: {dag: middle, params: "WHO=world"}
  - id: after
    depends: [top]
    run: echo ${steps.top.outputs.GREETING}
---
name: middle
params: WHO
steps:
  - id: inner
    action: dag.run
    with: {dag: leaf, params: "WHO=${WHO}"}
  - id: tell
    depends: [inner]
    run: echo told ${steps.inner.outputs.GREETING}
    output: GREETING
---
name: leaf
params: WHO
steps:
  - id: greet
    run: echo "hello $WHO"
    output: GREETING
  - id: slow
    depends: [greet]
    run: |
      touch "$DAGFS_HOME/started"
      while ! test -e "$DAGFS_HOME/go"; do sleep 0.05; done
"""


def test_sub_dags_may_stand_in_one_another(home: Home) -> None:
    home.dag("nested", NESTED)
    (home.path / "go").touch()
    home.dagfs("run", "nested").exits(0)
    assert home.log("after") == "told hello world\n"
    assert len(list((home.run / "children").iterdir())) == 2


def test_a_step_deep_inside_outlives_its_engine_and_is_adopted(home: Home) -> None:
    home.dag("nested", NESTED)
    engine = home.start("run", "nested")
    eventually((home.path / "started").exists)
    engine.kill()
    home.dagfs("status").exits(0).says("interrupted")
    (home.path / "go").touch()
    home.dagfs("retry").exits(0)
    assert home.log("after", 2) == "told hello world\n"
    leaf = next(path for path in (home.run / "children").iterdir() if "inner" in path.name)
    record = list(leaf.glob("attempts/*/steps/slow/record.*"))
    assert len(record) == 1, "the slow step ran once"
    home.dagfs("fsck").exits(0)


def test_stopping_a_run_stops_its_children(home: Home) -> None:
    home.dag("nested", NESTED)
    engine = home.start("run", "nested")
    eventually((home.path / "started").exists)
    home.dagfs("stop", "@").exits(0)
    engine.wait()
    home.dagfs("status").exits(0).says("aborted", "top")
    for child in (home.run / "children").iterdir():
        assert json.loads((child / "status.json").read_text())["state"] == "aborted"
    (home.path / "go").touch()
    home.dagfs("retry").exits(0)


def test_a_dag_that_calls_itself_comes_to_an_end(home: Home) -> None:
    home.dag("loop", "steps:\n  - id: again\n    action: dag.run\n    with: {dag: loop}\n")
    home.dagfs("run", "loop").exits(1).says("does one call itself?")


ROUTED = """
type: graph
params: {KIND: small}
steps:
  - id: choose
    action: router.route
    with:
      value: ${params.KIND}
      routes:
        small: [light]
        "re:^(big|huge)$": [heavy]
  - id: light
    run: echo light
  - id: heavy
    run: echo heavy
  - id: more
    depends: [heavy]
    run: echo more
"""


@pytest.mark.parametrize(("kind", "runs"), [("small", ["light"]), ("huge", ["heavy", "more"]), ("odd", [])])
def test_a_router_chooses_what_runs_behind_it(home: Home, kind: str, runs: list[str]) -> None:
    home.dag("routed", ROUTED)
    home.dagfs("run", "routed", "-p", f"KIND={kind}").exits(0)
    steps = home.status()["steps"]
    assert [name for name in ("light", "heavy", "more") if steps[name]["state"] == "succeeded"] == runs
    assert {steps[name]["state"] for name in ("light", "heavy", "more") if name not in runs} <= {"skipped"}


FOREACH = """
type: graph
params: {SUFFIX: "!"}
steps:
  - id: before
    run: echo from before
    output: EARLIER
  - id: each
    depends: [before]
    foreach:
      items: [{name: x, size: 1}, {name: "y $(touch oops)", size: 2}]
      as: row
      steps:
        - id: say
          run: |
            cd "$DAGFS_HOME"
            printf '%s' "${foreach.row.name} ${params.SUFFIX} ${EARLIER}" > "said-${foreach.row.size}"
        # a comment that stays
        - id: fail
          depends: [say]
          run: test ${foreach.row.size} = 1 || test -e "$DAGFS_HOME/mended"
"""


def test_foreach_runs_its_body_for_each_item_and_sees_what_its_step_sees(home: Home) -> None:
    home.dag("each", FOREACH)
    home.dagfs("run", "each").exits(1)
    assert (home.path / "said-1").read_text() == "x ! from before"
    assert (home.path / "said-2").read_text() == "y $(touch oops) ! from before"
    specs = [path.read_text() for path in (home.run / "children").glob("*/spec.v1.yaml")]
    assert all("# a comment that stays" in spec for spec in specs)
    (home.path / "mended").touch()
    home.dagfs("retry").exits(0)
    assert sorted(attempts(path) for path in (home.run / "children").iterdir()) == [1, 2]
    assert not list(home.path.rglob("oops"))


def test_a_child_is_addressed_by_every_command(fanned: Home) -> None:
    found = children(fanned)
    root, b = fanned.run.name, f"{fanned.run.name}/{found['b'].name}"
    fanned.dagfs("status", b).exits(0).says("store ✗ failed")
    fanned.dagfs("show", b).exits(0).says(b)
    fanned.dagfs("logs", b, "fetch").exits(0)
    for way in ("@", "fan", root[:15]):
        fanned.dagfs("logs", f"{way}/{found['b'].name}", "fetch").exits(0)
    fanned.dagfs("logs", "@/none", "fetch").exits(4).in_one_line().says("there is no run at '@/none'")
    fanned.dagfs("graph", b).exits(0).says("store")
    fanned.dagfs("wait", b).exits(1)
    fanned.dagfs("watch", b).exits(1).says("store", "failed")
    fanned.dagfs("approve", b).exits(4)
    fanned.dagfs("stop", b).exits(7).says(f"all of run {root}")
    fanned.dagfs("plan", b).exits(0).says(f"all of run {root}", "keep list", "run load")
    fanned.dagfs("retry", b, "--spec", "-", stdin="steps: []").exits(2).in_one_line().says("is a child of")
    fanned.dagfs("mark", b, "store", "succeeded", "-m", "by hand").exits(0)
    fanned.dagfs("retry", b).exits(0).says(f"all of run {root}", "report")
    assert {item: attempts(path) for item, path in found.items()} == {"a": 1, "b": 2, "c": 1}
    assert fanned.log("report", 2) == "3 of 3\n"
    fanned.dagfs("mark", f"{root}/{found['a'].name}", "fetch", "failed", "-m", "wrong").exits(0)
    fanned.dagfs("status").exits(0).says("load ✗ failed")
    fanned.dagfs("retry").exits(0)
    assert {item: attempts(path) for item, path in found.items()} == {"a": 2, "b": 2, "c": 1}
    fanned.dagfs("fsck").exits(0)


def test_a_child_of_a_living_engine_is_not_taken_for_interrupted(home: Home) -> None:
    home.dag("nested", NESTED)
    engine = home.start("run", "nested")
    eventually((home.path / "started").exists)
    leaf = next(path for path in (home.run / "children").iterdir() if "inner" in path.name)
    address = f"{home.run.name}/{leaf.name}"
    home.dagfs("status", address).exits(0).says("slow ▶ running").never_says("interrupted")
    home.dagfs("wait", address, "--timeout", "1").exits(124)
    home.dagfs("retry", address).exits(75)
    home.dagfs("mark", address, "greet", "failed", "-m", "no").exits(75)
    (home.path / "go").touch()
    home.dagfs("watch", address).exits(0)
    home.dagfs("wait", address).exits(0)
    engine.wait().exits(0)


def test_what_runs_in_children_of_a_dead_engine_is_stopped_by_its_address_too(home: Home) -> None:
    home.dag("nested", NESTED)
    engine = home.start("run", "nested")
    eventually((home.path / "started").exists)
    engine.kill()
    leaf = next(path for path in (home.run / "children").iterdir() if "inner" in path.name)
    home.dagfs("status").exits(0).says("interrupted", f"child {home.run.name}/{leaf.name} still running")
    home.dagfs("stop", f"{home.run.name}/{leaf.name}", "--kill").exits(0)
    home.dagfs("status").exits(0).never_says("still running")
    (home.path / "go").touch()
    home.dagfs("retry", "@").exits(0)
    home.dagfs("fsck").exits(0)
