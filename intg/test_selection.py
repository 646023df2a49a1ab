"""Some steps of a run, and no others."""

from __future__ import annotations

import pytest

from intg.home import Home

DAG = """
name: job
steps:
  - name: extract
    run: echo extract >> "$DAG_DESK/count"
  - name: transform
    depends: extract
    run: echo transform >> "$DAG_DESK/count" && test -e "$DAG_DESK/go"
  - name: load
    depends: transform
    run: echo load >> "$DAG_DESK/count"
  - name: audit
    depends: extract
    run: echo audit >> "$DAG_DESK/count" && test -e "$DAG_DESK/go"
  - name: report
    depends: [load, audit]
    run: echo report >> "$DAG_DESK/count"
handler_on:
  success:
    run: echo "success $DAGFS_RUN_STATE" >> "$DAG_DESK/ends"
  failure:
    run: echo "failure $DAGFS_RUN_STATE" >> "$DAG_DESK/ends"
"""


@pytest.fixture
def failed(home: Home) -> Home:
    """A run that failed at two steps; the reason is out of the way since."""
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    home.file("go").touch()
    home.file("count").unlink()
    return home


@pytest.fixture
def done(failed: Home) -> Home:
    """The same, brought to its end."""
    failed.dagfs("retry").exits(0)
    failed.file("count").unlink()
    return failed


def ran(home: Home) -> list[str]:
    return sorted(home.lines("count"))


def test_a_selected_step_runs_with_all_behind_it_and_other_failures_stay(failed: Home) -> None:
    failed.dagfs("plan", "--select", "transform,-report").exits(5).says("selection.upstream", "audit")
    failed.dagfs("retry", "--from", "transform", "--to", "load").exits(1).says(
        "leave audit not selected; failed (exit 1)", "leave report not selected; never ran"
    )
    assert ran(failed) == ["load", "transform"]
    states = failed.states()
    assert (states["load"], states["audit"], states["report"]) == ("succeeded", "failed", "not_started")
    assert failed.lines("ends") == ["failure failed", "failure failed"]
    found = failed.dagfs("show", "--json").json["attempts"][1]
    assert (found["ran"], found["left"]) == (["transform", "load"], ["audit", "report"])
    assert found["asked"] == ["--select transform", "--to load"]
    failed.dagfs("retry").exits(0)
    assert ran(failed) == ["audit", "load", "report", "transform"]
    assert failed.states()["report"] == "succeeded"


def test_what_was_never_wanted_is_no_failure_and_runs_the_next_time(failed: Home) -> None:
    failed.dagfs("retry", "--to", "load,audit").exits(1).says("partially_succeeded")
    assert ran(failed) == ["audit", "load", "transform"]
    assert failed.status()["state"] == "partially_succeeded"
    assert failed.states()["report"] == "not_started"
    failed.dagfs("retry").exits(0)
    assert failed.status()["state"] == "succeeded"
    assert ran(failed) == ["audit", "load", "report", "transform"]


def test_finished_steps_run_again_when_they_are_selected(done: Home) -> None:
    done.dagfs("retry").exits(7)
    done.dagfs("retry", "--from", "l*").exits(0)
    assert ran(done) == ["load", "report"]
    done.dagfs("retry", "--only", "extract+,-extract").exits(0).says("keep stale load")
    assert ran(done) == ["audit", "load", "report", "transform"]
    done.dagfs("status").says("STALE")
    done.dagfs("retry", "--all").exits(0)
    assert len(ran(done)) == 9
    done.dagfs("status").never_says("STALE")
    done.dagfs("fsck").exits(0)


def test_a_selection_is_part_of_the_plan(done: Home) -> None:
    plan = done.dagfs("plan", "--from", "load", "--json").exits(0)
    done.file("plan.json").write_text(plan.out)
    assert plan.json["answers"]["selection"] == {"steps": "load"}
    done.dagfs("retry", "--plan", plan.json["plan"]).exits(8)
    done.dagfs("retry", "--plan", plan.json["plan"], "--from", "report").exits(8)
    assert ran(done) == []
    done.dagfs("retry", "--plan", str(done.file("plan.json"))).exits(0)
    assert ran(done) == ["load", "report"]
    done.dagfs("plan", "--from", "odd step").exits(2)
    done.dagfs("plan", "--only", "load", "--to", "load").exits(0).says("--only load --to load")


def test_what_is_no_selection_is_refused_and_changes_nothing(done: Home) -> None:
    before = done.listing("runs")
    for words, said in {
        ("--from", "lode"): "did you mean 'load'?",
        ("--select", "state:faild"): "did you mean 'failed'?",
        ("--only", "tag:nightly"): "steps have no tags",
        ("--to", ","): "a selection is empty",
        ("--all", "--only", "load"): "exclude each other",
        ("--all", "--to", "load"): "exclude each other",
        ("--from", "'load"): "not closed",
    }.items():
        done.dagfs("retry", *words).exits(2).in_one_line().says(said)
    done.dagfs("retry", "--from", "state:failed").exits(7).says("nothing that was selected")
    assert done.listing("runs") == before
