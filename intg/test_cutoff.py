"""`--cutoff`: finished steps stay where those before them run again and put out the same."""

from __future__ import annotations

import pytest

from intg.home import Home
from tests.patience import eventually

DAG = """
type: graph
steps:
  - name: fetch
    run: echo fetch >> "$DAG_DESK/count"; cat "$DAG_DESK/rows"
    output: ROWS
  - name: sum
    depends: fetch
    run: echo sum >> "$DAG_DESK/count"; echo "${ROWS}" | wc -w
    output: SUM
  - name: report
    depends: sum
    run: echo "report ${SUM}" >> "$DAG_DESK/count"
    output: REPORT
  - name: last
    depends: report
    run: echo last >> "$DAG_DESK/count"; test ! -e "$DAG_DESK/fail"
"""


@pytest.fixture
def done(home: Home) -> Home:
    home.dag("job", DAG)
    home.file("rows").write_text("a b c\n")
    home.dagfs("run", "job").exits(0)
    home.file("count").unlink()
    return home


def actions(home: Home, *words: str) -> dict[str, str]:
    plan = home.dagfs("plan", "@", *words, "--json").json
    return {each["step"]: each["action"] for each in plan["steps"]}


def test_steps_stay_where_nothing_came_of_it(done: Home) -> None:
    plan = done.dagfs("plan", "@", "--from", "fetch", "--cutoff").exits(0)
    plan.says(
        "1 to run, 3 deferred",
        "defer sum run unless the outputs of fetch stay the same",
        "defer last run unless the outputs of report stay the same",
        "--cutoff",
    )
    done.dagfs("retry", "@", "--from", "fetch", "--cutoff").exits(0).says(
        "sum kept the outputs of fetch stayed the same"
    )
    assert done.lines("count") == ["fetch"]
    status = done.status()
    assert status["state"] == "succeeded"
    assert {name: each.get("kept", False) for name, each in status["steps"].items()} == {
        "fetch": False,
        "sum": True,
        "report": True,
        "last": True,
    }
    assert done.dagfs("show", "@", "--json").json["attempts"][1]["state"] == "succeeded"
    done.dagfs("fsck").exits(0)


def test_what_changed_goes_on_as_far_as_it_matters(done: Home) -> None:
    done.file("rows").write_text("x y z\n")
    plan = done.dagfs("plan", "@", "--from", "fetch", "--cutoff", "--json").json["plan"]
    done.dagfs("retry", "@", "--from", "fetch", "--cutoff", "--plan", plan).exits(0).says(
        "sum runs: the outputs of fetch changed", "report kept"
    )
    assert done.lines("count") == ["fetch", "sum"]


def test_without_it_all_behind_runs(done: Home) -> None:
    assert set(actions(done, "--from", "fetch").values()) == {"run"}
    done.settings("cutoff: true\n")
    assert actions(done, "--from", "fetch")["sum"] == "defer"
    assert set(actions(done, "--from", "fetch", "--no-cutoff").values()) == {"run"}
    done.dagfs("retry", "@", "--from", "fetch").exits(0)
    assert done.lines("count") == ["fetch"]


def test_an_edited_step_that_fails_at_first_is_mended_and_the_rest_stays(done: Home) -> None:
    done.edit(('cat "$DAG_DESK/rows"', "'false'"))
    done.dagfs("retry", "@", "--on-stale", "rerun", "--cutoff").exits(1)
    assert done.states() == {"fetch": "failed", **dict.fromkeys(("sum", "report", "last"), "upstream_failed")}
    done.edit(("'false'", 'head -n 9 "$DAG_DESK/rows"'))
    done.dagfs("plan", "@", "--cutoff").exits(0).says("run fetch", "defer sum", "defer last")
    assert set(actions(done).values()) == {"run"}
    done.dagfs("retry", "@", "--cutoff").exits(0)
    assert done.lines("count") == ["fetch", "fetch"]
    assert set(done.states().values()) == {"succeeded"}


def test_what_a_finished_step_asks_for_is_not_asked_where_it_would_run_anyway(done: Home) -> None:
    done.edit(("| wc -w", "| wc -c"), ("last >> ", "last again >> "))
    done.dagfs("plan", "@", "--only", "fetch", "--cutoff").exits(5).says("stale.semantic")
    plan = done.dagfs("plan", "@", "--from", "fetch", "--cutoff").exits(0)
    plan.says("run sum upstream fetch runs", "defer report", "run last upstream report may run")
    done.dagfs("retry", "@", "--from", "fetch", "--cutoff").exits(0)
    assert done.lines("count") == ["fetch", "sum", "report 6", "last again"]


SLOW = DAG.replace(
    'echo fetch >> "$DAG_DESK/count"; cat',
    'echo fetch >> "$DAG_DESK/count"; until test -e "$DAG_DESK/go"; do sleep 0.02; done; cat',
)


@pytest.fixture
def killed(home: Home) -> Home:
    """Finished once; then killed while its first step runs again."""
    home.dag("job", SLOW)
    home.file("rows").write_text("a b c\n")
    home.file("go").touch()
    home.dagfs("run", "job").exits(0)
    for name in ("count", "go"):
        home.file(name).unlink()
    engine = home.start("retry", "@", "--from", "fetch", "--cutoff")
    engine.until(lambda: home.lines("count"), "the second start of the first step")
    engine.kill()
    return home


