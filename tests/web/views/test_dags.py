"""The list of DAGs: schedules in words, strips of runs, filters."""

from __future__ import annotations

import pytest

from dagfs.errors import Problem
from dagfs.model.schedule import Schedule, Timetable
from dagfs.web.shelf import DagFact, tags_of
from dagfs.web.views.dags import DagFilter, ordered, schedule_words, strip
from dagfs.web.views.history import history
from dagfs.web.views.lines import numbered
from dagfs.web.views.pauses import pauses
from tests.web.views.test_runs import fact


def dag(key: str = "etl.yaml", **more: object) -> DagFact:
    said = {"name": key.removesuffix(".yaml"), **more}
    return DagFact(key, f"/home/dags/{key}", (1, 2, 3), **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(), ""),
        (Schedule((Timetable(expression="30 2 * * 1-5"),)), "at 02:30 on Monday to Friday (UTC)"),
        (
            Schedule((Timetable(expression="0 * * * *"),), "Europe/Berlin"),
            "at minute 0 of every hour (Europe/Berlin)",
        ),
        (Schedule((Timetable("stop", "0 9 * * *"),)), "stop at 09:00 (UTC)"),
        (Schedule((Timetable(at="2026-11-21T02:00:00+00:00"),)), "once at 2026-11-21T02:00:00+00:00 (UTC)"),
        (Schedule(watch=("in/*.csv",)), "on new files in/*.csv"),
        (Schedule((Timetable(expression="* * * * *"),), suspend=True), "suspended by its file"),
    ],
)
def test_schedules_in_words(schedule: Schedule, words: str) -> None:
    assert schedule_words(schedule, "UTC") == words


def test_a_strip_has_a_cell_a_run_with_the_newest_on_the_right() -> None:
    made = str(strip([fact("r02", state="failed", reason='"<b>"'), fact("r01")]))
    assert made.index("/runs/r01") < made.index("/runs/r02")
    assert "the last 2 runs: 1 failed, 1 succeeded" in made
    assert "<b>" not in made
    assert "&lt;b&gt;" in made


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (DagFilter(), True),
        (DagFilter(text="orders DAY"), True),
        (DagFilter(text="orders night"), False),
        (DagFilter(tag="prod"), True),
        (DagFilter(tag="pro"), False),
        (DagFilter(status="succeeded"), True),
        (DagFilter(status="never_ran"), False),
        (DagFilter(status="broken"), True),
        (DagFilter(status="paused"), True),
    ],
)
def test_a_filter_takes_what_fits_all_of_it(wanted: DagFilter, takes: bool) -> None:
    one = dag(description="a day's orders", tags=("prod",), problems=(Problem("f", 1, 1, "bad"),))
    assert wanted.takes(one, fact("r01"), paused=True) is takes


def test_the_order_is_by_the_newest_run_or_the_next_start() -> None:
    a, b, c = dag("a.yaml"), dag("b.yaml"), dag("c.yaml")
    runs = {"b": [fact("r02")], "c": [fact("r01")]}
    assert [each.key for each in ordered([a, b, c], "recent", runs, {})] == ["b.yaml", "c.yaml", "a.yaml"]
    assert [each.key for each in ordered([a, b], "next", {}, {"a.yaml": None})] == ["a.yaml", "b.yaml"]


def test_tags_come_by_how_many_have_them() -> None:
    found = tags_of([dag(tags=("b", "a")), dag(tags=("b",))])
    assert list(found.items()) == [("b", 2), ("a", 1)]


def test_history_crosses_the_steps_of_now_and_of_then_with_runs() -> None:
    facts = [fact("r02"), fact("r01")]
    documents = {
        "r02": {"steps": {"a": {"state": "succeeded", "kept": True}, "new": {"state": "failed"}}},
        "r01": {"steps": {"a": {"state": "succeeded"}, "old": {"state": "skipped"}}},
    }
    made = history(facts, documents, ["a", "new"])
    assert [each.run for each in made.runs] == ["r01", "r02"]
    assert [name for name, _ in made.rows] == ["a", "new", "old"]
    squares = dict(made.rows)
    assert [each.state for each in squares["new"]] == ["", "failed"]
    assert [each.kept for each in squares["a"]] == [False, True]
    assert history([], {}, []).rows == ()


def test_a_damaged_status_has_no_steps() -> None:
    made = history([fact("r01")], {"r01": {"steps": None}}, ["a"])
    assert made.rows[0][1][0].state == ""


def test_lines_have_their_problems() -> None:
    lines = numbered(b"a\r\nb\xff\n", [Problem("f", 2, 1, "bad"), Problem("f", 0, 0, "as a whole")])
    assert [(each.number, each.text, len(each.problems)) for each in lines] == [
        (1, "a", 0),
        (2, "b\ufffd", 1),
    ]
    assert numbered(b"") == []


def test_a_pause_of_any_shape_can_be_told() -> None:
    found = pauses({"a": {"by": "ann", "since": "2026-11-21T00:00:00Z", "reason": "x"}, "b": {"since": 3}})
    assert str(found["a"]) == "by ann: x"
    assert (found["b"].since, str(found["b"])) == ("", "by ?")
