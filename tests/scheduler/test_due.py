from __future__ import annotations

from datetime import timedelta

import pytest

from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.due import decide
from tests.scheduler.world import cron, utc

HOURLY = "0 * * * *"


def test_what_is_due_now_is_started_whatever_the_catch_up() -> None:
    for catchup in ("none", "latest", "all"):
        due = decide(
            cron(HOURLY, catchup=catchup), "UTC", utc("2026-01-01T00:30"), utc("2026-01-01T01:00:20")
        )
        assert due.starts == (utc("2026-01-01T01:00"),)
        assert not due.missed


@pytest.mark.parametrize(("catchup", "starts"), [("none", 0), ("latest", 1), ("all", 72)])
def test_three_days_without_a_scheduler(catchup: str, starts: int) -> None:
    due = decide(cron(HOURLY, catchup=catchup), "UTC", utc("2026-01-01T00:30"), utc("2026-01-04T00:30"))
    assert len(due.starts) == starts
    assert len(due.missed) == 72 - starts
    assert not starts or due.starts[-1] == utc("2026-01-04T00:00")


def test_a_missed_instant_is_no_more_due_once_another_is() -> None:
    due = decide(cron(HOURLY), "UTC", utc("2026-01-01T00:30"), utc("2026-01-01T03:00:10"))
    assert due.starts == (utc("2026-01-01T03:00"),)
    assert due.missed == (utc("2026-01-01T01:00"), utc("2026-01-01T02:00"))


def test_the_window_bounds_what_is_made_up_for() -> None:
    schedule = cron(HOURLY, catchup="all", catchup_window_sec=2.5 * 3600)
    due = decide(schedule, "UTC", utc("2026-01-01T00:30"), utc("2026-01-02T00:30"))
    assert [f"{moment:%H}" for moment in due.starts] == ["23", "00"] or len(due.starts) == 3
    assert all(utc("2026-01-02T00:30") - moment <= timedelta(hours=2.5) for moment in due.starts)


def test_a_clock_that_jumps_a_year_ahead_starts_a_thousand_at_most() -> None:
    due = decide(cron("* * * * *", catchup="all"), "UTC", utc("2026-01-01"), utc("2027-01-01T00:00:30"))
    assert len(due.starts) == 1000
    assert due.more_missed
    assert due.starts[-1] == utc("2027-01-01T00:00")


def test_a_watermark_in_the_future_is_a_wrong_clock() -> None:
    due = decide(cron(HOURLY), "UTC", utc("2027-01-01"), utc("2026-01-01T00:59"))
    assert due.clock_went_back
    assert not due.starts


def test_stops_are_for_now_only() -> None:
    schedule = Schedule((Timetable("stop", "0 17 * * *"), Timetable(expression="0 8 * * *")))
    assert decide(schedule, "UTC", utc("2026-01-01T16:00"), utc("2026-01-01T17:00:30")).stops
    assert not decide(schedule, "UTC", utc("2026-01-01T16:00"), utc("2026-01-01T18:00")).stops


def test_a_restart_is_a_start_that_stops_first() -> None:
    schedule = Schedule((Timetable("restart", "0 17 * * *"),))
    due = decide(schedule, "UTC", utc("2026-01-01T16:00"), utc("2026-01-01T17:00:30"))
    assert due.starts == due.restarts == (utc("2026-01-01T17:00"),)
