"""The story dagfs is for: a run fails, its captured spec is mended, and the same run goes on."""

from __future__ import annotations

import json
import os
import stat

import pytest

from intg.home import Home, Outcome

DATE = "2026-11-21"


@pytest.fixture
def failed(home: Home) -> Outcome:
    """The nightly import, run as shipped."""
    home.example("nightly-import")
    return home.dagfs("run", "nightly-import", "-p", f"date={DATE}")


def mend(home: Home) -> None:
    """The operator's edit: one flag, one timeout, one comment."""
    home.dagfs("edit", "@", "--no-editor").exits(0)
    home.shell("sed -i -f dags/nightly-import.mend.sed runs/*/spec.next.yaml")


def test_init_makes_a_home(home: Home) -> None:
    (home.path / "dagfs.yaml").unlink()
    home.dagfs("init").exits(0).says(
        "made dagfs.yaml", "made dags", "made plugins", "made runs", "dagfs run NAME"
    )
    assert sorted(path.name for path in home.path.iterdir()) == ["dagfs.yaml", "dags", "plugins", "runs"]
    home.dagfs("init").exits(0).says("is a home already")
    home.dagfs("runs").exits(0).says("no runs yet")
    home.dagfs("ls").exits(0).says("no DAGs in dags")


def test_the_example_of_init_fails_and_is_mended(home: Home) -> None:
    home.dagfs("init", "--example").exits(0).says("dagfs run hello")
    home.dagfs("run", "hello").exits(1)
    home.edit((" --no-such-flag", ""))
    home.dagfs("retry").exits(0)
    assert home.log("report", 2) == "said hello, world\n"


def test_the_run_fails_at_transform_and_says_what_to_type_next(home: Home, failed: Outcome) -> None:
    run = home.run.name
    failed.exits(1).says(
        f"runs/{run} attempt 1",
        "✓ extract succeeded",
        "✗ transform failed",
        "exit 2",
        "upstream transform: failed",
        "failed at transform",
        f"dagfs edit {run}",
        f"dagfs retry {run}",
    )


def test_status_says_what_failed_and_why(home: Home, failed: Outcome) -> None:
    home.dagfs("status", "@").exits(0).says(
        "nightly-import",
        "✗ failed",
        "attempt 1, spec.v1.yaml",
        f"params: date={DATE}",
        "ORDERS=40",
        "transform ✗ failed",
        "exit 2",
        "sort: unrecognized option '--field-seperator=,'",
        f"dagfs logs {home.run.name}",
        f"dagfs edit {home.run.name}",
    )
    home.dagfs("status", "@", "--exit-status").exits(1)
    document = home.dagfs("status", "--json").exits(0).json
    assert document["state"] == "failed"
    assert document["params"] == {"date": DATE, "orders": "40"}
    assert document["steps"]["transform"]["exit_code"] == 2
    assert document["handlers"]["failure"]["state"] == "succeeded"


def test_logs_shows_what_the_failed_step_printed(home: Home, failed: Outcome) -> None:
    logs = home.dagfs("logs", "@").exits(0).says("sorting 40 orders of 7 customers", "--field-seperator")
    assert "fetching" not in logs.out
    assert home.dagfs("logs", "@", "extract", "--stdout").exits(0).out == "40\n"
    assert home.dagfs("logs", "@", "extract", "--stderr").exits(0).out == f"fetching the orders of {DATE}\n"
    home.dagfs("logs", "@", "on:failure").exits(0).says(f"the import of {DATE} needs somebody's attention")
    home.dagfs("logs", "@", "load").exits(4).says("'load' has printed nothing", "upstream transform: failed")
    home.dagfs("logs", "@", "lod").exits(4).says("has no step 'lod'", "extract, transform, load")


