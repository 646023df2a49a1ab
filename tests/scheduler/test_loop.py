from __future__ import annotations

import random
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from dagfs.errors import StoreError
from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.admission import Limits
from dagfs.scheduler.dispatch import Dispatch
from dagfs.scheduler.identity import scheduled_id
from dagfs.scheduler.instants import occurrences
from dagfs.scheduler.job import Job, Started
from dagfs.scheduler.shelf import Shelved
from dagfs.store.waiting import Waiting
from tests.scheduler.world import Died, Engines, Memory, World, cron, dag, utc


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def expected(each: Shelved, world: World, since: str) -> set[str]:
    """The ids of all runs that a schedule makes until now."""
    every = occurrences(each.schedule, "UTC", utc(since))
    return {
        scheduled_id(each.name, each.key, moment)
        for moment, _ in takewhile(lambda found: found[0] <= world.now, every)
    }


def test_each_instant_makes_one_run(world: World) -> None:
    each = dag("Nightly Import", cron("*/10 * * * *"))
    world.advance(world.scheduler(each), "2026-01-01T01:00")
    assert set(world.runs) == expected(each, world, "2026-01-01")
    assert len(world.runs) == 6
    assert world.refused == 0
    assert "nightly-import-20260101t0010z-" in min(world.runs)


def test_a_dag_that_is_new_makes_up_for_nothing(world: World) -> None:
    world.now = utc("2026-06-01T12:34")
    world.scheduler(dag("a", cron("* * * * *", catchup="all"))).turn()
    assert not world.runs


def test_many_schedulers_of_one_store_start_each_instant_once(world: World) -> None:
    each = dag("a", cron("*/5 * * * *"))
    three = [world.scheduler(each) for _ in range(3)]
    for _ in range(60):
        world.now += timedelta(minutes=1)
        for scheduler in three:
            scheduler.turn()
    assert set(world.runs) == expected(each, world, "2026-01-01")


def test_a_year_of_kills_and_wrong_clocks_loses_nothing_and_doubles_nothing(world: World) -> None:
    """A thousand deaths of three schedulers, both days on which the clocks are changed, jumps both ways."""
    rng = random.Random(7)
    dags = [
        dag("hourly", cron("0 */6 * * *", catchup="all", overlap="allow")),
        dag("night", cron("30 2 * * *", catchup="all", overlap="allow", timezone="Europe/Berlin")),
        dag("island", cron("15 2 * * 0", catchup="all", overlap="allow", timezone="Australia/Lord_Howe")),
    ]
    deaths = 0

    def danger() -> None:
        nonlocal deaths
        if rng.random() < 0.15:
            deaths += 1
            raise Died

    schedulers = [world.scheduler(*dags) for _ in range(3)]
    world.danger = danger
    true_now, end = world.now, utc("2027-01-02")
    while true_now < end:
        true_now += timedelta(minutes=rng.choice((355, 600, 900)))
        wrong = rng.choice((0, 0, 0, 0, -60, 90)) if true_now < utc("2026-12-30") else 0
        world.now = true_now + timedelta(minutes=wrong)
        for place in range(3):
            try:
                schedulers[place].turn()
            except Died:
                schedulers[place] = _born_again(world, dags)
    world.danger = lambda: None
    for _ in range(3):
        world.now += timedelta(minutes=1)
        for scheduler in schedulers:
            scheduler.turn()
    assert deaths > 1000
    for each in dags:
        made = {run.id for run in world.runs.values() if run.dag == each.name}
        assert made == expected(each, world, "2026-01-01"), each.name


def _born_again(world: World, dags: list[Shelved]):
    while True:
        try:
            return world.scheduler(*dags)
        except Died:
            continue


def test_killed_between_due_and_creation_starts_after_the_restart(world: World) -> None:
    each = dag("a", cron("0 1 * * *"))
    scheduler = world.scheduler(each)
    world.now = utc("2026-01-01T01:00")

    def die() -> None:
        raise Died

    world.danger = die
    with pytest.raises(Died):
        scheduler.turn()
    world.danger = lambda: None
    assert not world.runs
    world.now = utc("2026-01-01T01:20")
    world.scheduler(each).turn()
    assert len(world.runs) == 1


def test_a_clock_set_back_starts_nothing_twice(world: World) -> None:
    each = dag("a", cron("*/10 * * * *"))
    scheduler = world.scheduler(each)
    world.advance(scheduler, "2026-01-01T03:00")
    before = set(world.runs)
    world.now = utc("2026-01-01T02:00")
    world.advance(scheduler, "2026-01-01T03:00")
    assert set(world.runs) == before
    assert world.refused == 0
    assert world.events("clock_went_back")
    world.advance(scheduler, "2026-01-01T03:10")
    assert len(world.runs) == len(before) + 1


