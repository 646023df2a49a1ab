"""What goes wrong with one of many in a turn: the others go on, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dagfs.errors import ExitCode, StoreError
from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.admission import Limits
from dagfs.scheduler.dispatch import Dispatch
from dagfs.scheduler.job import Job, Started
from dagfs.scheduler.launch import retry_words, run_words
from dagfs.store.waiting import Waiting
from tests.scheduler.world import Engines, Memory, World, cron, dag, utc


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def dispatch(world: World, limits: Limits | None = None) -> Dispatch:
    return Dispatch(Memory(world), world.queue, world, Engines(world), lambda: world.now, limits or Limits())


def fails_once(monkeypatch: pytest.MonkeyPatch, thing: Any, name: str) -> None:
    """Have a method raise, the first time it is called, what a broken disk does."""
    act, calls = getattr(thing, name), iter([1])

    def broken(*args: Any, **given: Any) -> Any:
        if next(calls, 0):
            raise StoreError("input/output error")
        return act(*args, **given)

    monkeypatch.setattr(thing, name, broken)


def test_one_dag_that_cannot_be_decided_on_keeps_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = dag("a", cron("*/5 * * * *", skip_if_successful=True))
    scheduler = world.scheduler(each, dag("b", cron("*/5 * * * *")))
    broken = True

    def last(name: str) -> None:
        if broken and name == "a":
            raise ValueError("nonsense")

    monkeypatch.setattr(world, "last", last)
    world.advance(scheduler, "2026-01-01T00:05")
    assert [run[:1] for run in world.runs] == ["b"]
    assert scheduler.tracks["a.yaml"].error == "ValueError: nonsense"
    broken = False
    world.advance(scheduler, "2026-01-01T00:06")
    assert sorted(run[:1] for run in world.runs) == ["a", "b"]


def test_a_start_whose_end_cannot_be_noted_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.queue.put(Waiting(id="q1", dag="q"), b"")
    scheduler = world.scheduler(dag("b", cron("* * * * *")))
    fails_once(monkeypatch, world.queue, "remove")
    world.advance(scheduler, "2026-01-01T00:03")
    assert len(world.runs) == 4
    assert not scheduler.starting
    assert not world.queue.entries()


def test_what_is_held_stays_held_where_it_cannot_be_queued(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lasting = True
    world.begin(Job("other", "x", "", b""))
    found = dispatch(world, Limits(runs=1))
    fails_once(monkeypatch, world.queue, "put")
    found.hold(Job("r1", "a", "", b""), ())
    found.hold(Job("r2", "b", "", b""), ())
    found.release(world.now)
    assert [entry.id for entry in world.queue.entries()] == ["r2"]
    assert found.is_taken("r1")
    world.now = utc("2026-01-01T00:01")
    found.release(world.now)
    assert len(world.queue.entries()) == 2


def test_who_was_taken_out_of_a_queue_is_not_started_by_a_second_try(world: World) -> None:
    world.queue.put(Waiting(id="q1", dag="a"), b"")
    found = dispatch(world)
    world.failing["a"] = ExitCode.IO_ERROR
    found.pump()
    found.take(Started(Job("q1", "a", "", b"", queued=True), ExitCode.IO_ERROR))
    world.queue.remove("q1")
    world.failing.clear()
    world.now = utc("2026-01-01T01:00")
    found.release(world.now)
    found.pump()
    assert not world.runs


def test_who_waits_in_a_queue_is_tried_three_times(world: World) -> None:
    world.queue.put(Waiting(id="q1", dag="a"), b"")
    world.failing["a"] = 99
    scheduler = world.scheduler()
    world.advance(scheduler, "2026-01-01T00:10")
    assert len(world.events("start_failed")) == len(world.events("not_started")) == 1
    assert [each for each, *_ in world.queue.put_aside()] == ["q1"]


def test_restarts_do_not_pile_up_behind_a_run_that_is_slow_to_stop(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", Schedule((Timetable("restart", "* * * * *"),))))
    world.advance(scheduler, "2026-01-01T00:05")
    assert len(world.runs) == 1
    world.end(next(iter(world.runs)), "aborted")
    world.advance(scheduler, "2026-01-01T00:05:30")
    assert [run[11:16] for run in world.runs] == ["0001z", "0005z"]


def test_jitter_is_no_clock_that_went_back(world: World) -> None:
    world.now = utc("2026-01-01T12:30:30")
    scheduler = world.scheduler(dag("a", cron("*/5 * * * *", jitter_sec=3600)))
    scheduler.turn()
    scheduler.turn()
    assert not world.runs
    assert not world.events("clock_went_back")


def test_a_clock_that_goes_back_while_the_disk_is_full_stops_no_schedule(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.now = utc("2026-01-01T15:00")
    scheduler = world.scheduler(dag("a", cron("0 * * * *")))
    scheduler.turn()
    world.now = utc("2026-01-01T08:00")

    def full() -> None:
        raise StoreError("no space left on the device")

    world.danger = full
    scheduler.turn()
    world.danger = lambda: None
    world.advance(scheduler, "2026-01-01T09:01")
    assert [run[11:16] for run in world.runs] == ["0900z"]


def test_a_stop_that_was_asked_for_reaches_the_run_of_whoever_was_faster(world: World) -> None:
    found = dispatch(world)
    job = Job("r1", "a", "", b"", retry=True)
    found.launch(job)
    found.stop("a")
    found.take(Started(job, ExitCode.BUSY))
    assert world.stopped == ["r1"]
    found.launch(job)
    found.take(Started(job, 0))
    assert world.stopped == ["r1"]


def test_a_stop_reaches_a_run_that_somebody_has_just_retried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin(Job("r1", "a", "", b""))
    world.lasting = True

    def look_again(run: str) -> None:
        world.runs[run] = replace(world.runs[run], state="running")

    monkeypatch.setattr(world, "look_again", look_again)
    assert dispatch(world).stop("a") == ["r1"]
    assert world.stopped == ["r1"]


def test_nothing_starts_from_a_paused_queue(world: World) -> None:
    world.paused = {"queue:heavy"}
    scheduler = world.scheduler(dag("a", cron("* * * * *"), queue="heavy"))
    world.advance(scheduler, "2026-01-01T00:02")
    assert not world.runs
    assert len(world.queue.entries()) >= 1
    world.paused = set()
    world.advance(scheduler, "2026-01-01T00:03")
    assert world.runs


def test_values_that_begin_with_a_dash_are_no_options() -> None:
    job = Job("r1", "-a", "-f", b"", params=(("x", "-1"), ("1", "-2")), queue="-q", reason="-m", profile="-p")
    words = run_words(job)
    assert words[words.index("--") :] == ["--", "-f", "-2"]
    for word in ("--name=-a", "--param=x=-1", "--queue=-q", "--reason=-m", "--profile=-p"):
        assert word in words
    assert "--reason=-m" in retry_words(job)