def test_an_editor_opens_the_captured_spec_and_the_plan_follows(home: Home, failed: Outcome) -> None:
    editor = home.file("editor.sh")
    editor.write_text('#!/bin/sh\nsed -i -f dags/nightly-import.mend.sed "$1"\n')
    editor.chmod(0o700)
    edited = home.dagfs("edit", "@", env={"EDITOR": str(editor)}).exits(0)
    edited.says(
        "compatible: 1 kept, 2 to run", "keep extract", "run transform failed (exit 2)", "dagfs retry"
    )
    assert (home.run / "spec.next.yaml").read_text() != (home.run / "spec.v1.yaml").read_text()


def test_the_plan_gives_a_reason_for_each_step(home: Home, failed: Outcome) -> None:
    mend(home)
    before = home.listing("runs")
    plan = (
        home.dagfs("plan", "@")
        .exits(0)
        .says(
            "compatible: 1 kept, 2 to run",
            "keep extract succeeded in attempt 1, unchanged",
            "run transform failed (exit 2), command changed at line",
            "timeout_sec changed at line",
            "run load",
        )
    )
    data = home.dagfs("plan", home.run.name, "--json").exits(0).json
    assert data["verdict"] == "compatible"
    assert data["plan"] in plan.out
    assert [(step["step"], step["action"]) for step in data["steps"]] == [
        ("extract", "keep"),
        ("transform", "run"),
        ("load", "run"),
    ]
    assert all(step["reason"] for step in data["steps"])
    assert home.listing("runs") == before


def test_diff_shows_the_edit_as_text_and_in_meaning(home: Home, failed: Outcome) -> None:
    home.dagfs("diff", "@").exits(4).says("one spec and no edit")
    mend(home)
    text = home.dagfs("diff", "@", "--text").exits(1)
    text.says("--- spec.v1.yaml", "+++ spec.next.yaml", "- timeout_sec: 30", "+ timeout_sec: 60")
    steps = home.dagfs("diff", "@", "--steps").exits(1).out.splitlines()
    assert [line.split(" at ")[0] for line in steps] == [
        "step transform: command",
        "step transform: timeout_sec",
    ]
    assert "30 → 60 (changes how it runs, not the result)" in steps[1]
    changes = home.dagfs("diff", "@", "v1", "next", "--json").exits(1).json
    assert [(change["step"], change["field"], change["kind"]) for change in changes] == [
        ("transform", "command", "semantic"),
        ("transform", "timeout_sec", "operational"),
    ]


def test_retry_continues_the_same_run(home: Home, failed: Outcome) -> None:
    mend(home)
    first = home.listing("runs", home.run.name, "attempts", "1")
    old_spec = (home.run / "spec.v1.yaml").read_bytes()
    retry = home.dagfs("retry", "@", "--reason", "a flag was misspelt").exits(0)
    retry.says("attempt 2", "✓ extract kept", "✓ transform succeeded", "✓ load succeeded")
    run = home.run
    assert (run / "spec.v1.yaml").read_bytes() == old_spec
    assert b"--field-separator" in (run / "spec.v2.yaml").read_bytes()
    assert not (run / "spec.next.yaml").exists()
    assert home.listing("runs", run.name, "attempts", "1") == first
    assert sorted(os.listdir(run / "attempts/2/steps")) == ["load", "transform"]
    assert home.log("load", 2) == f"loaded 7 customers, 40 orders of {DATE}\n"
    loaded = (run / f"work/loaded-{DATE}.csv").read_text().splitlines()
    assert len(loaded) == 7
    assert loaded[0].endswith(",EUR")
    assert home.status()["steps"]["extract"]["attempt"] == 1
    assert home.dagfs("retry", "@").exits(7).says("nothing to do")


