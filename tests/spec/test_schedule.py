from __future__ import annotations

import pytest

from dagfs.model.dag import Dag, RetryPolicy
from dagfs.model.schedule import Retention, Schedule, Timetable
from dagfs.spec.parse import parse
from dagfs.spec.schedule import duration


def read(text: str) -> Dag:
    reading = parse(f"{text}\nsteps: [x]".encode(), "f.yaml")
    assert reading.dag is not None, reading.problems
    assert Dag.from_data(reading.dag.as_data()).schedule == reading.dag.schedule
    return reading.dag


def problems(text: str) -> list[str]:
    return [str(problem) for problem in parse(f"{text}\nsteps: [x]".encode(), "f.yaml").problems]


NIGHT = Timetable(expression="30 2 * * *")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("schedule: '30 2 * * *'", (NIGHT,)),
        ("schedule: ''", ()),
        ("schedule:", ()),
        ("schedule: []", ()),
        ("schedule: ['30 2 * * *', '@daily']", (NIGHT, Timetable(expression="@daily"))),
        (
            "schedule: 'CRON_TZ=Asia/Tokyo 30 2 * * *'",
            (Timetable(expression="30 2 * * *", timezone="Asia/Tokyo"),),
        ),
        ("schedule: 'TZ=UTC  30   2 * * *'", (Timetable(expression="30 2 * * *", timezone="UTC"),)),
        ("schedule: {kind: cron, expression: 30 2 * * *}", (NIGHT,)),
        ("schedule: [{cron: 30 2 * * *}]", (NIGHT,)),
        ("schedule: [{at: '2026-12-24T18:00:00+01:00'}]", (Timetable(at="2026-12-24T17:00:00Z"),)),
        ("schedule: {kind: at, at: '2026-12-24T18:00:00Z'}", (Timetable(at="2026-12-24T18:00:00Z"),)),
        (
            "schedule: {start: ['30 2 * * *'], stop: 0 4 * * *, restart: 0 5 * * *}",
            (NIGHT, Timetable("stop", "0 4 * * *"), Timetable("restart", "0 5 * * *")),
        ),
    ],
)
def test_the_forms_of_a_schedule(text: str, entries: tuple[Timetable, ...]) -> None:
    assert read(text).schedule.entries == entries


