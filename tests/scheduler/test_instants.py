"""Days on which clocks are changed. What is written here is cron's own rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.cron import parse_cron
from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.instants import delay, next_match, next_of, occurrences, zone_at, zone_named
from tests.scheduler.world import cron, utc


def seq(expression: str, zone: str, after: str, count: int) -> list[str]:
    schedule = cron(expression, timezone=zone)
    return [f"{moment:%m-%dT%H:%M}" for moment, _ in islice(occurrences(schedule, "UTC", utc(after)), count)]


def test_a_fixed_hour_that_is_skipped_happens_right_after_the_gap() -> None:
    # Berlin, 2026-03-29: 02:00 becomes 03:00, which is 01:00 in UTC.
    assert seq("30 2 * * *", "Europe/Berlin", "2026-03-28", 3) == [
        "03-28T01:30",
        "03-29T01:00",
        "03-30T00:30",
    ]
    assert seq("15,45 2 * * *", "Europe/Berlin", "2026-03-29", 2) == ["03-29T01:00", "03-30T00:15"]
    assert seq("0 3 * * *", "Europe/Berlin", "2026-03-29", 2) == ["03-29T01:00", "03-30T01:00"]


def test_a_free_hour_that_is_skipped_does_not_happen() -> None:
    assert seq("30 * * * *", "Europe/Berlin", "2026-03-29", 3) == [
        "03-29T00:30",
        "03-29T01:30",
        "03-29T02:30",
    ]


def test_a_fixed_hour_that_comes_twice_happens_the_first_time() -> None:
    # Berlin, 2026-10-25: 03:00 becomes 02:00, which is 01:00 in UTC.
    assert seq("30 2 * * *", "Europe/Berlin", "2026-10-24", 3) == [
        "10-24T00:30",
        "10-25T00:30",
        "10-26T01:30",
    ]
    assert seq("30 2 * * *", "Europe/Berlin", "2026-10-25T00:31", 1) == ["10-26T01:30"]
    assert seq("0 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["10-25T00:00", "10-26T01:00"]


def test_a_free_hour_that_comes_twice_happens_twice() -> None:
    assert seq("30 * * * *", "Europe/Berlin", "2026-10-25", 3) == [
        "10-25T00:30",
        "10-25T01:30",
        "10-25T02:30",
    ]
    assert seq("0 * * * *", "Europe/Berlin", "2026-10-25", 3) == ["10-25T01:00", "10-25T02:00", "10-25T03:00"]


def test_lord_howe_changes_by_half_an_hour() -> None:
    # 2026-10-04: 02:00+10:30 becomes 02:30+11:00.
    assert seq("30 2 * * *", "Australia/Lord_Howe", "2026-10-02T12:00", 3) == [
        "10-02T16:00",
        "10-03T15:30",
        "10-04T15:30",
    ]
    assert seq("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 2) == ["10-03T15:30", "10-04T15:15"]
    # 2026-04-05: 02:00+11:00 becomes 01:30+10:30.
    assert seq("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2) == ["04-04T14:45", "04-05T15:15"]
    assert seq("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", 3) == [
        "04-04T14:30",
        "04-04T15:00",
        "04-04T15:30",
    ]


def test_a_day_that_a_country_left_out_happens_at_its_end() -> None:
    # Samoa had no 30 December 2011.
    assert seq("0 12 * * *", "Pacific/Apia", "2011-12-29", 3) == ["12-29T22:00", "12-30T10:00", "12-30T22:00"]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_the_zone_of_the_machine_changes_nothing() -> None:
    assert seq("0 0 * * *", "UTC", "2026-01-01", 1) == ["01-02T00:00"]
    assert seq("30 2 * * *", "Europe/Berlin", "2026-03-28", 1) == ["03-28T01:30"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize(
    "after", ["2026-11-21T10:00:00+09:00", "2026-11-20T20:00:00-05:00", "2026-11-21T01:00Z"]
)
def test_a_moment_is_the_same_in_whatever_zone_it_is_said(zone: str, after: str) -> None:
    moment = datetime.fromisoformat(after)
    for expression in ("0 5 * * *", "30 22 * * *", "0 * * * *"):
        assert next_match(expression, zone_named(zone), moment) == next_match(
            expression, zone_named(zone), utc("2026-11-21T01:00")
        )
        local = moment.astimezone(zone_named(zone))
        schedule = cron(expression, timezone=zone)
        assert next(occurrences(schedule, "UTC", local)) == next(occurrences(schedule, "UTC", moment))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "UTC"])
def test_the_end_of_the_calendar_is_no_bug(zone: str) -> None:
    late = utc("9999-12-31")
    assert next_match("0 0 * * *", zone_named(zone), late) is None
    for_ever = cron("0 0 * * *", timezone=zone, start_date="2026-03-01", end_date="9999-12-31")
    assert seq("0 0 * * *", zone, "2026-03-01", 1)
    assert next(occurrences(for_ever, "UTC", utc("2026-01-01")))
    assert not list(occurrences(cron("0 0 * * *", timezone=zone, start_date="9999-12-31"), "UTC", late))
    assert next(
        occurrences(cron("0 0 * * *", timezone=zone, start_date="0001-01-01"), "UTC", utc("2026-01-01"))
    )


_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["30 2 * * *", "*/15 * * * *", "0 */3 * * *", "5 1-3 * * 0", "0 0 1 * *"]),
    st.sampled_from(_ZONES),
    st.datetimes(utc("2025-01-01").replace(tzinfo=None), utc("2027-01-01").replace(tzinfo=None)),
)
def test_every_instant_is_later_and_nearly_always_shown_by_the_local_clock(expression, zone, start) -> None:
    moment = start.replace(tzinfo=utc("2025-01-01").tzinfo)
    parsed = parse_cron(expression)
    for _ in range(8):
        found = next_match(expression, zone_named(zone), moment)
        assert found is not None
        assert found > moment
        local = found.astimezone(zone_named(zone))
        jumped = local.utcoffset() != (found - timedelta(seconds=1)).astimezone(zone_named(zone)).utcoffset()
        assert parsed.matches(local) or jumped
        # No instant later than `moment` and before it was left out.
        assert next_match(expression, zone_named(zone), found - timedelta(seconds=1)) == found
        moment = found


def test_start_and_end_bound_a_schedule() -> None:
    schedule = cron("0 12 * * *", start_date="2026-03-01", end_date="2026-03-02", timezone="Asia/Tokyo")
    found = [moment for moment, _ in occurrences(schedule, "UTC", utc("2026-01-01"))]
    assert found == [utc("2026-03-01T03:00"), utc("2026-03-02T03:00")]


@pytest.mark.parametrize(
    ("zone", "last", "found"),
    [
        # At midnight it is 23:00 again, the hour before was that of summer.
        ("America/Santiago", "2026-04-04", ["02:00", "02:30", "03:00", "03:30"]),
        # Midnight and the hour behind it come twice: the day has ended before.
        ("America/Havana", "2026-10-31", ["02:00", "02:30", "03:00", "03:30"]),
        # From 23:00 on it is the next day.
        ("America/Nuuk", "2026-03-28", ["23:00", "23:30", "00:00", "00:30"]),
    ],
)
def test_the_last_day_is_over_when_the_clock_no_longer_shows_it(
    zone: str, last: str, found: list[str]
) -> None:
    schedule = cron("*/30 * * * *", timezone=zone, end_date=last)
    moments = [moment for moment, _ in occurrences(schedule, "UTC", utc(last))]
    assert [f"{moment:%H:%M}" for moment in moments[-4:]] == found


@pytest.mark.parametrize(
    ("zone", "first", "found"),
    [
        # There is no midnight: 00:00 is 01:00.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        # Nor here, and the clock has not stood at 23:30 the day before.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),
    ],
)
def test_the_first_day_begins_when_the_clock_shows_it_first(zone: str, first: str, found: str) -> None:
    schedule = cron("*/30 * * * *", timezone=zone, start_date=first)
    since = utc(first) - timedelta(days=2)
    assert next(occurrences(schedule, "UTC", since))[0] == utc(found)


def test_entries_with_zones_and_actions_are_one_sequence() -> None:
    schedule = Schedule(
        (
            Timetable(expression="0 8 * * *"),
            Timetable("stop", "0 17 * * *"),
            Timetable(expression="0 9 * * *", timezone="Europe/Berlin"),
            Timetable(at="2026-01-05T10:00:00Z"),
        )
    )
    found = list(islice(occurrences(schedule, "UTC", utc("2026-01-05")), 4))
    assert [(f"{moment:%dT%H:%M}", sorted(actions)) for moment, actions in found] == [
        ("05T08:00", ["start"]),
        ("05T10:00", ["start"]),
        ("05T17:00", ["stop"]),
        ("06T08:00", ["start"]),
    ]
    assert next_of(Timetable(at="2026-01-05T10:00:00Z"), "UTC", utc("2026-01-05T10:00")) is None


def test_an_instant_is_meant_in_the_zone_of_its_entry() -> None:
    entries = (Timetable(expression="0 1 * * *", timezone="Asia/Tokyo"), Timetable(expression="0 9,17 * * *"))
    schedule = Schedule(entries, timezone="Europe/Berlin")
    zones = [
        (f"{moment:%H:%M}", zone_at(schedule, "UTC", moment))
        for moment, _ in islice(occurrences(schedule, "UTC", utc("2026-11-18")), 3)
    ]
    # At 16:00 in UTC both are due.
    assert zones == [("08:00", "Europe/Berlin"), ("16:00", "Asia/Tokyo"), ("08:00", "Europe/Berlin")]
    assert zone_at(cron("0 0 * * *"), "Asia/Tokyo", utc("2026-11-18T15:00")) == "Asia/Tokyo"


def test_jitter_is_the_same_each_time_and_differs_between_dags() -> None:
    schedule = cron("0 0 * * *", jitter_sec=3600)
    delays = {delay(name, schedule) for name in "abcdefgh"}
    assert len(delays) == 8
    assert all(timedelta() <= each < timedelta(hours=1) for each in delays)
    assert delay("a", schedule) == delay("a", schedule)
    assert delay("a", cron("0 0 * * *")) == timedelta()
