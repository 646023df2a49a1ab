"""A new run that keeps what an earlier one has finished; the earlier one stays as it is."""

from __future__ import annotations

import pytest

from intg.home import Home

DAG = """
name: job
params:
  - day: monday
steps:
  - name: extract
    run: |
      echo extract >> "$DAG_DESK/count"
      echo ROWS=3 >> "$DAGFS_OUTPUT"
      echo data > "$DAGFS_ARTIFACTS_DIR/data.txt"
      echo shared > "$DAGFS_WORK_DIR/file"
  - name: load
    depends: extract
    run: |
      echo "load ${extract.outputs.ROWS} $(cat ${extract.artifacts}/data.txt)" >> "$DAG_DESK/count"
      echo more >> "$DAGFS_WORK_DIR/file"
      test -e "$DAG_DESK/go"
  - name: report
    depends: load
    run: echo "report ${day}" >> "$DAG_DESK/count"
"""


@pytest.fixture
def failed(home: Home) -> Home:
    home.dag("job", DAG)
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.file("go").touch()
    home.file("count").unlink()
    return home


def test_finished_steps_are_kept_by_reference_and_the_old_run_stays(failed: Home) -> None:
    before = failed.listing("runs/first/attempts")
    work = failed.listing("runs/first/work")
    failed.dagfs("rerun", "first", "--from", "load", "--id", "second", "--reason", "again").exits(0).says(
        "runs/second attempt 2, made from first", "extract kept"
    )
    assert failed.lines("count") == ["load 3 data", "report monday"]
    after = failed.listing("runs/first/attempts")
    assert {name: each[3] for name, each in after.items()} == {name: each[3] for name, each in before.items()}
    assert failed.listing("runs/first/work") == work
    artifact = "attempts/1/steps/extract/artifacts/data.txt"
    assert (failed.path / "runs/first" / artifact).samefile(failed.path / "runs/second" / artifact)
    found = failed.dagfs("show", "second", "--json").json
    assert (found["root"], found["parent"], found["trigger"], found["state"]) == (
        *("first", "first", "rerun"),
        "succeeded",
    )
    assert failed.dagfs("status", "first", "--json").json["state"] == "failed"
    failed.dagfs("runs", "--tree").says("└─ second")
    failed.dagfs("fsck").exits(0)
    failed.dagfs("retry", "first").exits(0)
    failed.dagfs("rerun", "second", "--from", "state:unfinished").exits(7)
    failed.dagfs("rerun", "second", "--only", "report", "--id", "third").exits(0)
    assert failed.dagfs("show", "third", "--json").json["root"] == "first"


def test_the_newest_file_and_other_parameters_are_judged_as_an_edit(failed: Home) -> None:
    failed.dag("job", DAG.replace('test -e "$DAG_DESK/go"', "true").replace("echo extract", "echo other"))
    failed.dagfs("rerun", "first", "--latest", "--from", "load").exits(5).says("stale.semantic")
    failed.dagfs("rerun", "first", "--latest", "--from", "lode").exits(2)
    failed.dagfs("rerun", "first", "--from", "report").exits(5).says("selection.upstream")
    assert [path.name for path in failed.runs()] == ["first"]
    words = ("--latest", "--from", "load", "--on-stale", "rerun", "-p", "day=friday", "--id", "second")
    failed.dagfs("rerun", "first", *words).exits(0)
    assert failed.lines("count") == ["other", "load 3 data", "report friday"]
    failed.dagfs("rerun", "first", "--from", "load", "--id", "second").exits(5).in_one_line()
    failed.dagfs("rerun", "first", "--from", "load", "--id", "../x").exits(2).in_one_line()


def test_sub_dags_come_along(home: Home) -> None:
    home.dag(
        "job",
        """
        name: job
        steps:
          - {name: each, call: chunk, parallel: {items: [a, b]}}
        ---
        name: chunk
        params: [x]
        steps:
          - {name: work, run: 'echo "$1" >> $DAG_DESK/count; test "$1" = a || test -e $DAG_DESK/go'}
        """,
    )
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.file("go").touch()
    home.file("count").unlink()
    home.dagfs("rerun", "first", "--from", "state:unfinished", "--id", "second").exits(0)
    assert home.lines("count") == ["b"]
    home.dagfs("fsck").exits(0)


def test_what_it_would_do_is_shown_and_nothing_is_made(failed: Home) -> None:
    before = failed.listing("runs")
    shown = failed.dagfs("rerun", "first", "--from", "load", "-n").exits(0)
    shown.says("keep extract", "run load selected", "run report")
    failed.dagfs("rerun", "first", "-n").exits(0).says(
        "a new run of job, made from first", "run extract all of it runs"
    )
    data = failed.dagfs("rerun", "first", "-n", "--latest", "--json").exits(0).json
    assert [step["step"] for step in data["steps"]] == ["extract", "load", "report"]
    failed.dag("job", DAG.replace("ROWS=3", "ROWS=4"))
    failed.dagfs("rerun", "first", "--from", "load", "--latest", "--dry-run").exits(5).says("stale.semantic")
    failed.dagfs("rerun", "first", "--from", "lod", "-n").exits(2).in_one_line()
    assert failed.listing("runs") == before
