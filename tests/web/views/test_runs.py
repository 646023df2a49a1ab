"""Runs in lists: what a status document says, filters, and pages of a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.web.views.runs import Filter, RunFact, cell_title, cut, fact_of, typical


def fact(run: str, **more: Any) -> RunFact:
    said: dict[str, Any] = {"dag": "etl", "state": "succeeded", "created": f"2026-11-21T00:00:{run[-2:]}Z"}
    return RunFact(run, **{**said, **more})


def test_a_status_document_is_taken_as_it_is() -> None:
    document = {
        "run": "r1",
        "dag": "etl",
        "state": "running",
        "created": "2026-11-21T00:00:00Z",
        "started": "2026-11-21T00:00:01Z",
        "attempt": 2,
        "params": {"day": "monday", "n": "1"},
        "counts": {"succeeded": 2, "skipped": 1, "running": 1, "waiting": 1},
    }
    found = fact_of(document, 0)
    assert (found.params, found.done, found.steps, found.waits) == ("day=monday n=1", 3, 5, 1)
    assert not found.is_over
    assert found.seconds is None


def test_a_damaged_run_has_the_age_of_its_record() -> None:
    found = fact_of({"run": "r1", "dag": "", "state": "damaged", "error": "two\nlines"}, 1e9)
    assert (found.created, found.why, found.is_over) == ("2001-09-09T01:46:40Z", "two lines", True)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {"run": st.just("r1"), "state": st.just("failed")},
        optional=dict.fromkeys(
            ("dag", "created", "started", "finished", "counts", "params", "attempt", "error", "parent"),
            st.none()
            | st.text()
            | st.integers()
            | st.lists(st.text())
            | st.dictionaries(st.text(), st.text()),
        ),
    )
)
def test_a_status_document_of_any_shape_can_be_shown(document: dict[str, Any]) -> None:
    found = fact_of(document, 1e9)
    assert found.created
    assert cell_title(found)
    assert found.seconds is None or found.seconds >= 0
    assert Filter(text="x").takes(found) in (True, False)


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Filter(), True),
        (Filter(dag="etl"), True),
        (Filter(dag="other"), False),
        (Filter(states=("failed",)), False),
        (Filter(states=("failed", "succeeded")), True),
        (Filter(since="2026-11-20"), True),
        (Filter(since="2026-11-22"), False),
        (Filter(text="MONDAY"), True),
        (Filter(text="tuesday"), False),
        (Filter(dags=frozenset({"etl"})), True),
        (Filter(dags=frozenset()), False),
    ],
)
def test_a_filter_takes_what_fits_all_of_it(wanted: Filter, takes: bool) -> None:
    assert wanted.takes(fact("r01", params="day=monday")) is takes


@settings(max_examples=40)
@given(st.integers(0, 23), st.integers(1, 7))
def test_pages_of_a_list_hold_every_run_once(count: int, size: int) -> None:
    facts = [fact(f"r{number:02}") for number in reversed(range(count))]
    seen: list[str] = []
    before = ""
    while True:
        page = cut(facts, Filter(), before, size)
        seen += [each.run for each in page.facts]
        if not page.older:
            break
        before = page.older
    assert seen == [each.run for each in facts]


def test_a_new_run_moves_nothing_on_an_older_page() -> None:
    facts = [fact(f"r{number:02}") for number in reversed(range(6))]
    first = cut(facts, Filter(), "", 3)
    after = cut([fact("r99"), *facts], Filter(), first.older, 3)
    assert [each.run for each in after.facts] == ["r02", "r01", "r00"]


def test_the_typical_duration_is_the_median_of_successes() -> None:
    def took(seconds: int, state: str = "succeeded") -> RunFact:
        return replace(fact("r00"), state=state, seconds=float(seconds))

    assert typical([took(5), took(1), took(3), took(50, "failed")]) == 3
    assert typical([took(5)]) is None


def test_a_cell_tells_what_it_stands_for() -> None:
    told = cell_title(fact("r01", state="partially_succeeded", reason="one\nof two"))
    assert told == "r01 · partially succeeded · one of two"