def end_of_fetch(home: Home) -> None:
    home.file("go").touch()
    eventually(lambda: not home.processes(), "the end of the step")


def test_an_engine_that_dies_meanwhile_forgets_nothing(killed: Home) -> None:
    killed.dagfs("plan", "@", "--cutoff").exits(0).says("adopt fetch", "defer sum", "defer last")
    retry = killed.start("retry", "@", "--cutoff")
    retry.until((killed.run / "attempts/3").exists, "attempt 3")
    end = killed.file("go")
    end.touch()
    retry.wait().exits(0).says("sum kept")
    assert killed.lines("count") == ["fetch"]
    assert set(killed.states().values()) == {"succeeded"}


def test_what_ended_after_the_engine_is_compared_too(killed: Home) -> None:
    end_of_fetch(killed)
    killed.dagfs("plan", "@", "--cutoff").exits(0).says("keep fetch", "defer sum", "defer last")
    assert set(actions(killed).values()) == {"keep", "run"}
    killed.dagfs("retry", "@", "--cutoff").exits(0)
    assert killed.lines("count") == ["fetch"]
    assert set(killed.states().values()) == {"succeeded"}


def test_what_ended_after_the_engine_and_is_another_counts(killed: Home) -> None:
    killed.file("rows").write_text("d e\n")
    end_of_fetch(killed)
    killed.dagfs("retry", "@", "--cutoff").exits(0).says("sum runs: the outputs of fetch changed")
    assert killed.lines("count") == ["fetch", "sum", "report 2"]


def test_a_stop_before_the_decision_leaves_it_open(killed: Home) -> None:
    killed.dagfs("stop", "@", "--kill").exits(0)
    killed.dagfs("plan", "@", "--to", "fetch").exits(0).says("run fetch", "leave sum")
    killed.file("go").touch()
    killed.dagfs("retry", "@", "--to", "fetch").exits(1).says("partially_succeeded")
    assert killed.states()["sum"] == "not_started"
    plan = killed.dagfs("plan", "@", "--cutoff").exits(0)
    plan.says("keep sum the outputs of fetch stayed the same", "keep last")
    killed.dagfs("retry", "@", "--cutoff").exits(0)
    assert killed.lines("count") == ["fetch", "fetch"]
    assert killed.status()["state"] == "succeeded"


FILES = """
type: graph
steps:
  - name: make
    run: |
      cat "$DAG_DESK/rows" > "$DAGFS_ARTIFACTS_DIR/rows"
      test ! -e "$DAG_DESK/work" || date > "$DAGFS_WORK_DIR/stamp"
  - name: use
    depends: make
    run: wc -w < "${make.artifacts}/rows"; echo use >> "$DAG_DESK/count"
    output: N
  - name: see
    depends: make
    run: cat "${make.stdout}"; echo see >> "$DAG_DESK/count"
  - name: call
    depends: use
    run: ./not-there || echo call >> "$DAG_DESK/count"
  - name: send
    depends: use
    run: echo send >> "$DAG_DESK/count"
    idempotent: false
  - name: quiet
    run: "true"
  - name: behind
    depends: quiet
    run: echo behind >> "$DAG_DESK/count"
"""


def test_what_cannot_be_compared_counts_as_changed(home: Home) -> None:
    home.dag("files", FILES)
    home.file("rows").write_text("a b\n")
    home.dagfs("run", "files").exits(0)
    home.file("count").unlink()
    words = ("--from", "make,quiet", "--cutoff")
    home.dagfs("plan", "@", *words).exits(5).says("effects.ack", "--ack send")
    words = (*words, "--ack", "send")
    plan = home.dagfs("plan", "@", *words).exits(0)
    plan.says("defer use", "run see upstream make runs", "defer call", "defer send", "run behind")
    home.dagfs("retry", "@", *words).exits(0)
    assert sorted(home.lines("count")) == ["behind", "see"]
    home.file("work").touch()
    home.dagfs("retry", "@", *words).exits(0).says("use runs: the outputs of make changed")
    assert home.lines("count").count("use") == 1
    assert actions(home, *words)["use"] == "run", "it left files in work/, so nothing tells what it made"


def test_a_sub_dag_stays_or_starts_over(home: Home) -> None:
    home.dag("inner", 'steps: [{name: a, run: echo inner $1 >> "$DAG_DESK/count"}]\n')
    home.dag(
        "outer",
        """
        type: graph
        steps:
          - {name: make, run: cat "$DAG_DESK/rows", output: ROWS}
          - {name: each, depends: make, call: inner, params: "${ROWS}"}
        """,
    )
    home.file("rows").write_text("x")
    home.dagfs("run", "outer").exits(0)
    home.dagfs("retry", "@", "--from", "make", "--cutoff").exits(0).says("each kept")
    assert home.lines("count") == ["inner x"]
    home.file("rows").write_text("y")
    home.dagfs("retry", "@", "--from", "make", "--cutoff").exits(0)
    assert home.lines("count") == ["inner x", "inner y"]
    home.dagfs("retry", "@", "--from", "make", "--cutoff").exits(0).says("each kept")
    home.dagfs("fsck").exits(0)
