"""Whatever is killed, at whatever moment: nothing is lost, nothing runs twice, and `retry` works at once."""

from __future__ import annotations

import os
import signal

import pytest

from intg.home import Engine, Home
from tests.patience import eventually

DAG = """
steps:
  - name: before
    run: echo before >> "$DAG_DESK/count"
    output: WORD
  - name: slow
    depends: before
    run: |
      echo slow >> "$DAG_DESK/count"
      echo "slow begins"
      until test -e "$DAG_DESK/go"; do sleep 0.02; done
      echo "slow ends"
      test ! -e "$DAG_DESK/fail"
  - name: after
    depends: slow
    run: echo after >> "$DAG_DESK/count"
handler_on:
  exit:
    run: echo "exit $DAG_RUN_STATUS" >> "$DAG_DESK/handlers"
  abort:
    run: echo abort >> "$DAG_DESK/handlers"
"""


@pytest.fixture
def running(home: Home) -> tuple[Home, Engine]:
    """A run whose second step waits for the file `go`."""
    home.dag("job", DAG)
    engine = home.start("run", "job")
    engine.until(lambda: "slow begins" in home.log("slow"), "the step's first line")
    return home, engine


@pytest.fixture
def orphaned(running: tuple[Home, Engine]) -> Home:
    """The same after `kill -9` of the engine: the step goes on alone."""
    home, engine = running
    assert engine.kill().code == -signal.SIGKILL
    return home


def go(home: Home) -> None:
    home.file("go").touch()


def end_of_slow(home: Home) -> None:
    """Let the step end, and wait until nothing of it is left."""
    go(home)
    eventually(lambda: not home.processes(), "the step's end")


def test_status_says_that_the_engine_died_and_the_step_goes_on(orphaned: Home) -> None:
    before = orphaned.listing()
    orphaned.dagfs("status").exits(0).says(
        "■ interrupted", "its engine died", "step slow still running", "dagfs retry"
    )
    assert orphaned.dagfs("status", "--json").json["orphans"] == ["slow"]
    orphaned.dagfs("runs").exits(0).says("interrupted")
    orphaned.dagfs("logs", "@", "slow").exits(0).says("slow begins")
    orphaned.dagfs("show").exits(0).says("interrupted")
    assert orphaned.listing() == before
    end_of_slow(orphaned)


def test_a_running_step_is_adopted_and_its_log_goes_on(orphaned: Home) -> None:
    orphaned.dagfs("plan").exits(0).says(
        "keep before", "adopt slow still running since attempt 1", "run after"
    )
    retry = orphaned.start("retry")
    retry.until((orphaned.run / "attempts/2").exists, "attempt 2")
    go(orphaned)
    retry.wait().exits(0).says("▶ slow adopted", "✓ slow succeeded", "✓ after succeeded")
    assert orphaned.lines("count") == ["before", "slow", "after"]
    assert orphaned.log("slow") == "slow begins\nslow ends\n"
    assert orphaned.dagfs("logs", "@", "slow").out == "slow begins\nslow ends\n"
    assert orphaned.lines("handlers") == ["exit succeeded"]
    assert [attempt["state"] for attempt in orphaned.dagfs("show", "--json").json["attempts"]] == [
        "interrupted",
        "succeeded",
    ]


def test_who_follows_a_log_misses_nothing_of_the_change_of_engines(running: tuple[Home, Engine]) -> None:
    home, engine = running
    follower = home.start("logs", "@", "slow", "-f")
    shell = home.shell("tail -n +1 -f runs/*/attempts/1/steps/slow/stdout.log > ../tail.txt 2>&1 & echo $!")
    engine.kill()
    retry = home.start("retry")
    retry.until((home.run / "attempts/2").exists, "attempt 2")
    go(home)
    retry.wait().exits(0)
    assert follower.wait().exits(0).out == "slow begins\nslow ends\n"
    eventually(lambda: home.lines("tail.txt") == ["slow begins", "slow ends"], "the last line")
    os.kill(int(shell), signal.SIGTERM)