def test_show_lists_both_attempts(home: Home, failed: Outcome) -> None:
    mend(home)
    home.dagfs("retry", "@", "--reason", "a flag was misspelt").exits(0)
    shown = home.dagfs("show", "@").exits(0)
    shown.says(
        "attempt 1 ✗ failed spec.v1.yaml", "attempt 2 ✓ succeeded spec.v2.yaml", "why a flag was misspelt"
    )
    shown.says("ran extract, transform", "ran transform, load", "kept extract")
    one, two = home.dagfs("show", "@", "--json").exits(0).json["attempts"]
    assert (one["state"], one["spec"], one["ran"]) == ("failed", "spec.v1.yaml", ["extract", "transform"])
    assert (two["state"], two["spec"], two["why"]) == ("succeeded", "spec.v2.yaml", "a flag was misspelt")
    for attempt in (one, two):
        assert attempt["actor"]["uid"] == os.getuid()
        assert attempt["actor"]["host"] == os.uname().nodename
        assert attempt["created"] <= attempt["finished"]


def test_cat_jq_ls_diff_and_tail_are_enough(home: Home, failed: Outcome) -> None:
    sh = home.shell
    assert sh("ls runs").splitlines() == [home.run.name]
    assert sh("jq -r .state runs/*/status.json") == "failed\n"
    ask = """jq -r '.steps | to_entries[] | select(.value.state == "failed") | .key' runs/*/status.json"""
    assert sh(ask) == "transform\n"
    stderr = sh("cd runs/* && jq -r .steps.transform.stderr status.json")
    assert "--field-seperator" in sh(f"cd runs/* && cat {stderr}")
    assert sh("jq -r .params.date runs/*/attempts/1/attempt.json") == f"{DATE}\n"
    sh("cd runs/* && cp spec.v1.yaml spec.next.yaml")
    sh("sed -i -f dags/nightly-import.mend.sed runs/*/spec.next.yaml")
    home.dagfs("retry").exits(0)
    assert sh("ls runs/*/attempts").split() == ["1", "2"]
    changed = sh("cd runs/* && diff spec.v1.yaml spec.v2.yaml || test $? = 1")
    assert changed.count("\n> ") == 3
    assert sh("readlink runs/*/status.json") == "attempts/2/status.json\n"
    kept = sh("jq -r '.steps.extract | .reason, .stdout' runs/*/status.json").splitlines()
    assert kept == ["succeeded in attempt 1, unchanged", "attempts/1/steps/extract/stdout.log"]
    events = sh("tail -n 5 runs/*/attempts/2/journal.jsonl | jq -r '[.event, .step // empty] | join(\" \")'")
    assert events.splitlines() == [
        "step_started transform",
        "step_finished transform",
        "step_started load",
        "step_finished load",
        "attempt_finished",
    ]
    assert sh("cat runs/*/attempts/1/steps/extract/outputs.json | jq -r '.. | .ORDERS? // empty'") == "40\n"


def test_a_run_is_for_its_owner_alone_and_its_specs_for_reading(home: Home, failed: Outcome) -> None:
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700
    assert stat.S_IMODE((home.run / "spec.v1.yaml").stat().st_mode) == 0o400


def test_a_run_tells_its_story_as_json_lines(home: Home) -> None:
    home.example("nightly-import")
    events = home.dagfs("run", "nightly-import", "--json").exits(1).events
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    names = [(event["event"], event.get("step") or event.get("handler")) for event in events]
    assert names == [
        ("attempt_started", None),
        ("step_started", "extract"),
        ("step_finished", "extract"),
        ("step_started", "transform"),
        ("step_finished", "transform"),
        ("step_finished", "load"),
        ("handler_started", "failure"),
        ("handler_finished", "failure"),
        ("attempt_finished", None),
    ]
    journal = [{k: v for k, v in event.items() if k not in ("c", "k")} for event in home.journal()]
    assert journal == events
    mend(home)
    retried = home.dagfs("retry", "--json").exits(0).events
    assert (retried[1]["event"], retried[1]["step"], retried[1]["attempt"]) == ("step_kept", "extract", 1)
    assert json.dumps(retried[-1]["state"]) == '"succeeded"'
