from __future__ import annotations

from typing import Any

from dagfs.scheduler.gazette import AGAIN_SEC, MOST, Gazette, trouble_of


class Reader:
    """A gazette with a clock that can be set, and others who may have told before."""

    def __init__(self) -> None:
        self.now = 0.0
        self.claimed: set[str] = set()
        self.gazette = Gazette(self._claim, lambda: self.now)

    def _claim(self, key: str) -> bool:
        fresh = key not in self.claimed
        self.claimed.add(key)
        return fresh

    def reads(self, *records: dict[str, Any]) -> list[str]:
        for record in records:
            self.gazette.hear(record)
        return [f"{each.kind} {each.subject}: {each.reason}" for each in self.gazette.due()]


def refused(dag: str, run: str = "r1") -> dict[str, Any]:
    return {"time": "t", "event": "not_started", "dag": dag, "run": run, "reason": "no"}


def test_what_went_well_is_no_news() -> None:
    assert Reader().reads({"event": "started", "dag": "d", "run": "r"}, {"event": "passed_over"}) == []


def test_each_kind_says_what_happened() -> None:
    said = Reader().reads(
        {"event": "dag_error", "file": "a.yaml", "error": "a.yaml:1:1: bad", "last_good": True},
        {"event": "dag_error", "file": "b.yaml", "error": "b.yaml:1:1: bad", "last_good": False},
        refused("d"),
        {"event": "missed", "dag": "d", "due": "D", "catchup": "none"},
        {"event": "missed_many", "dag": "e", "count": "more than 1000", "since": "S"},
        {"event": "set_aside", "run": "q1", "reason": "damaged"},
        {"event": "engine_died", "dag": "d", "run": "r2", "then": "`dagfs retry r2` goes on with it"},
        {"event": "error", "reason": "disk full"},
    )
    assert said == [
        "bad_file a.yaml: a.yaml:1:1: bad; its last good version runs",
        "bad_file b.yaml: b.yaml:1:1: bad; nothing of it is started until it is mended",
        "not_started d: run r1 was not started: no",
        "missed d: the start of D was missed and is not made up for (catchup: none)",
        "missed e: more than 1000 starts since S were missed and are not made up for",
        "set_aside q1: the queued run q1 was set aside: damaged",
        "engine_died r2: the engine of run r2 died; `dagfs retry r2` goes on with it",
        "scheduler scheduler: disk full",
    ]


def test_a_trouble_with_a_run_names_it_and_each_has_its_time() -> None:
    trouble = trouble_of({"time": "t", "event": "engine_died", "run": "r2", "then": "x"})
    assert trouble is not None
    assert (trouble.run, trouble.time) == ("r2", "t")


def test_the_same_is_told_once_an_hour() -> None:
    reader = Reader()
    assert len(reader.reads(refused("d"), refused("d", "r2"), refused("e"))) == 2
    reader.now = AGAIN_SEC - 1
    assert reader.reads(refused("d", "r3")) == []
    reader.now, reader.claimed = AGAIN_SEC, set()
    assert reader.reads(refused("d", "r4")) == ["not_started d: run r4 was not started: no"]


def test_what_comes_many_times_at_once_is_counted() -> None:
    (said,) = Reader().reads(*(refused("d", f"r{place}") for place in range(3)))
    assert said.endswith("run r2 was not started: no (and 2 more like it)")


def test_of_many_things_the_first_few_are_told_and_the_others_counted_once() -> None:
    reader = Reader()
    said = reader.reads(*(refused(f"d{place}") for place in range(MOST + 5)))
    assert len(said) == MOST + 1
    assert said[-1] == "others scheduler: 5 more things went wrong; `dagfs scheduler --log 5` has them"
    assert reader.reads(refused("later")) == []
    reader.now = 60
    assert reader.reads(refused("much later")) == ["not_started much later: run r1 was not started: no"]


def test_what_another_scheduler_has_told_is_not_told_again() -> None:
    reader = Reader()
    reader.claimed.add("not_started d")
    assert reader.reads(refused("d")) == []