def test_a_clock_a_year_ahead_for_a_while_poisons_nothing(world: World) -> None:
    each = dag("a", cron("*/10 * * * *"))
    scheduler = world.scheduler(each)
    world.now = utc("2027-01-01T00:05")
    scheduler.turn()
    assert len(world.runs) == 1
    world.now = utc("2026-01-01T00:05")
    world.advance(scheduler, "2026-01-01T01:00")
    assert len(world.runs) == 7


def test_what_was_removed_by_retention_is_not_started_again(world: World) -> None:
    each = dag("a", cron("*/10 * * * *", catchup="all", overlap="allow"))
    world.advance(world.scheduler(each), "2026-01-01T03:00")
    world.runs.clear()
    world.scheduler(each).turn()
    assert not world.runs


def test_what_was_removed_is_not_started_again_when_the_clock_is_set_back(world: World) -> None:
    each = dag("a", cron("*/10 * * * *", catchup="all"))
    world.advance(world.scheduler(each), "2026-01-01T01:00")
    world.runs.clear()
    scheduler = world.scheduler(each)
    world.now = utc("2026-01-01T00:35")
    world.advance(scheduler, "2026-01-01T01:10")
    assert [run[11:16] for run in ids(world)] == ["0110z"]


def test_missed_instants_are_on_record(world: World) -> None:
    each = dag("a", cron("0 * * * *"))
    world.scheduler(each)
    world.now = utc("2026-01-04T00:30")
    world.scheduler(each).turn()
    assert len(world.runs) == 1
    assert len(world.events("missed")) == 71


# -- overlap -------------------------------------------------------------------------------------


def ids(world: World) -> list[str]:
    return sorted(world.runs)