def test_a_step_that_ended_meanwhile_is_kept_with_its_exit_code(orphaned: Home) -> None:
    end_of_slow(orphaned)
    orphaned.dagfs("status").exits(0).says("interrupted", "slow ✓ succeeded", "after · not_started")
    assert orphaned.dagfs("status", "--json").json["orphans"] == []
    orphaned.dagfs("plan").exits(0).says("keep slow succeeded in attempt 1", "run after")
    orphaned.dagfs("retry").exits(0)
    assert orphaned.lines("count") == ["before", "slow", "after"]
    assert orphaned.status()["steps"]["slow"]["exit_code"] == 0


def test_a_step_that_failed_meanwhile_runs_again(orphaned: Home) -> None:
    orphaned.file("fail").touch()
    end_of_slow(orphaned)
    orphaned.dagfs("status").exits(0).says("slow ✗ failed", "exit 1")
    orphaned.file("fail").unlink()
    orphaned.dagfs("retry").exits(0)
    assert orphaned.lines("count") == ["before", "slow", "slow", "after"]


@pytest.mark.parametrize("code", [0, 3])
def test_a_step_that_ended_meanwhile_without_its_output_is_judged_as_ever(home: Home, code: int) -> None:
    wait = f'echo on; until test -e "$DAG_DESK/go"; do sleep 0.02; done; exit {code}'
    home.dag(
        "job",
        f"""
        steps:
          - {{id: passed, run: '{wait}', outputs: [X], continue_on: failed}}
          - {{id: marked, run: '{wait}', outputs: [X], continue_on: {{failure: true, mark_success: true}}}}
          - {{id: after, run: "true", depends: [passed, marked]}}
        """,
    )
    engine = home.start("run", "job")
    engine.until(lambda: home.log("passed") and home.log("marked"), "the first lines of both")
    engine.kill()
    end_of_slow(home)
    steps = home.dagfs("status", "--json").json["steps"]
    assert (steps["passed"]["state"], steps["marked"]["state"]) == ("failed", "succeeded")
    assert steps["passed"]["reason"].startswith("exit 3" if code else "output X: the step has not")
    home.dagfs("retry")
    assert home.states() == {"passed": "failed", "marked": "succeeded", "after": "succeeded"}


def test_an_edit_of_the_running_step_is_refused(orphaned: Home) -> None:
    orphaned.edit(("slow ends", "slow has ended"))
    before = orphaned.listing()
    orphaned.dagfs("retry").exits(5).says("orphan.running", "'slow' is still running", "--kill-orphans")
    assert orphaned.listing() == before
    end_of_slow(orphaned)


def test_kill_orphans_ends_the_edited_step_and_runs_it_anew(orphaned: Home) -> None:
    orphaned.edit(("slow ends", "slow has ended"))
    old = set(orphaned.processes())
    retry = orphaned.start("retry", "--kill-orphans")
    retry.until(lambda: orphaned.lines("count").count("slow") == 2, "the second start")
    assert not old & set(orphaned.processes())
    go(orphaned)
    retry.wait().exits(0)
    assert orphaned.log("slow") == "slow begins\n"
    assert orphaned.log("slow", 2) == "slow begins\nslow has ended\n"


def test_the_engine_may_be_killed_twice_in_a_row(orphaned: Home) -> None:
    second = orphaned.start("retry")
    second.until((orphaned.run / "attempts/2").exists, "attempt 2")
    second.kill()
    orphaned.dagfs("status").says("interrupted", "step slow still running", "attempt 2")
    third = orphaned.start("retry")
    third.until((orphaned.run / "attempts/3").exists, "attempt 3")
    go(orphaned)
    third.wait().exits(0)
    assert orphaned.lines("count") == ["before", "slow", "after"]
    assert orphaned.log("slow") == "slow begins\nslow ends\n"


def test_after_the_engine_was_killed_twice_the_end_is_found_where_it_was_written(orphaned: Home) -> None:
    second = orphaned.start("retry")
    second.until((orphaned.run / "attempts/2").exists, "attempt 2")
    second.kill()
    end_of_slow(orphaned)
    orphaned.dagfs("retry").exits(0)
    assert orphaned.lines("count") == ["before", "slow", "after"]


