"""The timeline of a run: time to percent, cuts, tries, and markup whatever steps are called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.web.gantt import axis, bars
from dagfs.web.timeline import Lane, in_order, timeline
from dagfs.web.views.course import Course, Stretch, Try

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(second: float) -> str:
    return (NOON + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


def one(number: int, began: float, ended: float | None, state: str = "succeeded") -> Try:
    return Try(number, at(began), at(ended) if ended is not None else None, state)


def stretch(began: float, ended: float | None) -> Stretch:
    return Stretch(at(began), at(ended) if ended is not None else None)


def lane(name: str, state: str = "succeeded", **more: object) -> Lane:
    return Lane((name, ""), name, state, **more)  # type: ignore[arg-type]


def test_bars_stand_where_their_time_is() -> None:
    course = Course(1, (stretch(0, 100),), {("a", ""): (one(1, 0, 50),), ("b", ""): (one(1, 50, 100),)})
    chart = timeline([course], [lane("a"), lane("b")], at(100))
    (a,), (b,) = (row.bars for row in chart.rows)
    assert a.start == 0
    assert a.width == b.width
    assert b.start == a.width
    assert [row.label for row in chart.rows] == ["50 s", "50 s"]
    assert chart.sections[0].title == ""
    assert [text for _, text in chart.sections[0].ticks][:2] == ["0", "20 s"]


def test_what_goes_on_ends_now_and_what_has_not_begun_has_no_bar() -> None:
    course = Course(1, (stretch(0, None),), {("a", ""): (one(1, 0, None, "running"),)})
    chart = timeline([course], [lane("a", "running"), lane("b", "not_started")], at(30))
    assert chart.rows[0].bars[0].width == chart.sections[0].width
    assert chart.rows[0].label == "30 s"
    assert chart.rows[1].bars == ()
    assert chart.rows[1].label == ""


def test_every_try_has_its_bar_and_its_state() -> None:
    tries = (one(1, 0, 10, "failed"), one(2, 20, 30, "failed"), one(3, 40, 50))
    chart = timeline([Course(1, (stretch(0, 50),), {("a", ""): tries})], [lane("a")], at(50))
    assert [bar.state for bar in chart.rows[0].bars] == ["failed", "failed", "succeeded"]
    assert chart.rows[0].label == "50 s · 3 tries"
    assert "try 2" in chart.rows[0].bars[1].title


def test_the_night_between_two_attempts_is_cut_out() -> None:
    first = Course(1, (stretch(0, 60),), {("a", ""): (one(1, 0, 60),), ("b", ""): (one(1, 0, 60, "failed"),)})
    second = Course(2, (stretch(40_000, 40_060),), {("b", ""): (one(1, 40_000, 40_060),)})
    lanes = [lane("a", kept=True, note="kept from attempt 1"), lane("b")]
    chart = timeline([first, second], lanes, at(40_060))
    one_, two = chart.sections
    assert one_.width == two.width
    assert (one_.title, two.title) == ("attempt 1", "attempt 2")
    a, b = chart.rows
    assert [bar.is_earlier for bar in a.bars] == [True]
    assert a.label == "kept from attempt 1"
    assert a.label_at == two.start
    assert [bar.is_earlier for bar in b.bars] == [True, False]


def test_a_short_attempt_beside_a_long_one_can_still_be_seen() -> None:
    courses = [Course(1, (stretch(0, 50_000),)), Course(2, (stretch(60_000, 60_001),))]
    chart = timeline(courses, [], at(60_001))
    assert chart.sections[1].width > 10
    assert chart.sections[0].width > chart.sections[1].width


def test_waiting_for_days_takes_no_room() -> None:
    waits = (
        one(1, 0, 10),
        Try(0, at(10), at(200_000), "waiting"),
        Try(0, at(200_000), at(200_010), "succeeded"),
    )
    course = Course(1, (stretch(0, 10), stretch(200_000, 200_010)), {("a", ""): waits})
    chart = timeline([course], [lane("a")], at(200_010))
    assert len(chart.sections) == 2
    assert chart.sections[0].width == chart.sections[1].width
    assert chart.sections[1].title == "went on"


def test_only_the_last_stretches_are_shown() -> None:
    courses = [Course(n, (stretch(n * 100, n * 100 + 10),)) for n in range(1, 20)]
    chart = timeline(courses, [], at(2000))
    assert len(chart.sections) == 6
    assert chart.left_out == 13


def test_lanes_follow_the_order_in_which_steps_began() -> None:
    course = Course(2, (stretch(0, 9),), {("b", ""): (one(1, 1, 2),), ("a", ""): (one(1, 3, 4),)})
    lanes = [lane("later", "not_started"), lane("a"), lane("b"), lane("done", kept=True)]
    assert [each.label for each in in_order(lanes, course)] == ["done", "b", "a", "later"]


def test_nothing_at_all_is_a_picture_too() -> None:
    chart = timeline([Course(1)], [], at(0))
    ET.fromstring(axis(chart))
    ET.fromstring(bars(chart))


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)
TIMES = st.floats(0, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, TIMES, TIMES, st.sampled_from(["failed", "<b>", "running"])), max_size=6))
def test_any_names_and_times_give_valid_markup_within_the_picture(
    steps: list[tuple[str, float, float, str]],
) -> None:
    tries = {(name, ""): (one(1, began, began + long, state),) for name, began, long, state in steps}
    lanes = [lane(name, state, href=f"/x?step={name}", note=name) for name, _, _, state in steps]
    end = max([began + long for _, began, long, _ in steps], default=1.0)
    chart = timeline([Course(1, (stretch(0, end),), tries)], lanes, at(end))
    for bar in (bar for row in chart.rows for bar in row.bars):
        assert 0 <= bar.start <= bar.start + bar.width <= 100.001
    root = ET.fromstring(bars(chart).replace(" data-over", ""))
    assert len(list(root.iter("g"))) == len(lanes)
    ET.fromstring(axis(chart))


def test_a_thousand_steps_are_one_picture() -> None:
    tries = {(f"step {n}", ""): (one(1, n, n + 5),) for n in range(1000)}
    lanes = [lane(f"step {n}") for n in range(1000)]
    chart = timeline([Course(1, (stretch(0, 1005),), tries)], lanes, at(1005))
    assert bars(chart).count('class="bar ') == 1000
    assert len(bars(chart)) < 400_000