def test_skip_passes_over_what_is_due_meanwhile(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *")))
    world.advance(scheduler, "2026-01-01T00:30")
    assert len(world.runs) == 1
    assert [each["due"][11:16] for each in world.events("passed_over")] == ["00:20", "00:30"]
    world.end(ids(world)[0])
    world.advance(scheduler, "2026-01-01T00:40")
    assert len(world.runs) == 2


def test_queue_lets_them_follow_one_another(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *", overlap="queue")))
    world.advance(scheduler, "2026-01-01T00:30")
    assert len(world.runs) == 1
    assert len(world.queue.entries()) == 2
    for count in (2, 3):
        world.end(ids(world)[-1])
        world.advance(scheduler, f"2026-01-01T00:3{count}")
        assert len(world.runs) == count
    assert not world.queue.entries()


@pytest.mark.parametrize("more", [{"queue": "heavy"}, {"max_active_runs": 4}])
@pytest.mark.parametrize("policy", ["queue", "latest"])
def test_who_waits_for_another_waits_whatever_the_limits(
    world: World, policy: str, more: dict[str, Any]
) -> None:
    world.lasting = True
    each = dag("a", cron("*/10 * * * *", overlap=policy), **more)
    scheduler = world.scheduler(each, limits=Limits(queues={"heavy": 4}))
    world.advance(scheduler, "2026-01-01T00:21")
    assert len(world.runs) == 1
    world.end(ids(world)[0])
    world.advance(scheduler, "2026-01-01T00:22")
    assert len(world.runs) == 2


def test_latest_keeps_one_in_the_queue(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *", overlap="latest")))
    world.advance(scheduler, "2026-01-01T00:40")
    assert ["t0040z" in entry.id for entry in world.queue.entries()] == [True]


def test_allow_starts_beside_the_other(world: World) -> None:
    world.lasting = True
    world.advance(world.scheduler(dag("a", cron("*/10 * * * *", overlap="allow"))), "2026-01-01T00:30")
    assert len(world.runs) == 3


def test_cancel_stops_the_other_and_starts_when_it_is_gone(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *", overlap="cancel")))
    world.advance(scheduler, "2026-01-01T00:20")
    assert len(world.runs) == 1
    assert world.stopped == ids(world)
    world.end(ids(world)[0], "aborted")
    world.advance(scheduler, "2026-01-01T00:21")
    assert len(world.runs) == 2
    assert "t0020z" in ids(world)[1]


def test_of_many_that_would_cancel_one_another_the_last_is_started(world: World) -> None:
    each = dag("a", cron("0 * * * *", catchup="all", overlap="cancel"))
    world.scheduler(each)
    world.lasting = True
    world.now = utc("2026-01-01T03:30")
    world.scheduler(each).turn()
    assert [run[11:16] for run in ids(world)] == ["0300z"]
    assert [note["due"][11:16] for note in world.events("passed_over")] == ["01:00", "02:00"]


def test_who_is_cancelled_before_it_began_is_on_record(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *", overlap="cancel")))
    world.advance(scheduler, "2026-01-01T00:30")
    assert [note["run"][11:16] for note in world.events("passed_over")] == ["0020z"]
    assert set(world.stopped) == set(ids(world))


@pytest.mark.parametrize("more", [{}, {"queue": "heavy"}])
def test_made_up_instants_follow_one_another(world: World, more: dict[str, Any]) -> None:
    each = dag("a", cron("0 * * * *", catchup="all"), **more)
    world.scheduler(each)
    world.lasting = True
    world.now = utc("2026-01-01T03:30")
    scheduler = world.scheduler(each, limits=Limits(queues={"heavy": 4}))
    scheduler.turn()
    scheduler.turn()
    assert len(world.runs) == 1
    assert len(world.queue.entries()) == 2


def test_a_stop_schedule_stops_and_a_restart_waits(world: World) -> None:
    world.lasting = True
    schedule = Schedule(
        (Timetable("start", "0 1 * * *"), Timetable("restart", "0 2 * * *"), Timetable("stop", "0 3 * * *")),
        restart_wait_sec=120,
    )
    scheduler = world.scheduler(dag("a", schedule))
    world.advance(scheduler, "2026-01-01T02:00")
    first = ids(world)[0]
    assert world.stopped == [first]
    world.end(first, "aborted")
    world.advance(scheduler, "2026-01-01T02:01")
    assert len(world.runs) == 1
    world.advance(scheduler, "2026-01-01T02:05")
    assert len(world.runs) == 2
    world.advance(scheduler, "2026-01-01T03:00")
    assert world.stopped == [first, ids(world)[1]]


def test_a_restart_that_was_begun_is_finished_by_the_next_scheduler(world: World) -> None:
    world.lasting = True
    times = (Timetable("start", "0 1 * * *"), Timetable("restart", "0 2 * * *"))
    each = dag("a", Schedule(times, restart_wait_sec=300, catchup="none"))
    scheduler = world.scheduler(each)
    world.advance(scheduler, "2026-01-01T02:00")
    world.end(ids(world)[0], "aborted")
    world.advance(scheduler, "2026-01-01T02:01")
    scheduler.close()
    world.now = utc("2026-01-01T02:10")
    world.advance(world.scheduler(each), "2026-01-01T02:11")
    assert len(world.runs) == 2
    assert not world.events("missed")


def test_a_stop_schedule_lets_nothing_start_that_waited(world: World) -> None:
    world.lasting = True
    times = (Timetable("start", "0 1 * * *"), Timetable("stop", "0 2 * * *"))
    other = dag("b", cron("30 0 * * *"), queue="one")
    scheduler = world.scheduler(other, dag("a", Schedule(times), queue="one"))
    world.advance(scheduler, "2026-01-01T01:30")
    assert len(world.queue.entries()) == 1
    world.advance(scheduler, "2026-01-01T02:00")
    world.end(ids(world)[0])
    world.advance(scheduler, "2026-01-01T02:05")
    assert len(world.runs) == 1
    assert [note["reason"] for note in world.events("passed_over")] == ["its schedule says stop"]


def test_a_run_that_is_being_started_is_stopped_once_it_exists(world: World) -> None:
    dispatch = Dispatch(Memory(world), world.queue, world, Engines(world), lambda: world.now, Limits())
    job = Job("r1", "a", "", b"")
    dispatch.launch(job)
    assert dispatch.stop("a") == ["r1"]
    assert not world.stopped
    dispatch.take(Started(job, 0))
    assert world.stopped == ["r1"]


def test_each_instant_is_due_although_the_one_before_has_succeeded(world: World) -> None:
    each = dag("a", cron("0 * * * *", skip_if_successful=True))
    world.advance(world.scheduler(each), "2026-01-01T04:00")
    assert len(world.runs) == 4


def test_skip_if_successful_looks_at_the_run_before(world: World) -> None:
    each = dag("a", cron("0 * * * *", skip_if_successful=True))
    scheduler = world.scheduler(each)
    world.now = utc("2026-01-01T00:30")
    world.begin(Job("by-hand", "a", "", b"", trigger="manual"))
    world.advance(scheduler, "2026-01-01T01:00")
    assert ids(world) == ["by-hand"]
    world.advance(scheduler, "2026-01-01T02:00")
    assert len(world.runs) == 2


# -- pauses, edits, failures ---------------------------------------------------------------------


def test_what_is_paused_or_suspended_is_passed_over(world: World) -> None:
    world.paused = {"a"}
    asleep = dag("b", cron("*/10 * * * *", suspend=True))
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *")), asleep)
    world.advance(scheduler, "2026-01-01T00:30")
    assert not world.runs
    world.paused = set()
    world.advance(scheduler, "2026-01-01T00:40")
    assert len(world.runs) == 1


def test_an_edited_schedule_begins_now(world: World) -> None:
    scheduler = world.scheduler(dag("a", cron("0 0 1 6 *")))
    world.now = utc("2026-01-01T00:59:30")
    after = dag("a", cron("*/10 * * * *", catchup="all"))
    scheduler.update({after.key: after}, [after.key])
    world.advance(scheduler, "2026-01-01T01:00")
    assert len(world.runs) == 1
    scheduler.update({}, [after.key])
    world.advance(scheduler, "2026-01-01T02:00")
    assert len(world.runs) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"end_date": "2025-12-31T23:00:00Z"}, {}),
        ({"start_date": "2026-06-01"}, {"start_date": "2026-01-01"}),
        ({"jitter_sec": 3000}, {}),
    ],
)
def test_dates_and_jitter_that_change_are_heeded_at_once(
    world: World, before: dict[str, Any], after: dict[str, Any]
) -> None:
    scheduler = world.scheduler(dag("a", cron("0 1 * * *", **before)))
    edited = dag("a", cron("0 1 * * *", **after))
    scheduler.update({edited.key: edited}, [edited.key])
    world.advance(scheduler, "2026-01-01T01:00")
    assert len(world.runs) == 1


def test_another_zone_is_heeded_at_once_and_makes_up_for_nothing(world: World) -> None:
    world.now = utc("2026-01-01T00:30")
    own = dag("own", cron("0 10 * * *", timezone="UTC"))
    scheduler = world.scheduler(dag("a", cron("0 10 * * *")), dag("b", cron("0 9 * * *")), own)
    scheduler.configure("Asia/Tokyo", Limits())
    world.advance(scheduler, "2026-01-01T01:00")
    assert [run[:15] for run in ids(world)] == ["a-20260101t0100"]


def test_a_start_that_fails_for_good_is_on_record_and_the_next_is_tried(world: World) -> None:
    world.failing = {"a": 3}
    scheduler = world.scheduler(dag("a", cron("*/10 * * * *")), dag("b", cron("*/10 * * * *")))
    world.advance(scheduler, "2026-01-01T00:10")
    assert [run.dag for run in world.runs.values()] == ["b"]
    assert scheduler.tracks["a.yaml"].error
    world.failing = {}
    world.advance(scheduler, "2026-01-01T00:20")
    assert len(world.runs) == 3
    assert not scheduler.tracks["a.yaml"].error


def test_a_start_that_fails_for_now_is_tried_again(world: World) -> None:
    world.failing = {"a": 74}
    scheduler = world.scheduler(dag("a", cron("0 1 * * *")))
    world.advance(scheduler, "2026-01-01T01:00")
    world.failing = {}
    world.advance(scheduler, "2026-01-01T01:01")
    assert len(world.runs) == 1
    assert world.watermarks["a.yaml"].until >= utc("2026-01-01T01:00")


# -- queues --------------------------------------------------------------------------------------


def put(world: World, run: str, name: str = "a", **more: object) -> None:
    entry = Waiting(id=run, dag=name, created=world.now.isoformat(), **more)  # type: ignore[arg-type]
    world.queue.put(entry, b"steps: [x]")


def test_a_queue_goes_one_by_one_by_priority_and_age(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler()
    for run, priority in (("first", 0), ("second", 0), ("urgent", 5)):
        put(world, run, priority=priority)
        world.now += timedelta(seconds=1)
    order = []
    for _ in range(3):
        scheduler.turn()
        scheduler.turn()
        (going,) = world.active
        order.append(going)
        world.end(going)
    assert order == ["urgent", "first", "second"]


def test_limits_of_the_home_the_queue_and_the_dag(world: World) -> None:
    world.lasting = True
    scheduler = world.scheduler(limits=Limits(runs=4, queues={"wide": 3}))
    for place in range(3):
        put(world, f"wide-{place}", f"w{place}", queue="wide")
        put(world, f"narrow-{place}", f"n{place}", queue="narrow")
        put(world, f"own-{place}", "own", limit=2)
    scheduler.turn()
    assert len(world.runs) == 4
    for run in list(world.runs):
        world.end(run)
    scheduler.turn()
    scheduler.turn()
    going = sorted(world.active)
    assert len(going) == 4
    assert sum(run.startswith("narrow") for run in going) <= 1
    assert sum(run.startswith("own") for run in going) <= 2


def test_poison_is_set_aside_and_blocks_nobody(world: World) -> None:
    scheduler = world.scheduler()
    put(world, "bad", "broken")
    put(world, "good", "fine")
    (world.home.scheduler.queue / "damaged").mkdir()
    (world.home.scheduler.queue / "damaged" / "request.json").write_text("{")
    world.failing = {"broken": 3}
    for _ in range(3):
        scheduler.turn()
    assert ids(world) == ["good"]
    assert not world.queue.entries()
    assert sorted(run for run, _, _ in world.queue.put_aside()) == ["bad", "damaged"]


def test_paused_queues_and_dags_wait(world: World) -> None:
    put(world, "one", "a", queue="q")
    put(world, "two", "b")
    world.paused = {"queue:q", "b"}
    scheduler = world.scheduler()
    scheduler.turn()
    assert not world.runs
    world.paused = set()
    scheduler.turn()
    assert len(world.runs) == 2


def test_what_has_run_already_leaves_the_queue(world: World) -> None:
    put(world, "one")
    world.begin(Job("one", "a", "", b""))
    world.scheduler().turn()
    assert not world.queue.entries()
    assert world.refused == 0


def test_max_active_runs_makes_scheduled_runs_wait(world: World) -> None:
    world.lasting = True
    each = dag("a", cron("*/10 * * * *", overlap="allow"), max_active_runs=2)
    world.advance(world.scheduler(each), "2026-01-01T00:40")
    assert len(world.active) == 2
    assert len(world.queue.entries()) == 2


# -- what goes on is counted where it belongs ----------------------------------------------------


def test_a_run_counts_for_its_queue_in_the_eyes_of_a_new_scheduler(world: World) -> None:
    world.lasting = True
    put(world, "one", queue="heavy")
    put(world, "two", queue="heavy")
    world.scheduler().turn()
    assert ids(world) == ["one"]
    world.scheduler().turn()
    assert ids(world) == ["one"]
    world.end("one")
    world.scheduler().turn()
    assert len(world.runs) == 2


def test_killed_after_creation_starts_nothing_twice(world: World) -> None:
    each = dag("a", cron("0 1 * * *"))
    scheduler = world.scheduler(each)
    world.now = utc("2026-01-01T01:00")

    def die() -> None:
        if world.runs:
            raise Died

    world.danger = die
    with pytest.raises(Died):
        scheduler.turn()
    world.danger = lambda: None
    scheduler = world.scheduler(each)
    scheduler.turn()
    scheduler.turn()
    assert len(world.runs) == 1
    assert world.watermarks["a.yaml"].until >= utc("2026-01-01T01:00")


def test_a_machine_that_slept_makes_up_for_the_last_instant(world: World) -> None:
    scheduler = world.scheduler(dag("a", cron("0 * * * *")))
    world.now = utc("2026-01-02T12:30")
    scheduler.turn()
    assert ["t1200z" in run for run in ids(world)] == [True]
    assert len(world.events("missed")) == 35


def test_on_a_full_disk_nothing_is_forgotten(world: World) -> None:
    each = dag("a", cron("*/10 * * * *"))

    def full() -> None:
        raise StoreError("no space left on the device")

    world.danger = full
    scheduler = world.scheduler(each)
    assert scheduler.tracks["a.yaml"].error
    world.now = utc("2026-01-01T00:10")
    scheduler.turn()
    assert not world.runs
    world.danger = lambda: None
    world.advance(scheduler, "2026-01-01T00:11")
    assert len(world.runs) == 1
    assert world.watermarks["a.yaml"].until >= utc("2026-01-01T00:10")


def test_a_disk_that_is_full_for_long_makes_a_start_late_not_lost(world: World) -> None:
    world.failing = {"a": 74}
    scheduler = world.scheduler(dag("a", cron("0 1 * * *")))
    world.advance(scheduler, "2026-01-01T01:30")
    assert scheduler.tracks["a.yaml"].error
    assert len(world.events("start_failed")) == 1
    world.failing = {}
    world.advance(scheduler, "2026-01-01T01:32")
    assert len(world.runs) == 1
    assert not scheduler.tracks["a.yaml"].error


def test_a_retry_that_somebody_else_was_faster_with_is_no_failure(world: World) -> None:
    world.failing = {"a": 75}
    scheduler = world.scheduler()
    scheduler.retry(Job("r1", "a", "", b"", trigger="retry"))
    scheduler.turn()
    assert world.events("not_retried")
    assert not world.events("not_started")
