"""A step's state said by hand: on record with who and why, and what a retry makes of it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from intg.home import Home
from tests.patience import eventually

DAG = """
    name: job
    type: graph
    steps:
      - name: extract
        run: test -e "$DAG_DESK/mended" && echo 3
        output: ROWS
      - name: load
        depends: extract
        run: echo "$ROWS rows" >> "$DAG_DESK/loaded"
      - name: report
        depends: load
        run: echo reported >> "$DAG_DESK/loaded"
    handler_on:
      exit:
        run: echo exit >> "$DAG_DESK/handlers"
"""


@pytest.fixture
def failed(home: Home) -> Home:
    """A home whose only run failed at its first step, which an output is expected of."""
    home.dag("job", DAG)
    home.dagfs("run", "job").exits(1)
    return home


def sound(home: Home) -> None:
    home.dagfs("fsck").exits(0).says("sound")


def test_work_done_by_hand_is_kept_with_its_outputs(failed: Home) -> None:
    failed.dagfs("mark", "@", "extract", "succeeded", "-m", "counted", "--output", "ROWS=7").exits(0).says(
        "was failed"
    )
    sound(failed)
    status = failed.status()
    assert status["state"] == "failed"
    assert status["steps"]["extract"]["marked"]["reason"] == "counted"
    failed.dagfs("plan", "@").exits(0).says("keep extract marked succeeded by", ": counted", "run load")
    failed.dagfs("retry", "@").exits(0)
    assert failed.lines("loaded") == ["7 rows", "reported"]
    sound(failed)
    for word in ("status", "show", "plan"):
        failed.dagfs(word, "@").says("marked", "counted")


def test_an_output_that_a_step_behind_needs_must_be_given(failed: Home) -> None:
    before = failed.listing("runs", failed.run.name, "attempts")
    failed.dagfs("mark", "@", "extract", "succeeded", "-m", "done").exits(5).in_one_line().says(
        "without ROWS", "'load'", "--output ROWS="
    )
    assert failed.listing("runs", failed.run.name, "attempts") == before
    failed.dagfs("mark", "@", "load", "succeeded", "-m", "done").exits(0)
    failed.dagfs("mark", "@", "extract", "succeeded", "-m", "nobody needs it now").exits(0)


def test_a_run_whose_steps_are_all_marked_goes_on_to_its_handlers_alone(failed: Home) -> None:
    for step in ("report", "load", "extract"):
        failed.dagfs("mark", "@", step, "succeeded", "-m", "by hand").exits(0)
    failed.dagfs("plan", "@").exits(0).says("compatible: 3 kept")
    events = failed.dagfs("retry", "@", "--json").exits(0).events
    assert [event["event"] for event in events if "started" in event["event"]] == [
        "attempt_started",
        "handler_started",
    ]
    assert failed.lines("handlers") == ["exit", "exit"]
    failed.dagfs("retry", "@").exits(7)
    sound(failed)


def test_what_is_marked_failed_runs_again_with_all_behind_it(failed: Home) -> None:
    failed.file("mended").touch()
    failed.dagfs("retry", "@").exits(0)
    failed.dagfs("retry", "@").exits(7)
    failed.dagfs("mark", "@", "load", "failed", "-m", "wrong table").exits(0)
    failed.dagfs("status", "@").says("failed", "step load was marked failed by", "wrong table")
    failed.dagfs("runs").says("failed")
    sound(failed)
    failed.dagfs("plan", "@").exits(0).says("keep extract", "run load marked failed by", "upstream load runs")
    failed.dagfs("retry", "@").exits(0)
    assert failed.lines("loaded") == ["3 rows", "reported"] * 2
    failed.dagfs("status", "@").says("load was marked failed by", "wrong table")
    failed.dagfs("show", "@").says("load failed by", "(was succeeded")
    assert [each["step"] for each in failed.dagfs("status", "@", "--json").json["markings"]] == ["load"]


def test_what_is_marked_skipped_skips_what_stands_behind_it(failed: Home) -> None:
    failed.dagfs("mark", "@", "extract", "skipped", "-m", "no orders today").exits(0)
    failed.dagfs("plan", "@").says("keep extract marked skipped by")
    failed.dagfs("retry", "@").exits(0)
    assert set(failed.states().values()) == {"skipped"}
    failed.dagfs("mark", "@", "extract", "succeeded", "-m", "they came late", "--output", "ROWS=1").exits(0)
    failed.dagfs("plan", "@").exits(0).says("run load upstream extract was marked succeeded")
    failed.dagfs("retry", "@").exits(0)
    assert failed.lines("loaded") == ["1 rows", "reported"]
    sound(failed)


def test_other_outputs_than_finished_work_has_used_are_refused(failed: Home) -> None:
    failed.file("mended").touch()
    failed.dagfs("retry", "@").exits(0)
    words = ("mark", "@", "extract", "succeeded", "-m", "it was 4", "--output", "ROWS=4")
    failed.dagfs(*words).exits(5).says("'load' has finished", "mark load failed first")
    failed.dagfs("mark", "@", "load", "failed", "-m", "wrong count").exits(0)
    failed.dagfs("mark", "@", "report", "failed", "-m", "wrong count").exits(0)
    failed.dagfs(*words).exits(0)
    failed.dagfs("retry", "@").exits(0)
    assert failed.lines("loaded") == ["3 rows", "reported", "4 rows", "reported"]
    sound(failed)


def test_outputs_given_by_hand_are_checked_like_all_others(failed: Home) -> None:
    failed.dagfs("mark", "@", "extract", "succeeded", "-m", "counted", "--output", "ROWS=7").exits(0)
    (path,) = failed.run.glob("attempts/1/steps/extract/outputs.marked-*.json")
    assert json.loads(path.read_text())["outputs"] == {"ROWS": "7"}
    path.chmod(0o600)
    path.write_text(path.read_text().replace("7", "8"))
    failed.dagfs("fsck").exits(74).says("was marked with")
    failed.dagfs("plan", "@").exits(5).says("outputs.verify")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("extract", "succeeded"), 2, "-m"),
        (("extract", "succeeded", "-m", "  "), 2, "reason"),
        (("extract", "running", "-m", "x"), 2, "running"),
        (("extrakt", "failed", "-m", "x"), 4, "did you mean 'extract'?"),
        (("extract", "failed", "-m", "x"), 7, "failed already"),
        (("extract", "skipped", "-m", "x", "--output", "A=1"), 2, "no outputs"),
        (("extract", "succeeded", "-m", "x", "--output", "ROWS"), 2, "NAME=VALUE"),
        (("extract", "succeeded", "-m", "x", "--output", "a b=1"), 2, "cannot be an output"),
    ],
)
def test_what_cannot_be_marked_is_told_in_one_line(
    words: tuple[str, ...], code: int, says: str, failed: Home
) -> None:
    failed.dagfs("mark", "@", *words).exits(code).in_one_line().says(says)
    assert not failed.has_event("step_marked")


def test_a_run_at_work_is_not_marked_and_an_orphan_is_stopped_first(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: 'touch \"$DAG_DESK/on\"; sleep 600'}]\n")
    engine = home.start("run", "job")
    engine.until(lambda: home.file("on").exists(), "the step")
    home.dagfs("mark", "@", "a", "failed", "-m", "x").exits(75).in_one_line()
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    home.dagfs("mark", "@", "a", "succeeded", "-m", "x").exits(75).in_one_line().says("still running", "stop")
    home.dagfs("stop", "@").exits(0)
    home.dagfs("mark", "@", "a", "succeeded", "-m", "it was far enough").exits(0)
    home.dagfs("retry", "@").exits(0)
    sound(home)


def test_what_ended_after_its_engine_died_is_written_down_before_the_mark(home: Home) -> None:
    home.dag(
        "job",
        """
        type: graph
        steps:
          - name: a
            run: touch "$DAG_DESK/on"; while test ! -e "$DAG_DESK/go"; do sleep 0.02; done; echo 5
            output: N
          - name: b
            depends: a
            run: test "$N" = 5
        """,
    )
    engine = home.start("run", "job")
    engine.until(lambda: home.file("on").exists(), "the step")
    engine.kill()
    home.file("go").touch()
    eventually(lambda: not home.pids("dagfs") and home.states()["a"] == "succeeded", "the end of a")
    home.dagfs("mark", "@", "b", "skipped", "-m", "not needed").exits(0)
    names = [event["event"] for event in home.journal()]
    assert names[-3:] == ["step_finished", "attempt_finished", "step_marked"]
    sound(home)
    home.dagfs("mark", "@", "b", "failed", "-m", "needed after all").exits(0)
    home.dagfs("retry", "@").exits(0)


def test_marking_answers_in_json(failed: Home) -> None:
    found = failed.dagfs("mark", "@", "load", "skipped", "-m", "why not", "--json").exits(0).json
    assert (found["step"], found["state"], found["was"]) == ("load", "skipped", "upstream_failed")
    assert found["run"] == failed.run.name
    assert found["actor"]["user"]
    shown = failed.dagfs("show", "@", "--json").json["attempts"][0]["marked"]
    assert [each["reason"] for each in shown] == ["why not"]


def test_no_step_of_a_run_that_waits_for_an_approval_is_marked(home: Home) -> None:
    home.dag(
        "ask",
        """
        type: graph
        steps:
          - {name: check, run: echo, approval: {prompt: ok?}}
          - {name: other, run: echo}
          - {name: pub, depends: check, run: echo}
        """,
    )
    home.dagfs("run", "ask").exits(6)
    before = home.journal()
    for step in ("check", "other", "pub"):
        refused = home.dagfs("mark", "@", step, "failed", "-m", "x").exits(5)
        refused.in_one_line().says("waits for an approval")
    assert home.journal() == before
    home.dagfs("approve").exits(0).says("pub succeeded")


def test_a_step_with_children_that_is_marked_succeeded_is_kept(home: Home) -> None:
    home.dag(
        "calls",
        """
        type: graph
        steps:
          - {name: kid, call: inner}
          - {name: end, depends: kid, run: echo end >> $DAG_DESK/done}
        ---
        name: inner
        type: graph
        steps:
          - {name: ok, run: echo ok >> $DAG_DESK/done}
          - {name: bad, depends: ok, run: exit 1}
        """,
    )
    home.dagfs("run", "calls").exits(1)
    home.dagfs("mark", "@", "kid", "succeeded", "-m", "by hand").exits(0)
    home.dagfs("plan").exits(0).says("keep kid marked succeeded", "run end")
    home.dagfs("retry").exits(0)
    assert home.lines("done") == ["ok", "end"]
    home.dagfs("retry").exits(7)


def test_the_plan_shows_which_child_a_mark_below_has_opened_again(home: Home) -> None:
    home.dag("calls", "steps:\n  - {name: kid, call: inner}\n")
    steps = "  - {name: get, run: echo}\n  - {name: put, depends: get, run: echo}\n"
    home.dag("inner", f"type: graph\nsteps:\n{steps}")
    home.dagfs("run", "calls").exits(0)
    (child,) = (home.run / "children").iterdir()
    home.dagfs("mark", f"{home.run.name}/{child.name}", "put", "failed", "-m", "x").exits(0)
    plan = home.dagfs("plan").exits(0)
    plan.says("run kid marked failed", "goes on: compatible: 1 kept, 1 to run", "run put")
    home.dagfs("retry").exits(0)