@pytest.mark.parametrize(
    "text",
    [
        # Its time is over, which is another matter.
        "schedule: '@daily'\nstart_date: 2001-01-01\nend_date: 2001-01-01",
        "schedule: 0 0 29 2 *\nend_date: 1999-01-01",
        "schedule: 0 0 29 2 *\nstart_date: 2097-01-01\nend_date: 2105-12-31",
        "schedule: 0 0 29 2 *\nstart_date: 2026-01-01\nend_date: 9999-12-31",
        "schedule: {at: '2026-12-24T18:00:00Z'}\nstart_date: 2026-12-24\nend_date: 2026-12-24",
        # A day ends later in the west, and the zone may stand in dagfs.yaml.
        "schedule: {at: '2026-12-24T10:00:00Z'}\nend_date: 2026-12-23",
        "schedule: 0 18 * * *\nstart_date: 2026-03-01T09:00:01Z\nend_date: 2026-03-01T21:00:00Z",
        "schedule: CRON_TZ=Asia/Tokyo 0 1 2 3 *\ntimezone: UTC\nstart_date: 2026-03-01\nend_date: 2026-03-01",
        # What is skipped at 02:30 runs at 03:00, and 02:15 comes a second time.
        "schedule: 30 2 * * *\ntimezone: Europe/Berlin\n"
        "start_date: 2026-03-29T01:00:00Z\nend_date: 2026-03-29T02:00:00Z",
        "schedule: 15 * * * *\ntimezone: Europe/Berlin\n"
        "start_date: 2026-10-25T00:30:00Z\nend_date: 2026-10-25T01:20:00Z",
        "schedule: '@daily'\nstart_date: 9999-12-30\nend_date: 9999-12-31",
        "schedule: '@daily'\nstart_date: 0001-01-01\nend_date: 0001-01-01",
    ],
)
def test_what_can_happen_between_two_dates_is_no_error(text: str) -> None:
    assert read(text).schedule.entries


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("schedule: '0 0 31 2 *'", "f.yaml:1:11: error: cron expression '0 0 31 2 *': it never fires"),
        ("schedule: [1, [2]]", "f.yaml:1:15: error: each entry of schedule must be a text or a map"),
        ("schedule: {begin: x}", "f.yaml:1:12: error: unknown key 'begin' in schedule"),
        ("schedule: {kind: cron}", "f.yaml:1:11: error: an entry of schedule needs expression:"),
        ("schedule: {kind: moon, at: x}", "f.yaml:1:18: error: kind must be 'cron' or 'at', not 'moon'"),
        ("schedule: {at: '9999-12-31T23:59:59-05:00'}", "f.yaml:1:16: error: at must be an instant"),
        ("start_date: 2026-03-02\nend_date: 2026-03-01", "f.yaml:2:11: error: end_date 2026-03-01 is before"),
        (
            "start_date: 2026-03-04\nend_date: '2026-03-01T00:00:00Z'",
            "f.yaml:2:11: error: end_date 2026-03-01T",
        ),
        (
            "start_date: '2026-03-01T00:00:01Z'\nend_date: '2026-03-01T00:00:00Z'",
            "f.yaml:2:11: error: end_date 2026-03-01T",
        ),
        (
            "schedule: ['@daily', '0 0 29 2 *']\nstart_date: 2026-01-01\nend_date: 2026-12-31",
            "f.yaml:1:22: error: '0 0 29 2 *' never fires from start_date 2026-01-01 to end_date 2026-12-31",
        ),
        (
            "schedule: {at: '2026-12-24T18:00:00Z'}\nend_date: 2026-12-01",
            "f.yaml:1:11: error: 'at 2026-12-24T18:00:00Z' never fires until end_date 2026-12-01",
        ),
        (
            "schedule: [{at: '2026-12-24T18:00:00Z'}]\nstart_date: 2026-12-27",
            "f.yaml:1:12: error: 'at 2026-12-24T18:00:00Z' never fires from start_date 2026-12-27 on",
        ),
        (
            "schedule: 0 0 29 2 *\nstart_date: 2097-01-01\nend_date: 2103-12-31",
            "f.yaml:1:11: error: '0 0 29 2 *' never fires from",
        ),
        (
            "schedule: {stop: 0 18 * * *}\ntimezone: Asia/Tokyo\n"
            "start_date: 2026-03-01T09:00:01Z\nend_date: 2026-03-02T08:59:00Z",
            "f.yaml:1:18: error: 'stop: 0 18 * * *' never fires from",
        ),
        ("schedule: {at: tomorrow}", "f.yaml:1:16: error: at must be an instant"),
        ("schedule: {at: 2026-12-24T18:00:00}", "f.yaml:1:16: error: at must be an instant"),
        ("schedule: {at: 2026-12-24}", "f.yaml:1:16: error: at must be an instant"),
        ("timezone: Mars/Olympus", "f.yaml:1:11: error: there is no time zone 'Mars/Olympus'"),
        ("timezone: ../../etc/passwd", "f.yaml:1:11: error: there is no time zone"),
        ("catchup: some", "f.yaml:1:10: error: catchup must be one of"),
        ("catchup_window: 5 weeks", "f.yaml:1:17: error: catchup_window must be seconds or a time"),
        ("overlap_policy: never", "f.yaml:1:17: error: overlap_policy must be one of"),
        ("start_date: soon", "f.yaml:1:13: error: start_date must be a date or an instant"),
        ("queue: 'a b'", "f.yaml:1:8: error: 'a b' cannot name a queue"),
        ("suspend: maybe", "f.yaml:1:10: error: suspend must be true or false"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, problem: str) -> None:
    assert any(each.startswith(problem) for each in problems(text)), problems(text)


def test_everything_else_of_it() -> None:
    found = read(
        "timezone: Europe/Berlin\ncatchup: none\ncatchup_window: 1h30m\noverlap: all\njitter: 5m\n"
        "start_date: 2026-01-01\nend_date: 2026-12-31T12:00:00Z\nwatch: ['in/*.csv']\nsuspend: true\n"
        "restart_wait_sec: 5\nskip_if_successful: true\nqueue: heavy\npriority: -2\nmax_active_runs: -1\n"
        "hist_retention_days: 30\nhist_retention_runs: 5\nretry_policy: {limit: 2, interval_sec: 60}"
    )
    assert found.schedule == Schedule(
        timezone="Europe/Berlin",
        skip_if_successful=True,
        catchup="none",
        catchup_window_sec=5400,
        overlap="queue",
        jitter_sec=300,
        start_date="2026-01-01",
        end_date="2026-12-31T12:00:00Z",
        watch=("in/*.csv",),
        suspend=True,
        restart_wait_sec=5,
    )
    assert (found.queue, found.priority, found.max_active_runs) == ("heavy", -2, 0)
    assert found.retention == Retention(30, 5)
    assert found.retry_policy == RetryPolicy(2, 60)


def test_a_window_alone_means_all_of_it() -> None:
    assert read("catchup_window: 6h").schedule.catchup == "all"
    assert read("skipIfSuccessful: true\nhistRetentionDays: 7").retention.days == 7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("2d", 172800),
        ("1h30m", 5400),
        ("10s", 10),
        ("", None),
        ("h", None),
        ("1x", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


def test_a_pattern_for_files_of_runs_is_warned_of() -> None:
    (warning,) = problems("watch: [inbox/*, runs/**/*.log]")
    assert warning == "f.yaml:1:8: warning: 'runs/**/*.log': what lies with the runs starts none"
    assert not problems("watch: runs-in/*")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T00:00:00Z", "2026-03-01"),
        ("2026-03-02", "2026-03-01T12:00:00Z"),
        ("2026-03-01", "9999-12-31"),
    ],
)
def test_a_schedule_may_be_as_short_as_it_likes(first: str, last: str) -> None:
    assert not problems(f"start_date: '{first}'\nend_date: '{last}'")
