"""Retention, automatic retries, backfill, metrics, health: small decisions about known facts."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from dagfs.model.dag import RetryPolicy
from dagfs.model.schedule import Retention, Schedule, Timetable
from dagfs.scheduler.again import next_retry
from dagfs.scheduler.backfill import Span, filled_in, instants
from dagfs.scheduler.census import Counted, counted
from dagfs.scheduler.identity import file_id, scheduled_id
from dagfs.scheduler.metrics import exposition
from dagfs.scheduler.pulse import is_alive
from dagfs.scheduler.retention import removable
from dagfs.store.layout import valid_run_id
from dagfs.store.process import identity, pid_namespace
from tests.scheduler.world import cron, utc

NOW = utc("2026-06-10")


def run(place: int, state: str = "succeeded", name: str = "a", **more: object) -> Counted:
    day = f"2026-06-{9 - place:02}T00:00:00Z"
    return Counted(f"r{place}", name, state, day, day, "schedule", **more)  # type: ignore[arg-type]


def test_retention_by_days_and_by_number() -> None:
    runs = [run(place) for place in range(6)]
    by_number = removable(runs, {"a": Retention(runs=2)}, NOW, Retention())
    assert [each.run for each in by_number] == ["r2", "r3", "r4", "r5"]
    by_days = removable(runs, {}, NOW, Retention(days=4))
    assert [each.run for each in by_days] == ["r4", "r5"]
    assert not removable(runs, {}, NOW, Retention())


def test_what_goes_on_was_interrupted_or_is_the_newest_stays() -> None:
    states = ["running", "interrupted", "waiting", "queued", "damaged"]
    runs = [run(0), *(run(place + 1, state) for place, state in enumerate(states))]
    assert not removable(runs, {"a": Retention(runs=1, days=1)}, NOW, Retention())


def test_failed_runs_are_retried_with_growing_waits() -> None:
    policy = RetryPolicy(limit=3, interval_sec=100, backoff=2, max_interval_sec=300)
    ended = run(0).ended
    assert ended is not None
    waits = [next_retry(run(0, "failed", attempt=n), policy, NOW) for n in (1, 2, 3, 4)]
    assert waits == [ended + timedelta(seconds=each) for each in (100, 200, 300)] + [None]
    assert next_retry(run(0, "interrupted"), policy, NOW) == NOW


def test_what_people_do_is_left_to_people() -> None:
    policy = RetryPolicy(limit=3)
    assert next_retry(run(0, "aborted"), policy, NOW) is None
    assert next_retry(run(0, "succeeded"), policy, NOW) is None
    assert next_retry(run(8, "failed"), policy, NOW) is None
    by_hand = Counted("r", "a", "failed", "2026-06-09T00:00:00Z", "2026-06-09T00:00:00Z", "manual")
    assert next_retry(by_hand, policy, NOW) is None


def test_ids_are_valid_and_tell_dags_apart() -> None:
    for name in ("A.b_c", "-", "x" * 80, "déjà vu", ""):
        assert valid_run_id(scheduled_id(name, name, NOW))
        assert valid_run_id(file_id(name, name, "/a b/ü\udcff", "1:2:3"))
    assert scheduled_id("A", "A.yaml", NOW) != scheduled_id("a", "a.yaml", NOW)
    assert scheduled_id("a", "k", NOW) != scheduled_id("a", "k", NOW + timedelta(seconds=59))
    assert "t000059z" in scheduled_id("a", "k", NOW + timedelta(seconds=59))


def test_a_backfill_has_the_instants_of_its_days() -> None:
    span = Span(utc("2026-03-28").date(), utc("2026-03-29").date(), "Europe/Berlin")
    assert list(instants(cron("30 2 * * *", timezone="Europe/Berlin"), span)) == [
        (utc("2026-03-28T01:30"), "Europe/Berlin"),
        (utc("2026-03-29T01:00"), "Europe/Berlin"),
    ]
    days = list(instants(Schedule(), span))
    assert [filled_in("%Y-%m-%d", *each) for each in days] == ["2026-03-28", "2026-03-29"]


def test_a_backfill_has_the_days_of_each_entrys_own_zone() -> None:
    schedule = Schedule(
        (
            Timetable(expression="0 1 * * *", timezone="Asia/Tokyo"),
            Timetable(expression="0 1,17 * * *"),
            Timetable("stop", "0 2 * * *"),
            Timetable(at="2026-11-18T16:30:00Z"),
        ),
        timezone="Europe/Berlin",
    )
    day = utc("2026-11-18").date()
    found = list(instants(schedule, Span(day, day, "Europe/Berlin")))
    assert [(f"{moment:%dT%H:%M}", filled_in("%d %H", moment, zone)) for moment, zone in found] == [
        ("17T16:00", "18 01"),
        ("18T00:00", "18 01"),
        ("18T16:00", "18 17"),
        ("18T16:30", "18 17"),
    ]


@pytest.mark.parametrize(
    ("zone", "expression", "day", "due"),
    [
        ("Asia/Tokyo", "0 5 * * *", "2026-11-10", ["11-09T20:00"]),
        ("Asia/Tokyo", "0 0 * * *", "2026-11-10", ["11-09T15:00"]),
        ("America/New_York", "30 22 * * *", "2026-11-10", ["11-11T03:30"]),
        ("America/New_York", "0 0 * * *", "2026-11-10", ["11-10T05:00"]),
        # The clocks go forward, and back.
        ("Europe/Berlin", "30 2 * * *", "2027-03-28", ["03-28T01:00"]),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25", ["10-25T00:30"]),
        ("America/New_York", "30 2 * * *", "2026-03-08", ["03-08T07:00"]),
        ("America/New_York", "30 1 * * *", "2026-11-01", ["11-01T05:30"]),
        ("America/New_York", "30 23 * * *", "2026-11-01", ["11-02T04:30"]),
        # Here they go back at midnight: the day before has its last hour twice.
        ("America/Asuncion", "30 */23 * * *", "2024-03-23", ["03-23T03:30", "03-24T02:30", "03-24T03:30"]),
        ("UTC", "30 22 * * *", "2026-11-10", ["11-10T22:30"]),
    ],
)
def test_a_backfill_of_one_day_has_what_the_scheduler_would_have_started(
    zone: str, expression: str, day: str, due: list[str]
) -> None:
    span = Span(utc(day).date(), utc(day).date(), zone)
    found = list(instants(cron(expression, timezone=zone), span))
    assert [f"{each:%m-%dT%H:%M}" for each, _ in found] == due
    assert {each.utcoffset() for each, _ in found} == {timedelta()}


def test_only_the_documented_parts_of_a_time_are_filled_in() -> None:
    moment = utc("2026-11-09T20:05")
    assert filled_in("%Y/%m/%d %H:%M", moment, "Asia/Tokyo") == "2026/11/10 05:05"
    assert filled_in("a%20b/100%/%j%%", moment, "UTC") == "a%20b/100%/%j%%"


def test_figures_are_escaped() -> None:
    runs = [run(0, name='odd "name"\\'), counted({"run": "x", "dag": "b", "state": "failed"})]
    lines = list(exposition(runs, {}, {"q": 2}, NOW))
    assert 'dagfs_runs{dag="odd \\"name\\"\\\\",state="succeeded"} 1' in lines
    assert 'dagfs_queued_runs{queue="q"} 2' in lines
    assert "dagfs_scheduler_up 0" in lines


def test_a_scheduler_lives_as_long_as_it_says() -> None:
    assert is_alive({"stale_after": "2026-06-10T00:00:10+00:00"}, NOW)
    assert not is_alive({"stale_after": "2026-06-09T00:00:10+00:00"}, NOW)
    assert not is_alive({"stale_after": "2026-06-10T00:00:10+00:00", "stopped": True}, NOW)
    assert not is_alive({}, NOW)
    assert not is_alive({"stale_after": "soon"}, NOW)


def test_a_scheduler_that_is_seen_to_be_dead_is_so_at_once() -> None:
    fresh = {"stale_after": "2026-06-10T00:00:10+00:00", "pid_namespace": pid_namespace()}
    me = identity(os.getpid())
    assert me is not None
    gone = {**me.as_data(), "start": me.start + 1}
    assert is_alive({**fresh, "identity": me.as_data()}, NOW)
    assert not is_alive({**fresh, "identity": gone}, NOW)
    # Its pid says nothing here: another boot or machine, a container, an older dagfs.
    assert is_alive({**fresh, "identity": {**gone, "boot": "other"}}, NOW)
    assert is_alive({**fresh, "identity": gone, "pid_namespace": 1}, NOW)
    assert is_alive({"stale_after": fresh["stale_after"], "identity": gone}, NOW)
    assert is_alive({**fresh, "identity": {}}, NOW)
