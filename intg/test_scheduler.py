"""The scheduler as its users know it: real processes, real files, a real clock."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from intg.home import Engine, Home
from intg.small_disk import needs_root, small_disk
from tests.patience import eventually

STEPS = "steps:\n  - name: work\n    command: echo done >> $DAG_DESK/done\n"


_PACE = {"sec": 2.0}
"""How long a scheduler took to begin; on a busy machine everything takes longer."""


def soon(more: float = 0) -> str:
    """An instant that is still to come when a scheduler has read it, as a DAG file has it."""
    ahead = timedelta(seconds=3 + 2 * _PACE["sec"] + more)
    return (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds")


def status(home: Home) -> dict[str, Any]:
    return dict(home.dagfs("scheduler", "--status", "--json").json)


def at_work(home: Home, *words: str) -> Engine:
    """A scheduler that has begun."""
    began = time.monotonic()
    scheduler = home.start("scheduler", *words)
    scheduler.until(lambda: _is_at_work(home, scheduler), "a sign of life")
    _PACE["sec"] = time.monotonic() - began
    return scheduler


def _is_at_work(home: Home, scheduler: Engine) -> bool:
    found = status(home)
    return bool(found["alive"] and found["pid"] == scheduler.pid)


def written_long_ago(path: Path) -> None:
    """A scheduler takes such a file as soon as it begins."""
    os.utime(path, (1e9, 1e9))


def ended(home: Home, count: int) -> list[dict[str, Any]]:
    """The runs of the home once there are so many, and all are over."""

    def over() -> list[dict[str, Any]]:
        found = home.dagfs("runs", "--json").json
        states = {run["state"] for run in found}
        return found if len(found) >= count and not states & {"running", "queued"} else []

    return eventually(over, f"the end of {count} runs")


def noted(home: Home, event: str) -> list[dict[str, Any]]:
    """What the scheduler's log has of one kind."""
    lines = (home.path / "runs/.scheduler/log.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["event"] == event]


def watches(home: Home) -> None:
    """The scheduler has seen what lies in an inbox: whatever comes now is new."""
    eventually(lambda: list((home.path / "runs/.scheduler/seen").iterdir()), "a look at the inbox")


def finish(scheduler: Engine) -> str:
    """SIGTERM ends it; what it said."""
    scheduler.signal(signal.SIGTERM)
    return scheduler.wait().exits(0).err


def test_an_instant_starts_a_run_that_outlives_the_scheduler(home: Home) -> None:
    scheduler = at_work(home)
    home.dag(
        "one",
        f"""\
        schedule: {{at: "{soon()}"}}
        steps:
          - name: work
            command: while [ ! -e $DAG_DESK/go ]; do sleep 0.05; done; echo done >> $DAG_DESK/done
        """,
    )
    eventually(lambda: home.pids("sleep"), "the run")
    scheduler.kill()
    home.file("go").touch()
    (run,) = ended(home, 1)
    assert run["state"] == "succeeded"
    assert run["trigger"] == "schedule"
    assert home.lines("done") == ["done"]
    home.dagfs("doctor").exits(1).says("the newest 1 are sound", "it died, or it hangs")


def test_three_schedulers_and_kill_9_start_each_instant_once(home: Home) -> None:
    schedulers = [at_work(home)] + [home.start("scheduler") for _ in range(2)]
    names = [f"dag{place}" for place in range(4)]
    for place, name in enumerate(names):
        home.dag(name, f'schedule: {{at: "{soon(place)}"}}\n{STEPS}')
    eventually(home.runs, "a first run")
    for scheduler in schedulers[:2]:
        scheduler.kill()
        schedulers.append(home.start("scheduler"))
    runs = ended(home, len(names))
    assert sorted(run["dag"] for run in runs) == names
    assert len(home.lines("done")) == len(names)
    for scheduler in schedulers[2:]:
        scheduler.kill()


def test_kill_9_again_and_again_misses_no_start_and_doubles_none(home: Home) -> None:
    names = [f"dag{place}" for place in range(10)]
    scheduler = at_work(home)
    for place, name in enumerate(names):
        home.dag(name, f'schedule: {{at: "{soon(0.4 * place)}"}}\n{STEPS}')
    eventually(lambda: status(home)["schedules"] == len(names), "all schedules")
    scheduler.kill()
    for made in range(len(names) + 1):
        scheduler = home.start("scheduler")
        scheduler.until(lambda made=made: len(home.runs()) >= made, f"{made} runs")
        if made % 2:
            for pid in home.pids("dagfs-spawner"):
                os.kill(pid, signal.SIGKILL)
        scheduler.kill()
    finish(at_work(home))
    assert sorted(run["dag"] for run in ended(home, len(names))) == names
    assert len(home.lines("done")) == len(names)


def test_what_runs_are_started_from_may_die_at_any_time(home: Home) -> None:
    scheduler = at_work(home)
    (spawner,) = eventually(lambda: home.pids("dagfs-spawner"), "what runs are started from")
    os.kill(spawner, signal.SIGKILL)
    home.dag("one", STEPS)
    home.dagfs("enqueue", "one").exits(0)
    (run,) = ended(home, 1)
    assert run["state"] == "succeeded"
    finish(scheduler)
    assert not home.pids("dagfs-spawner")


def test_an_orderly_end_leaves_runs_alone_or_stops_them(home: Home) -> None:
    home.dag("long", "steps: [{name: work, command: sleep 600}]\n")
    home.dagfs("enqueue", "long").exits(0)
    scheduler = at_work(home)
    eventually(lambda: home.pids("sleep"), "the run")
    finish(scheduler)
    assert home.pids("sleep")
    finish(at_work(home, "--stop-runs"))
    (run,) = ended(home, 1)
    assert run["state"] == "aborted"
    assert not home.pids("sleep")


def test_more_changes_than_the_system_can_queue_are_found_all_the_same(home: Home) -> None:
    home.dag("first", f"schedule: '0 0 1 1 *'\n{STEPS}")
    scheduler = at_work(home)
    scheduler.signal(signal.SIGSTOP)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for place in range(most // 2 + 100):
        # Two files in turn: equal events one after the other count once.
        (home.path / "dags" / f"{place % 2}.tmp").touch()
    home.dag("second", f"schedule: '0 0 1 1 *'\n{STEPS}")
    scheduler.signal(signal.SIGCONT)
    # Sooner than the look at all files that is due anyway.
    eventually(lambda: status(home)["schedules"] == 2, "the second file", within=20)
    finish(scheduler)


def faketime(moment: str) -> dict[str, str]:
    """An environment in which it is another time, that goes on from there."""
    offset = round((datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"+{offset}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def test_on_the_days_when_clocks_are_changed_it_runs_once(home: Home) -> None:
    """02:30 in Berlin: skipped on the one day, twice on the other. Each scheduler begins right after it."""
    home.dag("night", f"schedule: '30 2 * * *'\ntimezone: Europe/Berlin\ncatchup: none\n{STEPS}")
    for count, moment in (
        (0, "2027-03-28T00:30:01+00:00"),
        (1, "2027-03-28T01:00:01+00:00"),
        (2, "2027-10-31T00:30:01+00:00"),
        (2, "2027-10-31T01:30:01+00:00"),
    ):
        scheduler = home.start("scheduler", env=faketime(moment))
        scheduler.until(
            lambda moment=moment: status(home).get("tick", "") > moment,
            "a look at the clock after the instant",
        )
        if count:
            ended(home, count)
        finish(scheduler)
    starts = sorted(path.name.split("-")[1] for path in home.runs())
    assert starts == ["20270328t0100z", "20271031t0030z"]


@needs_root
def test_a_full_disk_stops_no_scheduler_and_loses_no_instant(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as home:
        scheduler = at_work(home)
        due = soon(1)
        home.dag("job", f'schedule: {{at: "{due}"}}\nsteps: [{{name: work, command: echo done}}]\n')
        eventually(lambda: status(home)["schedules"] == 1, "the schedule")
        ballast = home.file("ballast")
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        later = datetime.fromisoformat(due) + timedelta(seconds=2)
        scheduler.until(lambda: datetime.now(UTC) > later, "the instant")
        assert not home.runs()
        ballast.unlink()
        (run,) = ended(home, 1)
        assert run["state"] == "succeeded"
        finish(scheduler)


def test_a_run_whose_engine_was_killed_goes_on_by_itself(home: Home) -> None:
    home.dag(
        "flaky",
        """\
        retry_policy: {limit: 2, interval_sec: 0}
        steps:
          - name: first
            command: echo first >> $DAG_DESK/done
          - name: second
            command: while [ ! -e $DAG_DESK/go ]; do sleep 0.05; done; echo second >> $DAG_DESK/done
            depends: first
        """,
    )
    home.dagfs("enqueue", "flaky", "--id", "r1").exits(0)
    scheduler = at_work(home)
    owner = home.path / "runs/r1/owner.json"
    eventually(lambda: home.pids("sleep") and owner.exists(), "the second step")
    os.kill(json.loads(owner.read_text())["identity"]["pid"], signal.SIGKILL)
    eventually(lambda: (home.path / "runs/r1/attempts/2").is_dir(), "a second attempt")
    home.file("go").touch()
    (run,) = ended(home, 1)
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    assert home.lines("done") == ["first", "second"]
    home.dagfs("show", "r1").says("its engine died")
    finish(scheduler)


def test_a_queue_chosen_by_hand_counts_after_a_restart(home: Home) -> None:
    home.dag("job", "steps:\n  - while [ ! -e $DAG_DESK/go ]; do sleep 0.05; done\n")
    for place in range(2):
        home.dagfs("enqueue", "job", "--queue", "heavy", "--id", f"q{place}").exits(0)
    scheduler = at_work(home)
    eventually(lambda: home.pids("sleep"), "the first run")
    scheduler.kill()
    scheduler = at_work(home)
    eventually(lambda: status(home)["running"] == 1, "its look at the runs")
    assert len(home.runs()) == 1
    home.file("go").touch()
    assert len(ended(home, 2)) == 2
    finish(scheduler)


def test_what_was_missed_is_made_up_for_after_a_restart(home: Home) -> None:
    written_long_ago(home.dag("late", f"schedule: ['* * * * *']\ncatchup: all\noverlap: queue\n{STEPS}"))
    finish(at_work(home))
    (mark,) = (home.path / "runs/.scheduler/watermarks").iterdir()
    document = json.loads(mark.read_text())
    past = datetime.now(UTC) - timedelta(minutes=3)
    document["until"] = past.isoformat()
    mark.write_text(json.dumps(document))
    scheduler = at_work(home)
    runs = ended(home, 3)
    assert {run["trigger"] for run in runs} == {"schedule"}
    finish(scheduler)
    assert len(home.lines("done")) == len(home.runs())


def test_a_file_that_turns_bad_is_named_and_its_last_good_version_runs(home: Home) -> None:
    scheduler = at_work(home)
    path = home.dag("job", f'schedule: {{at: "{soon(1)}"}}\n{STEPS}')
    eventually(lambda: status(home)["schedules"] == 1, "the schedule")
    path.write_text("schedule: [\nsteps: x")
    eventually(lambda: "job.yaml" in status(home).get("errors", {}), "the error")
    home.dagfs("scheduler", "--status").says("job.yaml")
    (run,) = ended(home, 1)
    assert run["state"] == "succeeded"
    finish(scheduler)


def test_a_poisonous_file_never_stops_the_others(home: Home) -> None:
    (home.path / "dags").mkdir(exist_ok=True)
    os.mkfifo(home.path / "dags" / "fifo.yaml")
    (home.path / "dags" / "binary.yaml").write_bytes(bytes(range(256)))
    (home.path / "dags" / "folder.yaml").mkdir()
    (home.path / "dags" / "deep.yaml").write_text("[" * 5000)
    scheduler = at_work(home)
    home.dag("good", f'schedule: {{at: "{soon()}"}}\n{STEPS}')
    (run,) = ended(home, 1)
    assert run["dag"] == "good"
    finish(scheduler)


def test_files_start_runs_once_each(home: Home) -> None:
    inbox = home.path / "inbox"
    inbox.mkdir()
    (inbox / "old.csv").write_text("was here before\n")
    home.dag(
        "load",
        """\
        watch: "inbox/*.csv"
        overlap: allow
        params:
          - file: none
        steps:
          - name: work
            command: cat "$file" >> $DAG_DESK/loaded
            env:
              - file: ${file}
        """,
    )
    scheduler = at_work(home)
    watches(home)
    (inbox / "odd $(name) 'x'.csv").write_text("one\n")
    runs = ended(home, 1)
    assert runs[0]["trigger"] == "watch"
    assert home.lines("loaded") == ["one"]
    finish(scheduler)
    (inbox / "meanwhile.csv").write_text("two\n")
    scheduler = at_work(home)
    ended(home, 2)
    assert sorted(home.lines("loaded")) == ["one", "two"]
    finish(scheduler)


POOR = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search"
"""Modes hold for root too."""


def poorly(home: Home, words: str) -> str:
    """What a command says and its exit code, called by one who may read only what modes allow."""
    poor = POOR if os.geteuid() == 0 else ""
    return home.shell(f"{poor} dagfs {words} 2>&1 && echo exit 0 || echo exit $?")


def test_what_may_not_be_read_is_named_and_hides_nothing_else(home: Home) -> None:
    for name, hour in (("a", 5), ("b", 6)):
        home.dag(name, f"schedule: '0 {hour} * * *'\n{STEPS}")
    (home.path / "dags/a.yaml").chmod(0)
    for words in ("ls", "next", "validate"):
        said = poorly(home, words)
        assert "a.yaml: Permission denied" in said
        assert "b" in said.replace("a.yaml", "")
    assert "exit 0" in poorly(home, "ls")
    assert "1 of 2 cannot be read" in poorly(home, "doctor")
    (home.path / "dags/b.yaml").chmod(0)
    assert "exit 74" in poorly(home, "next")
    (home.path / "dags").chmod(0)
    for words in ("ls", "next", "ls -1", "validate", "run a"):
        said = poorly(home, words)
        assert "Permission denied" in said
        assert "exit 74" in said
    assert "cannot list" in poorly(home, "doctor")
    (home.path / "dags").chmod(0o700)


def test_a_scheduler_goes_on_with_what_it_may_not_read_any_more(home: Home) -> None:
    home.dag("a", f"schedule: '0 5 * * *'\n{STEPS}")
    poor = POOR if os.geteuid() == 0 else ""
    pid = int(home.shell(f"{poor} dagfs scheduler > /dev/null 2>&1 & echo $!"))
    eventually(lambda: status(home).get("schedules") == 1, "the schedule")
    (home.path / "dags").chmod(0)
    os.kill(pid, signal.SIGHUP)
    found = eventually(lambda: status(home)["errors"], "word of it")
    assert "Permission denied" in found["dags/"]
    assert status(home)["schedules"] == 1
    (home.path / "dags").chmod(0o700)
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: not status(home)["errors"], "the end of it")
    log = home.dagfs("scheduler", "--log", "9", "--json").events
    assert [line["file"] for line in log if line["event"] == "dag_error"] == ["dags/"]
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: status(home)["stopped"], "its end")


def test_links_in_circles_and_the_whole_disk_keep_nobody_waiting(home: Home) -> None:
    inbox = home.path / "inbox"
    inbox.mkdir()
    for name in "abc":
        (inbox / name).symlink_to(".")
    home.dag("circles", f'watch: "inbox/**/*.csv"\n{STEPS}')
    home.dag("everything", f'watch: "/**/*.csv"\n{STEPS}')
    scheduler = at_work(home)
    seen = home.path / "runs/.scheduler/seen"
    eventually(lambda: list(seen.iterdir()), "the end of the first pass of one")
    home.dag("clock", f'schedule: {{at: "{soon()}"}}\n{STEPS}')
    (inbox / "new.csv").touch()
    began = lambda: {run["dag"] for run in home.dagfs("runs", "--json").json}  # noqa: E731
    eventually(lambda: began() >= {"circles", "clock"}, "a run of each")
    finish(scheduler)


def test_queued_runs_start_when_there_is_room(home: Home) -> None:
    home.dag("slow", "steps:\n  - name: work\n    command: echo $DAG_RUN_ID >> $DAG_DESK/done\n")
    for place in range(3):
        home.dagfs("enqueue", "slow", "--id", f"q{place}").exits(0).says(
            f"q{place}", "no scheduler is at work"
        )
    home.dagfs("enqueue", "slow", "--id", "q1").exits(5).in_one_line()
    home.dagfs("queue", "rm", "q2").exits(0)
    home.dagfs("queue", "rm", "q2").exits(4)
    home.dagfs("queue").says("q0", "q1").never_says("q2")
    (home.path / "dags" / "slow.yaml").unlink()
    home.dagfs("queue", "pause", "slow").exits(0)
    scheduler = at_work(home)
    home.dagfs("queue", "resume", "slow").exits(0)
    runs = ended(home, 2)
    assert {run["run"] for run in runs} == {"q0", "q1"}
    finish(scheduler)
    home.dagfs("queue").says("nothing waits")


def test_a_queue_is_paused_before_anybody_uses_it_but_not_in_silence(home: Home) -> None:
    home.dag("job", f"queue: heavy\n{STEPS}")
    home.dag("plain", STEPS)
    home.settings("queues: {wide: 4}\n")
    for name in ("heavy", "plain", "wide"):
        assert not home.dagfs("queue", "pause", name).exits(0).err
    home.dagfs("queue", "pause", "nosuch").exits(0).in_one_line().says("nosuch is paused, but nothing waits")
    home.dagfs("enqueue", "plain", "--queue", "nosuch").exits(0)
    assert not home.dagfs("queue", "pause", "nosuch").exits(0).err
    for name in ("../x", "a b", ""):
        home.dagfs("queue", "pause", name).exits(2).in_one_line().says("cannot name a queue")
    home.dagfs("queue", "resume", "../x").exits(7).in_one_line()
    home.dagfs("queue", "resume", "nosuch").exits(0)


def test_a_queued_run_begins_where_its_profile_says(home: Home) -> None:
    home.dag("job", 'steps:\n  - name: work\n    command: echo "$PLACE" >> $DAG_DESK/done\n')
    home.settings("profiles:\n  there: {work: {env: {PLACE: there}}}\n")
    home.dagfs("enqueue", "job", "--profile", "thre").exits(4).in_one_line().says("did you mean 'there'?")
    home.dagfs("enqueue", "job", "--id", "q1", "--profile", "there").exits(0)
    home.file("mine.yaml").write_text("work: {env: {PLACE: mine}}\n")
    file = os.path.relpath(home.file("mine.yaml"), home.path)
    home.dagfs("enqueue", "job", "--id", "q2", "--profile", file).exits(0)
    assert [each["profile"] for each in home.dagfs("queue", "--json").json] == [
        "there",
        str(home.file("mine.yaml")),
    ]
    scheduler = at_work(home)
    ended(home, 2)
    assert sorted(home.lines("done")) == ["mine", "there"]
    finish(scheduler)


def test_pause_and_resume(home: Home) -> None:
    home.dag("job", f"schedule: '* * * * *'\n{STEPS}")
    home.dagfs("pause", "job", "--reason", "tired").exits(0)
    home.dagfs("next", "-n", "1").says("(paused)")
    home.dagfs("resume", "job").exits(0)
    home.dagfs("resume", "job").exits(7).in_one_line()
    home.dagfs("pause", "nothing").exits(4)


def test_a_failed_run_is_retried_by_its_dags_policy(home: Home) -> None:
    home.dag(
        "flaky",
        """\
        retry_policy: {limit: 2, interval_sec: 0}
        steps:
          - name: first
            command: echo first >> $DAG_DESK/done
          - name: second
            command: test -e $DAG_DESK/fixed || { touch $DAG_DESK/fixed; exit 1; }
            depends: first
        """,
    )
    home.dagfs("enqueue", "flaky", "--id", "r1").exits(0)
    scheduler = at_work(home)
    eventually(lambda: (home.path / "runs/r1/attempts/2").is_dir(), "a second attempt")
    (run,) = ended(home, 1)
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    assert home.lines("done") == ["first"]
    home.dagfs("show", "r1").says("automatic retry")
    finish(scheduler)


def test_a_run_is_retried_by_itself_where_it_ran_before(home: Home) -> None:
    home.settings("profiles:\n  far:\n    '*': {env: {PLACE: far}}\n")
    home.dag(
        "flaky",
        """\
        retry_policy: {limit: 1, interval_sec: 0}
        steps:
          - name: only
            command:
              - echo $PLACE >> $DAG_DESK/done
              - test -e $DAG_DESK/fixed || { touch $DAG_DESK/fixed; exit 1; }
        """,
    )
    home.dagfs("enqueue", "flaky", "--id", "r1", "--profile", "far").exits(0)
    scheduler = at_work(home)
    eventually(lambda: (home.path / "runs/r1/attempts/2").is_dir(), "a second attempt")
    (run,) = ended(home, 1)
    assert (run["state"], run["attempt"], run["profile"]) == ("succeeded", 2, "far")
    assert home.lines("done") == ["far", "far"]
    finish(scheduler)


def test_backfill_makes_each_run_once(home: Home) -> None:
    home.dag(
        "day", "schedule: '30 2 * * *'\nparams: [{date: none}]\nsteps:\n  - echo ${date} >> $DAG_DESK/done\n"
    )
    words = ("backfill", "day", "--from", "2026-03-28", "--to", "2026-03-30", "-p", "date=%Y-%m-%d")
    home.dagfs(*words, "-n").exits(0).says("would be made")
    assert not home.runs()
    home.dagfs(*words, "--jobs", "2").exits(0).says("3/3", "succeeded")
    assert sorted(home.lines("done")) == ["2026-03-28", "2026-03-29", "2026-03-30"]
    home.dagfs(*words).exits(0).says("exists")
    assert len(home.runs()) == 3
    home.dagfs("backfill", "day", "--from", "tomorrow", "--to", "2026-03-30").exits(2).in_one_line()
    turned = home.dagfs("backfill", "day", "--from", "2026-03-30", "--to", "2026-03-28")
    turned.exits(2).in_one_line().says("--from 2026-03-30 lies after --to 2026-03-28")


def test_a_backfill_in_a_zone_has_the_days_that_were_asked_for_and_the_schedulers_ids(home: Home) -> None:
    home.dag("tk", f"schedule: '0 5 * * *'\ntimezone: Asia/Tokyo\n{STEPS}")
    home.dag("ny", f"schedule: '30 22 * * *'\ntimezone: America/New_York\n{STEPS}")
    home.dag("be", f"schedule: '30 2 * * *'\ntimezone: Europe/Berlin\n{STEPS}")

    def due(name: str, first: str, last: str) -> list[str]:
        words = ("backfill", name, "--from", first, "--to", last, "-n", "--json")
        return [each["due"] for each in home.dagfs(*words).exits(0).events]

    assert due("tk", "2025-11-10", "2025-11-10") == ["2025-11-09T20:00:00+00:00"]
    assert len(due("tk", "2025-11-10", "2025-11-12")) == 3
    assert due("ny", "2025-11-10", "2025-11-10") == ["2025-11-11T03:30:00+00:00"]
    (gap,) = due("be", "2025-03-30", "2025-03-30")
    assert gap == home.dagfs("next", "be", "--from", "2025-03-29T12:00Z", "-n", "1", "--json").json[0]["due"]


def test_an_entry_with_a_zone_of_its_own_has_its_own_days_and_local_times(home: Home) -> None:
    steps = "params: [{date: none}]\nsteps:\n  - echo ${date} >> $DAG_DESK/done\n"
    home.dag("tk", f"schedule: 'CRON_TZ=Asia/Tokyo 0 1 * * *'\n{steps}")
    words = ("backfill", "tk", "--from", "2025-11-18", "--to", "2025-11-18", "-p", "date=%Y-%m-%dT%H")
    home.dagfs(*words).exits(0).says("1/1 2025-11-17T16:00:00+00:00")
    assert home.lines("done") == ["2025-11-18T01"]
    told = ("next", "tk", "--from", "2025-11-18T12:00Z", "-n", "1")
    home.dagfs(*told).exits(0).says("2025-11-18 16:00:00Z", "Wed 2025-11-19 01:00 JST")
    assert home.dagfs(*told, "--json").json[0]["timezone"] == "Asia/Tokyo"


def test_a_backfill_makes_no_run_of_the_future(home: Home) -> None:
    home.dag("day", f"schedule: '@daily'\n{STEPS}")
    today = datetime.now(UTC).date()
    ahead = str(today + timedelta(days=3))
    told = home.dagfs("backfill", "day", "--from", str(today), "--to", ahead).exits(0)
    told.says("1/1", "3 instants are still to come")
    assert len(home.runs()) == 1
    home.dagfs("backfill", "day", "--from", ahead, "--to", ahead).exits(4).in_one_line().says("has come yet")
    home.dagfs("backfill", "day", "--from", str(today), "--to", "9999-12-31").exits(2).in_one_line()


def test_a_backfill_counts_the_runs_that_are_there_by_how_they_stand(home: Home) -> None:
    home.dag("day", "schedule: '@daily'\nsteps:\n  - name: a\n    run: exit 3\n")
    words = ("backfill", "day", "--from", "2026-03-28", "--to", "2026-03-29")
    home.dagfs(*words).exits(1).says("ended with 1, failed")
    home.dagfs(*words).exits(1).says("1/2", "exists, failed")
    home.dagfs(*words, "-n", "--json").exits(0)
    assert {each["state"] for each in home.dagfs(*words, "--json").exits(1).events} == {"failed"}


def test_a_backfill_waits_for_what_is_at_work_and_may_be_ended(home: Home) -> None:
    home.dag("day", "schedule: '@daily'\nsteps:\n  - until test -e $DAG_DESK/go; do sleep 0.01; done\n")
    words = ("backfill", "day", "--from", "2026-03-28", "--to", "2026-03-29")
    first = home.start(*words)
    first.until(lambda: home.runs() and (home.runs()[0] / "status.json").exists(), "a run")
    first.signal(signal.SIGTERM)
    first.wait().exits(143).in_one_line().says("ended early: 1 that were begun go on")
    second = home.start(*words, "--jobs", "2")
    eventually(lambda: len(home.runs()) == 2)
    home.go()
    second.wait().exits(0).says("1/2", "2/2", "exists, succeeded")


def test_two_backfills_at_once_make_each_run_once_and_both_wait_for_it(home: Home) -> None:
    begun = "$(echo begun >> $DAG_DESK/begun; until test -e $DAG_DESK/go; do sleep 0.01; done; echo now)"
    steps = "steps:\n  - until test -e $DAG_DESK/end; do sleep 0.01; done; echo done >> $DAG_DESK/done\n"
    home.dag("day", f"schedule: '@daily'\nparams: [{{name: m, eval: '{begun}'}}]\n{steps}")
    words = ("backfill", "day", "--from", "2026-03-28", "--to", "2026-03-29", "--jobs", "2")
    both = [home.start(*words), home.start(*words)]
    # All four are on their way before any of the runs is there.
    eventually(lambda: len(home.lines("begun")) == 4, "four starts")
    home.go()
    eventually(lambda: len(home.runs()) == 2, "both runs")
    home.file("end").touch()
    for each in both:
        each.wait().exits(0).says("2/2", "succeeded").never_says("ended with")
    assert home.lines("done") == ["done", "done"]


def test_a_backfill_says_why_a_run_was_never_made(home: Home) -> None:
    home.dag("day", f"schedule: '@daily'\nparams: [{{name: n, type: integer, required: true}}]\n{STEPS}")
    words = ("backfill", "day", "--from", "2026-03-28", "--to", "2026-03-29")
    home.dagfs(*words).exits(2).in_one_line().says("'n'")
    home.dagfs(*words, "-p", "n=%Y-x").exits(2).in_one_line().says("'n'")
    assert not home.runs()
    home.dag("day", f"schedule: '@daily'\nparams: [{{name: m, eval: '${{NOPE:?unset}}'}}]\n{STEPS}")
    home.dagfs(*words).exits(1).says("ended with 3: ", "params m")


def test_clean_keeps_what_may_be_needed(home: Home) -> None:
    home.dag("job", f"hist_retention_runs: 2\n{STEPS}")
    for place in range(4):
        home.dagfs("run", "job", "--id", f"r{place}").exits(0)
    (home.path / "runs/r0/spec.next.yaml").write_text(STEPS)
    home.dagfs("clean", "-n").exits(0).says("r0", "r1").never_says("r2")
    home.dagfs("clean").exits(5)
    assert len(home.runs()) == 4
    home.dagfs("clean", "--yes").exits(0).says("1 run removed", "r0 stays")
    assert {path.name for path in home.runs()} == {"r0", "r2", "r3"}
    home.dagfs("clean", "--keep-last", "1", "-y").exits(0)
    home.dagfs("fsck").exits(0)


def test_the_unit_is_one_that_systemd_takes(home: Home) -> None:
    text = home.dagfs("systemd", "--user").exits(0).out
    assert "Type=notify" in text
    unit = home.file("dagfs.service")
    unit.write_text(text)
    assert "KillMode=process" in text
    assert str(home.path) in text
    home.shell(f"XDG_RUNTIME_DIR=$TMPDIR systemd-analyze verify --user --man=no {unit}")
    unit.write_text(home.dagfs("systemd").exits(0).out)
    home.shell(f"systemd-analyze verify --man=no {unit}")


def test_systemd_is_told(home: Home, tmp_path: Path) -> None:
    home.dag("job", f"schedule: '0 0 1 1 *'\n{STEPS}")
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.settimeout(30)
        scheduler = home.start("scheduler", env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"})
        said: list[str] = []
        while "READY=1" not in said or "WATCHDOG=1" not in said:
            said += channel.recv(4096).decode().splitlines()
        finish(scheduler)
        while "STOPPING=1" not in said:
            said += channel.recv(4096).decode().splitlines()


def test_metrics_and_status_of_a_scheduler_that_died(home: Home) -> None:
    written_long_ago(home.dag("job", f"schedule: '0 0 1 1 *'\n{STEPS}"))
    home.dagfs("scheduler", "--status").exits(1).says("no scheduler has ever been at work")
    scheduler = at_work(home)
    home.dagfs("metrics").exits(0).says("dagfs_scheduler_up 1", "dagfs_schedules 1")
    home.dagfs("scheduler", "--status").exits(0).says("at work", "1 schedules", "job")
    scheduler.signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in home.dagfs("scheduler", "--log", "9").out, "the reload")
    finish(scheduler)
    home.dagfs("scheduler", "--status").exits(1).says("ended")
    home.dagfs("metrics").exits(0).says("dagfs_scheduler_up 0")


def test_a_scheduler_that_was_killed_is_called_dead_at_once(home: Home) -> None:
    scheduler = at_work(home)
    scheduler.kill()
    home.dagfs("scheduler", "--status").exits(1).says("NOT at work")
    home.dagfs("metrics").exits(0).says("dagfs_scheduler_up 0")
    home.dagfs("doctor").says("it died, or it hangs")


def test_status_says_what_comes_next_and_what_is_done_then(home: Home) -> None:
    home.dag("job", f"schedule: {{stop: '0 0 1 1 *'}}\n{STEPS}")
    home.dag("held", f"schedule: '0 0 1 1 *'\n{STEPS}")
    home.dagfs("pause", "held").exits(0)
    scheduler = at_work(home)
    scheduler.until(lambda: status(home)["schedules"] == 2, "both schedules")
    home.dagfs("scheduler", "--status").exits(0).says("job stop", "held (paused)")
    finish(scheduler)
    path = home.path / "runs/.scheduler/status.json"
    said = json.loads(path.read_text())
    passed = {"due": said["started"], "dag": "passed"}
    path.write_text(json.dumps({**said, "next": [passed, *said["next"]]}))
    home.dagfs("scheduler", "--status").exits(1).says("job stop").never_says("passed")


@pytest.mark.parametrize("expression", ["30 2 * * 1-5", "CRON_TZ=Europe/Berlin 30 2 * * 1-5"])
def test_an_expression_is_explained(home: Home, expression: str) -> None:
    home.dagfs("explain", "cron", expression).exits(0).says("at 02:30 on Monday to Friday")
    home.dagfs("explain", "cron", "0 0 31 2 *").exits(2).says("never fires").in_one_line()


def test_impossible_schedules_are_refused_with_their_place(home: Home) -> None:
    home.dag("bad", f"schedule: '0 0 31 2 *'\n{STEPS}")
    home.dagfs("validate", "bad").exits(3).says("bad.yaml:1:11", "never fires")
    home.dag("late", f"schedule: {{at: '2026-12-24T18:00:00Z'}}\nend_date: 2026-12-01\n{STEPS}")
    home.dagfs("validate", "late").exits(3).says("late.yaml:1:11", "never fires until end_date 2026-12-01")


def test_next_shows_local_times_over_a_change_of_the_clocks(home: Home) -> None:
    home.dag("job", f"schedule: '30 2 * * *'\ntimezone: Europe/Berlin\n{STEPS}")
    home.dagfs("next", "job", "-n", "2", "--from", "2026-03-28T12:00Z").says(
        "2026-03-29 01:00:00Z", "Sun 2026-03-29 03:00 CEST", "2026-03-30 00:30:00Z"
    )


def test_next_takes_any_way_to_say_a_moment_and_refuses_the_ends_of_the_calendar(home: Home) -> None:
    home.dag("job", f"schedule: '0 5 * * *'\ntimezone: Asia/Tokyo\n{STEPS}")
    same = [
        home.dagfs("next", "job", "-n", "1", "--from", text).exits(0).out
        for text in ("2026-11-21T10:00:00+09:00", "2026-11-21T01:00:00Z", "2026-11-20T20:00:00-05:00")
    ]
    assert len(set(same)) == 1
    assert "2026-11-21 20:00:00Z" in same[0]
    for text in ("9999-12-31", "0001-01-01T00:00:00+14:00", "2026-02-30"):
        home.dagfs("next", "--from", text).exits(2).in_one_line()
    for count in ("0", "10001", "100000000"):
        home.dagfs("next", "-n", count).exits(2).in_one_line().says("no whole number from 1 to 10000")
    home.dagfs("runs", "--since", "2026-99-01").exits(2).in_one_line().says("not a time")


def test_a_scheduler_that_hangs_is_called_so_until_it_goes_on(home: Home) -> None:
    """Whatever holds it up, its sign of life grows old."""
    home.settings("grace_sec: 2\n")
    scheduler = at_work(home)
    scheduler.signal(signal.SIGSTOP)
    path = home.path / "runs/.scheduler/status.json"
    said = json.loads(path.read_text())
    # As if half a minute had passed.
    path.write_text(json.dumps({**said, "stale_after": said["started"]}))
    home.dagfs("scheduler", "--status").exits(1).says("NOT at work")
    home.dagfs("doctor").exits(1).says("its last sign of life was at", "it died, or it hangs")
    home.dagfs("metrics").exits(0).says("dagfs_scheduler_up 0")
    scheduler.signal(signal.SIGCONT)
    eventually(lambda: _is_at_work(home, scheduler), "a new sign of life")
    finish(scheduler)


def test_nothing_half_written_is_ever_started(home: Home) -> None:
    """A file that is written slowly is valid, and due, long before it is whole."""
    lines = [f"  - name: s{place}\n    run: echo s{place} >> $DAG_DESK/done\n" for place in range(3)]
    path = home.dag("first", "steps: [{run: 'true'}]\n").with_name("slow.yaml")
    scheduler = at_work(home)
    with path.open("w") as file:
        file.write(f'schedule: {{at: "{soon()}"}}\noverlap: allow\nsteps:\n')
        for line in lines[:-1]:
            file.write(line)
            file.flush()
            # What the file says so far is good by itself; other files are looked at meanwhile.
            home.dagfs("validate", "slow").exits(0)
            _another_is_known(home)
        assert status(home)["schedules"] == 0
        assert not home.runs()
        file.write(lines[-1].replace("s2\n", "s2; exit 0\n"))
        due = soon()
        file.seek(0)
        file.write(f'schedule: {{at: "{due}"}}')
    (run,) = ended(home, 1)
    assert (run["dag"], run["state"]) == ("slow", "succeeded")
    assert sorted(home.lines("done")) == ["s0", "s1", "s2"]
    finish(scheduler)


def test_what_is_half_written_at_a_start_waits_as_well(home: Home) -> None:
    path = home.dag("slow", "")
    with path.open("w") as file:
        file.write(f"schedule: '* * * * *'\n{STEPS}")
        scheduler = home.start("scheduler")

        def is_at_work_meanwhile() -> bool:
            file.write("# and more\n")
            file.flush()
            return _is_at_work(home, scheduler)

        scheduler.until(is_at_work_meanwhile, "a sign of life")
        _another_is_known(home)
        assert status(home)["schedules"] == 0
    eventually(lambda: status(home)["schedules"] == 1, "the whole file")
    finish(scheduler)


def _another_is_known(home: Home) -> None:
    """The scheduler has taken up a file that was closed after now."""
    count = status(home)["dags"]
    home.dag(f"other{count}", "steps: [{run: 'true'}]\n")
    eventually(lambda: status(home)["dags"] > count, "another file")


def test_a_typo_in_the_settings_makes_starts_late_and_loses_none(home: Home) -> None:
    settings = (home.path / "dagfs.yaml").read_text()
    (home.path / "inbox").mkdir()
    home.dag("load", "watch: 'inbox/*.csv'\nparams: [{name: file}]\n" + STEPS)
    home.dag("job", STEPS)
    home.dagfs("queue", "pause", "job").exits(0)
    home.dagfs("enqueue", "job", "--id", "q1").exits(0)
    scheduler = at_work(home)
    watches(home)
    (home.path / "dagfs.yaml").write_text(settings + "grace_sec: soon\n")
    (home.path / "inbox/a.csv").write_text("1\n")
    for pause in (home.path / "runs/.scheduler/paused").iterdir():
        pause.unlink()
    told = eventually(lambda: noted(home, "start_failed")[1:], "two starts in vain")
    assert "dagfs.yaml:" in told[0]["reason"]
    (home.path / "dagfs.yaml").write_text(settings)
    assert {run["dag"] for run in ended(home, 2)} == {"job", "load"}
    finish(scheduler)
    assert not list((home.path / "runs/.scheduler/aside").iterdir())


def test_what_was_set_aside_can_wait_again(home: Home) -> None:
    home.dag("job", "params: [{name: day, eval: $(cat $DAG_DESK/day)}]\n" + STEPS)
    home.dagfs("enqueue", "job", "--id", "r1").exits(0)
    scheduler = at_work(home)
    eventually(lambda: "set aside" in home.dagfs("queue").out, "that it is set aside")
    home.dagfs("queue", "requeue", "r2").exits(4).in_one_line()
    home.dagfs("status", "r1").exits(4).in_one_line().says("was set aside", "dagfs queue requeue r1")
    home.file("day").write_text("1\n")
    home.dagfs("queue", "requeue", "r1").exits(0)
    (run,) = ended(home, 1)
    assert run["run"] == "r1"
    finish(scheduler)
    home.dagfs("queue").says("nothing waits")


def test_files_that_come_while_a_scheduler_ends_are_had_by_the_next(home: Home) -> None:
    inbox = home.path / "inbox"
    inbox.mkdir()
    home.dag(
        "load",
        "watch: 'inbox/*.csv'\nparams: [{name: file}]\nsteps: [{run: 'echo $file >> $DAG_DESK/had'}]\n",
    )
    scheduler = at_work(home)
    watches(home)
    for place in range(80):
        (inbox / f"{place}.csv").write_text("1\n")
    eventually(lambda: home.dagfs("runs", "-1").out, "the first run")
    finish(scheduler)
    scheduler = at_work(home)
    eventually(lambda: len(home.lines("had")) >= 80, "the work of all runs")
    finish(scheduler)
    assert len(set(home.lines("had"))) == len(home.lines("had")) == len(home.runs()) == 80


def test_what_people_write_into_records_stops_no_schedule(home: Home) -> None:
    home.dag("bad", "retry_policy: {limit: 2, interval_sec: 60}\nsteps: [{run: 'false'}]\n")
    home.dag("job", STEPS)
    home.dagfs("run", "bad", "--id", "r1").exits(1)
    record = home.path / "runs/r1/attempts/1/status.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "finished": "yesterday", "queue": 3}))
    home.dagfs("runs").exits(0).says("r1", "failed")
    home.dagfs("enqueue", "job", "--id", "q1").exits(0)
    sign = home.path / "runs/.scheduler/status.json"
    sign.write_text(json.dumps({"tick": "garbage", "active": 5, "next": [1]}))
    home.dagfs("scheduler", "--status").exits(1).says("no scheduler has ever been at work here")
    home.dagfs("metrics").exits(0)
    home.dagfs("doctor")
    scheduler = at_work(home)
    eventually(lambda: "q1" in home.dagfs("runs", "-1").out, "the queued run")
    assert not status(home)["error"]
    finish(scheduler)


def test_params_that_do_not_fit_never_wait_in_a_queue(home: Home) -> None:
    home.dag("load", "params: [{name: day, type: integer, required: true}]\n" + STEPS)
    home.dagfs("enqueue", "load").exits(2).in_one_line().says("'day'", "-p day=VALUE")
    home.dagfs("enqueue", "load", "-p", "day=monday").exits(2).in_one_line().says("'day'")
    home.dagfs("queue").says("nothing waits")
    home.dagfs("enqueue", "load", "-p", "day=3", "-p", "dya=4").exits(0).says("did you mean 'day'?")


def test_an_id_that_waits_in_a_queue_is_nobody_elses(home: Home) -> None:
    home.dag("job", STEPS)
    home.dagfs("enqueue", "job", "--queue", "slow", "--id", "r1").exits(0)
    home.dagfs("run", "job", "--id", "r1").exits(5).in_one_line().says(
        "waits in a queue", "dagfs queue rm r1"
    )
    for words in (("stop", "r1"), ("logs", "r1")):
        home.dagfs(*words).exits(4).in_one_line().says("still waits in a queue", "dagfs queue")
    home.dagfs("status", "r1").exits(0).says("job r1 · queued", "in slow", "dagfs queue rm r1")
    home.dagfs("status", "r1", "--exit-status").exits(1)
    told = home.dagfs("status", "r1", "--json").exits(0).json
    assert (told["run"], told["dag"], told["state"], told["queue"]) == ("r1", "job", "queued", "slow")
    assert home.dagfs("runs", "--status", "queued", "--json").json == [told]
    home.dagfs("runs", "--status", "queued").exits(0).says("r1", "· queued", "in slow")
    assert home.dagfs("runs", "job", "--status", "queued", "-1").out == "r1\n"
    home.dagfs("runs", "other", "--status", "queued").exits(0).says("no runs like that")
    home.dagfs("runs").says("no runs yet")
    home.dagfs("wait", "r1", "--timeout", "0.2s").exits(124).says("not over after")
    waiting = home.dagfs("wait", "r1", "--timeout", "0.2s", "--json").exits(124).json
    assert [(each["run"], each["state"]) for each in waiting] == [("r1", "queued")]
    home.dagfs("enqueue", "job", "--queue", "../x").exits(2).in_one_line().says("cannot name a queue")
    following = home.start("wait", "r1")
    scheduler = at_work(home)
    following.wait().exits(0).says("r1", "succeeded")
    finish(scheduler)
