"""What cuts a run short, in its odd moments: between repetitions, in conditions, in handlers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from intg.home import DAGFS, Home
from tests.patience import eventually


def test_a_step_whose_engine_dies_between_two_repetitions_is_not_done(home: Home) -> None:
    home.dag(
        "poll",
        """
        steps:
          - name: poll
            run: echo x >> "$DAG_DESK/count"
            repeat_policy: {repeat: until, condition: test -e "$DAG_DESK/ready", interval_sec: 600}
          - name: after
            run: echo after >> "$DAG_DESK/count"
            depends: poll
        """,
    )
    engine = home.start("run", "poll")
    engine.until(lambda: list(home.path.glob("runs/*/attempts/1/steps/poll/conditions/*/record.1")), "a look")
    engine.until(lambda: not home.pids("dagfs-shim"), "the end of the look")
    engine.kill()
    home.dagfs("status").exits(0).says("poll", "repeated")
    home.file("ready").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["x", "x", "after"]


def test_a_step_that_is_stopped_before_its_last_repetition_is_not_done(home: Home) -> None:
    home.dag(
        "poll",
        """
        steps:
          - name: poll
            run: echo x >> "$DAG_DESK/count"
            repeat_policy: {repeat: while, condition: 'touch "$DAG_DESK/looking"; exec sleep 600'}
        """,
    )
    engine = home.start("run", "poll")
    engine.until(home.file("looking").exists, "the look")
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert home.states() == {"poll": "aborted"}


def test_a_condition_that_outlives_its_engine_can_be_stopped(home: Home) -> None:
    home.dag(
        "poll",
        """
        steps:
          - name: poll
            run: "true"
            repeat_policy: {repeat: while, condition: 'touch "$DAG_DESK/looking"; exec sleep 600'}
        """,
    )
    engine = home.start("run", "poll")
    engine.until(home.file("looking").exists, "the look")
    engine.kill()
    home.dagfs("stop", "@").exits(0)
    assert home.pids("dagfs-shim") == []
    home.dagfs("stop", "@").exits(7).says("was interrupted")


def test_a_handler_that_outlives_its_engine_is_seen_and_stopped(home: Home) -> None:
    home.dag(
        "bye",
        """
        handler_on: {exit: {run: "echo exit >> $DAG_DESK/count; exec sleep 600"}}
        steps: [{name: a, run: "true"}]
        """,
    )
    engine = home.start("run", "bye")
    engine.until(lambda: home.lines("count"), "the handler")
    engine.kill()
    home.dagfs("retry").exits(5).says("the exit handler of attempt 1 is still running", "dagfs stop")
    home.dagfs("stop", "@").exits(0)
    assert not home.processes()
    handler = home.dagfs("status", "--json").json["handlers"]["exit"]
    assert handler["state"] == "aborted"


def test_a_handler_that_outlives_its_engine_is_killed_where_that_is_asked(home: Home) -> None:
    home.dag(
        "bye",
        """
        handler_on: {exit: {run: "echo exit >> $DAG_DESK/count; test -e $DAG_DESK/quick || exec sleep 600"}}
        steps: [{name: a, run: "true"}]
        """,
    )
    engine = home.start("run", "bye")
    engine.until(lambda: home.lines("count"), "the handler")
    engine.kill()
    home.file("quick").touch()
    home.dagfs("retry", "--kill-orphans").exits(0)
    assert home.lines("count") == ["exit", "exit"]
    assert not home.processes()


@pytest.mark.parametrize("place", ["dag", "step"])
def test_a_condition_that_outlives_its_engine_is_ended_and_asked_again(home: Home, place: str) -> None:
    text = 'echo look >> "$DAG_DESK/count"; test -e "$DAG_DESK/quick" || sleep 600'
    look = f"preconditions: [{{condition: '{text}'}}]"
    home.dag(
        "looking",
        f"""
        {look if place == "dag" else "description: x"}
        steps:
          - name: a
            run: echo a >> "$DAG_DESK/count"
            {look if place == "step" else "description: x"}
        """,
    )
    engine = home.start("run", "looking")
    engine.until(lambda: home.lines("count"), "the look")
    engine.kill()
    first = set(home.pids("dagfs-shim"))
    assert first
    home.file("quick").touch()
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["look", "look", "a"]
    assert not home.processes()


def test_a_precondition_of_the_dag_that_cannot_be_checked_ends_the_run_with_a_reason(home: Home) -> None:
    home.dag(
        "odd",
        """
        working_dir: /proc/none
        preconditions: [{condition: "true"}]
        handler_on: {exit: {run: "true"}}
        steps: [{name: a, run: "true"}]
        """,
    )
    home.dagfs("run", "odd").exits(1).says("a precondition could not be checked: cannot use working_dir")
    assert home.status()["state"] == "aborted"


def test_a_run_that_is_stopped_in_its_precondition_was_stopped_and_nothing_else(home: Home) -> None:
    home.dag(
        "early",
        """
        preconditions: [{condition: 'touch "$DAG_DESK/looking"; exec sleep 600'}]
        steps: [{name: a, run: "true"}]
        """,
    )
    engine = home.start("run", "early")
    engine.until(home.file("looking").exists, "the look")
    engine.signal(signal.SIGINT)
    engine.wait().exits(130).never_says("not met")
    assert home.status()["state"] == "aborted"


def test_a_run_whose_time_ends_in_its_init_handler_says_so(home: Home) -> None:
    home.dag(
        "slow",
        """
        timeout_sec: 1
        handler_on: {init: {run: "exec sleep 600"}}
        steps: [{name: a, run: "true"}]
        """,
    )
    home.dagfs("run", "slow").exits(1).says("timed out after 1 s").never_says("the init handler failed")


def test_a_stop_keeps_its_grace_though_the_time_of_the_run_ends_meanwhile(home: Home) -> None:
    home.settings("grace_sec: 30\n")
    home.dag(
        "slow",
        """
        timeout_sec: 2
        steps:
          - name: slow
            run: |
              trap 'sleep 2.5 & wait $!; echo tidied >> "$DAG_DESK/count"; exit 3' TERM
              touch "$DAG_DESK/begun"
              while :; do sleep 0.02; done
        """,
    )
    engine = home.start("run", "slow")
    engine.until(home.file("begun").exists, "the step")
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert home.lines("count") == ["tidied"]
    assert home.status()["state"] == "aborted"


def test_a_step_that_removes_its_own_folder_fails_alone_and_is_not_started_twice(home: Home) -> None:
    home.dag(
        "rude",
        """
        steps:
          - name: rude
            run: |
              echo rude >> "$DAG_DESK/count"
              rm -rf "$(dirname "$DAGFS_OUTPUT")"
              touch "$DAG_DESK/gone"
              until test -e "$DAG_DESK/go"; do sleep 0.02; done
            depends: []
          - {name: other, run: "true", depends: []}
        """,
    )
    engine = home.start("run", "rude")
    engine.until(home.file("gone").exists, "the removal")
    engine.kill()
    first = set(home.pids("dagfs-shim"))
    again = home.start("retry")
    again.until(lambda: len(home.lines("count")) == 2, "the second go")
    assert not first & set(home.pids("dagfs-shim"))
    home.file("go").touch()
    again.wait().exits(1).says("was its folder removed")
    assert home.states() == {"rude": "failed", "other": "succeeded"}


def test_oversized_output_of_a_step_that_outlived_its_engine_is_refused_in_the_plan_too(home: Home) -> None:
    home.dag(
        "big",
        """
        steps:
          - name: big
            run: |
              touch "$DAG_DESK/begun"
              until test -e "$DAG_DESK/go"; do sleep 0.02; done
              head -c 1048577 /dev/zero | tr '\\0' x
            output: BIG
        """,
    )
    engine = home.start("run", "big")
    engine.until(home.file("begun").exists, "the step")
    engine.kill()
    home.file("go").touch()
    eventually(lambda: not home.processes(), "its end")
    plan = home.dagfs("plan", "--json").json
    assert [step["action"] for step in plan["steps"]] == ["run"], plan


def test_the_files_an_adopted_step_wrote_before_are_in_its_manifest(home: Home) -> None:
    home.dag(
        "files",
        """
        steps:
          - name: files
            run: |
              echo early > "$DAGFS_WORK_DIR/early"
              echo made > "$DAGFS_ARTIFACTS_DIR/made"
              touch "$DAG_DESK/begun"
              until test -e "$DAG_DESK/go"; do sleep 0.02; done
        """,
    )
    engine = home.start("run", "files")
    engine.until(home.file("begun").exists, "the step")
    engine.kill()
    again = home.start("retry")
    again.until(lambda: home.has_event("step_adopted", 2), "the adoption")
    home.file("go").touch()
    again.wait().exits(0)
    manifest = json.loads((home.run / "attempts/2/steps/files/manifest.json").read_text())
    assert (manifest["work"].keys(), manifest["artifacts"].keys()) == ({"early"}, {"made"})
    assert home.dagfs("fsck").exits(0).out.strip() == "sound"


def test_runs_begun_at_the_same_instant_do_not_disturb_each_other(home: Home) -> None:
    home.dag("quick", 'steps: [{name: a, run: "true"}]\n')
    same = [home.start("run", "quick", "--id", "same") for _ in range(4)]
    own = [home.start("run", "quick") for _ in range(4)]
    outcomes = [engine.wait() for engine in same]
    assert sorted(each.code for each in outcomes) == [0, 5, 5, 5], [str(each) for each in outcomes]
    for engine in own:
        engine.wait().exits(0)


def test_a_working_dir_never_becomes_a_folder_named_like_a_reference(home: Home) -> None:
    home.dag("where", 'steps: [{name: a, run: pwd, working_dir: "${NOPE}/x"}]\n')
    home.dagfs("run", "where").exits(1).says("names ${NOPE}, which is not set")
    assert [path.name for path in (home.path / "dags").iterdir()] == ["where.yaml"]


@pytest.mark.skipif(os.getuid() != 0, reason="drops the rights of root")
def test_a_step_that_locks_its_folder_does_not_end_the_run(home: Home) -> None:
    home.dag(
        "locked",
        """
        steps:
          - {name: locked, run: 'chmod 0 "$(dirname "$DAGFS_OUTPUT")"', depends: []}
          - {name: other, run: "true", depends: []}
          - {name: after, run: "true", depends: other}
        """,
    )
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", DAGFS, "run", "locked"]
    done = subprocess.run(
        words, cwd=home.path, env=home._environment(None), capture_output=True, text=True, check=False
    )
    for folder in Path(home.run).glob("attempts/1/steps/locked"):
        folder.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert home.states() == {"locked": "failed", "other": "succeeded", "after": "succeeded"}


def test_more_steps_at_once_than_a_process_may_have_files_open(home: Home) -> None:
    steps = [
        f"  - {{name: s{n}, command: 'touch {n}.up; until [ -e go ]; do sleep 0.1; done; ulimit -Sn'}}"
        for n in range(60)
    ]
    text = "\n".join(["type: graph", "working_dir: $DAG_DESK", "max_active_steps: 60", "steps:", *steps])
    home.dag("wide", f"{text}\n")
    done = home.shell(
        "ulimit -Sn 80; dagfs run wide --plain >log 2>&1 & engine=$!; "
        "until [ $(ls .. | grep -c '[.]up$') = 60 ]; do sleep 0.1; done; touch ../go; wait $engine; cat log"
    )
    assert done.count("succeeded") >= 60
    # A step still has the limit that dagfs was started with.
    assert home.dagfs("logs", "@", "s7").exits(0).out == "80\n"


def test_what_a_step_leaves_whose_engine_and_shim_were_killed_can_be_stopped(home: Home) -> None:
    home.dag("lost", "steps:\n  - name: one\n    run: touch $DAG_DESK/up; sleep 600\n")
    engine = home.start("run", "lost")
    engine.until(home.file("up").exists, "the step")
    shims = home.pids("dagfs-shim")
    engine.kill()
    for pid in shims:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not home.pids("dagfs-shim"), "the end of the shim")
    home.dagfs("status").says("its supervising process was killed")
    assert home.pids("sleep")
    home.dagfs("stop", "@").exits(0)
    assert not home.pids("sleep")
    home.dagfs("stop", "@").exits(7)