def test_shim_and_engine_killed_together_lose_the_step_and_nothing_else(running: tuple[Home, Engine]) -> None:
    home, engine = running
    shims = home.pids("dagfs-shim")
    assert len(shims) == 1
    os.kill(engine.pid, signal.SIGSTOP)
    os.kill(shims[0], signal.SIGKILL)
    engine.kill()
    home.dagfs("status").exits(0).says("interrupted", "slow ? lost")
    old = set(home.processes())
    retry = home.start("retry")
    retry.until(lambda: home.lines("count").count("slow") == 2, "the second start")
    assert not old & set(home.processes()), "what the lost step left was to be ended first"
    go(home)
    retry.wait().exits(0)
    assert home.states()["slow"] == "succeeded"


def test_a_shim_killed_alone_fails_its_step_as_lost(running: tuple[Home, Engine]) -> None:
    home, engine = running
    os.kill(home.pids("dagfs-shim")[0], signal.SIGKILL)
    engine.wait().exits(1).says("slow", "lost")
    assert home.processes() == {}
    assert home.lines("count") == ["before", "slow"]


def test_a_zygote_killed_alone_costs_no_step(running: tuple[Home, Engine]) -> None:
    home, engine = running
    os.kill(home.pids("dagfs-zygote")[0], signal.SIGKILL)
    go(home)
    engine.wait()
    home.dagfs("retry")
    assert home.lines("count") == ["before", "slow", "after"]
    assert home.states() == {"before": "succeeded", "slow": "succeeded", "after": "succeeded"}


def test_killed_between_two_tries_a_step_gets_its_next_try_from_retry(home: Home) -> None:
    home.dag(
        "flaky",
        """
        steps:
          - name: flaky
            run: echo try >> "$DAG_DESK/count" && test -e "$DAG_DESK/go"
            retry_policy: {limit: 3, interval_sec: 3600}
        """,
    )
    engine = home.start("run", "flaky")
    engine.until(lambda: home.has_event("step_retrying"), "the first failure")
    engine.kill()
    home.dagfs("status").exits(0).says("interrupted", "flaky")
    home.dagfs("plan").exits(0).says("run flaky was between two tries")
    go(home)
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["try", "try"]


def test_while_one_engine_works_another_is_told_who_it_is(running: tuple[Home, Engine]) -> None:
    home, engine = running
    for words in (["plan"], ["retry"], ["retry", "--json"], ["retry", "-d"]):
        home.dagfs(*words).exits(75).says(
            f"is running: process {engine.pid}", os.uname().nodename, "dagfs stop"
        )
    home.dagfs("status").exits(0).says("▶ running", f"process {engine.pid}", "dagfs stop")
    go(home)
    engine.wait().exits(0)


def test_an_edit_saved_while_the_run_goes_on_waits_for_its_end(running: tuple[Home, Engine]) -> None:
    home, engine = running
    home.edit(("slow ends", "slow has ended"))
    go(home)
    engine.wait().exits(0)
    assert (home.run / "spec.next.yaml").exists()
    home.dagfs("plan").exits(5).says("stale.semantic")


def test_stop_ends_a_running_run_and_its_handlers_run(running: tuple[Home, Engine]) -> None:
    home, engine = running
    home.dagfs("stop", "@").exits(0).says("■ aborted")
    engine.wait().exits(143).says("slow aborted")
    assert home.states() == {"before": "succeeded", "slow": "aborted", "after": "not_started"}
    assert home.lines("handlers") == ["abort", "exit aborted"]
    home.dagfs("stop", "@").exits(7).says("is not running")
    go(home)
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["before", "slow", "slow", "after"]


def test_stop_ends_what_a_dead_engine_left(orphaned: Home) -> None:
    orphaned.dagfs("stop", "@").exits(0)
    assert orphaned.processes() == {}
    orphaned.dagfs("status").says("slow ■ aborted")
    go(orphaned)
    orphaned.dagfs("retry").exits(0)
    assert orphaned.lines("count") == ["before", "slow", "slow", "after"]


def test_control_c_once_stops_gracefully(running: tuple[Home, Engine]) -> None:
    home, engine = running
    engine.signal(signal.SIGINT)
    engine.wait().exits(130).says("stopping", "slow aborted", "aborted", "dagfs retry")
    assert home.lines("handlers") == ["abort", "exit aborted"]


def test_control_c_twice_kills(home: Home) -> None:
    home.dag(
        "deaf",
        """
        steps:
          - name: deaf
            run: |
              trap '' TERM INT
              echo begun
              while :; do sleep 0.02; done
        handler_on:
          exit: {run: echo exit >> "$DAG_DESK/handlers"}
        """,
    )
    home.settings("grace_sec: 600\n")
    engine = home.start("run", "deaf")
    engine.until(lambda: "begun" in home.log("deaf"), "the step's start")
    engine.signal(signal.SIGINT)
    engine.until(lambda: home.has_event("stop_requested"), "the first ^C")
    engine.signal(signal.SIGINT)
    engine.wait().exits(130)
    assert home.states() == {"deaf": "aborted"}
    assert home.lines("handlers") == []


def test_stop_kill_does_not_wait_for_a_deaf_step(home: Home) -> None:
    home.dag(
        "deaf", "steps: [{name: deaf, run: \"trap '' TERM; echo begun; while :; do sleep 0.02; done\"}]\n"
    )
    home.settings("grace_sec: 600\n")
    engine = home.start("run", "deaf")
    engine.until(lambda: "begun" in home.log("deaf"), "the step's start")
    home.dagfs("stop", "@", "--timeout", "0.2").exits(124).says("--kill")
    home.dagfs("stop", "@", "--kill").exits(0).says("aborted")
    engine.wait().exits(143)


def test_sigterm_ends_with_143(running: tuple[Home, Engine]) -> None:
    home, engine = running
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert home.states()["slow"] == "aborted"


def test_a_run_whose_folder_is_deleted_stops_and_never_claims_success(running: tuple[Home, Engine]) -> None:
    home, engine = running
    home.shell("rm -rf runs/*/")
    go(home)
    outcome = engine.wait()
    assert outcome.code in (74, 76), outcome
    assert home.lines("count") == ["before", "slow"]
    eventually(lambda: not home.processes(), "the end of its steps")
    home.dagfs("run", "job").exits(0)


def test_a_run_whose_folder_is_moved_away_stops_and_never_claims_success(
    running: tuple[Home, Engine],
) -> None:
    home, engine = running
    home.shell("mv runs/*/ elsewhere")
    go(home)
    outcome = engine.wait()
    assert outcome.code in (74, 76), outcome
    assert home.lines("count") == ["before", "slow"]


def test_of_two_simultaneous_retries_exactly_one_runs(orphaned: Home) -> None:
    end_of_slow(orphaned)
    rivals = [orphaned.start("retry") for _ in range(3)]
    codes = sorted(rival.wait().code for rival in rivals)
    assert codes[0] == 0, codes
    assert set(codes[1:]) <= {7, 8, 75}, codes
    assert orphaned.lines("count") == ["before", "slow", "after"]
    assert sorted(os.listdir(orphaned.run / "attempts")) == ["1", "2"]


def test_killed_at_every_step_a_run_still_runs_each_of_them_once(home: Home) -> None:
    names = [f"s{n}" for n in range(5)]
    steps = "".join(
        f'  - name: {name}\n    run: echo {name} >> "$DAG_DESK/count"; sleep 0.1; echo done\n'
        for name in names
    )
    home.dag("chain", f"type: chain\nsteps:\n{steps}")
    for done, words in enumerate([("run", "chain"), *[("retry",)] * (len(names) - 1)], 1):
        engine = home.start(*words)
        engine.until(lambda many=done: len(home.lines("count")) >= many, f"step {done}")
        engine.kill()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == names
    assert len(home.dagfs("show", "--json").json["attempts"]) == len(names) + 1
    assert home.dagfs("fsck").exits(0).out.startswith("sound")
