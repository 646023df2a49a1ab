"""Rows, the step that is shown, and the addresses of a run's page."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.model.dag import Dag, Step
from dagfs.model.run import Attempt, AttemptHeader, ChildRun, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.web.views.course import Whose
from dagfs.web.views.steps import Place, chosen, counts, outputs_of, pretty, reason_of, rows

PLACE = Place("r1")


def attempt(*steps: StepRun, handlers: tuple[StepRun, ...] = ()) -> Attempt:
    return Attempt(
        AttemptHeader(n=2),
        steps={step.name: step for step in steps},
        handlers={step.name: step for step in handlers},
    )


def dag(*names: str, on: tuple[str, ...] = ()) -> Dag:
    return Dag(
        name="d",
        steps=tuple(Step(name=name) for name in names),
        handler_on={event: Step(name=event) for event in on},
    )


def ran(name: str, state: StepState = StepState.SUCCEEDED, **more: object) -> StepRun:
    found = StepRun(name, state, attempt=2, log_attempt=2, tries=1, started="2026-11-21T12:00:00Z")
    return type(found)(**{each: getattr(found, each) for each in found.__match_args__} | more)  # type: ignore[arg-type]


def test_a_row_says_why_or_where_the_work_comes_from() -> None:
    kept = ran("kept", kept=True, attempt=1, log_attempt=1, reason="finished in attempt 1")
    failed = ran("failed", StepState.FAILED, exit_code=3, reason="exit 3")
    odd = ran("odd", StepState.SKIPPED, reason="precondition not met: x")
    found = rows(attempt(kept, failed, odd), dag("kept", "failed", "odd"), PLACE)
    assert [row.beneath for row in found] == ["kept from attempt 1", "", "precondition not met: x"]
    assert [row.is_bad for row in found] == [False, True, False]
    assert found[0].tries == 0
    assert "attempt=1" in found[0].log_url


def test_handlers_stand_behind_the_steps_under_the_name_of_the_command_line() -> None:
    found = rows(attempt(ran("a"), handlers=(ran("exit"),)), dag("a", on=("exit",)), PLACE)
    assert [row.label for row in found] == ["a", "on:exit"]
    assert "handler=exit" in found[1].url


def test_children_are_counted_the_unhappy_first() -> None:
    children = {str(n): ChildRun(str(n), 1, RunState.SUCCEEDED) for n in range(5)}
    children["x"] = ChildRun("x", 1, RunState.FAILED)
    found = rows(attempt(ran("a", children=children)), dag("a"), PLACE)
    assert found[0].children == (("failed", 1), ("succeeded", 5))


@pytest.mark.parametrize(
    ("states", "wanted", "shown"),
    [
        ({"a": "succeeded", "b": "failed", "c": "running"}, None, "b"),
        ({"a": "succeeded", "b": "running", "c": "not_started"}, None, "b"),
        ({"a": "succeeded", "b": "waiting"}, None, "b"),
        ({"a": "succeeded", "b": "succeeded"}, ("a", ""), "a"),
        ({"a": "succeeded", "b": "failed"}, ("gone", ""), "b"),
        ({"a": "not_started"}, None, "a"),
    ],
)
def test_the_most_telling_step_is_shown_unless_one_was_asked_for(
    states: dict[str, str], wanted: Whose | None, shown: str
) -> None:
    steps = [
        ran(name, StepState(state), log_attempt=0 if state == "not_started" else 2)
        for name, state in states.items()
    ]
    assert chosen(attempt(*steps), wanted) == (shown, "")


def test_an_attempt_without_steps_shows_none() -> None:
    assert chosen(attempt(), ("a", "")) is None


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_any_name_goes_through_an_address(name: str) -> None:
    url = replace(PLACE, view="timeline").url("log", whose=(name, ""), anchor="detail")
    assert url.startswith("/runs/r1/log?")
    query = parse_qs(urlsplit(url).query, errors="surrogatepass", keep_blank_values=True)
    assert query == {"step": [name], "view": ["timeline"]}


def test_reasons_are_said_once() -> None:
    assert reason_of(ran("a", StepState.FAILED, exit_code=2, reason="exit 2")) == ""
    assert reason_of(ran("a", StepState.FAILED, exit_code=2, reason="exit 2", error="it broke")) == "it broke"
    asking = ran("a", StepState.WAITING, reason="waits for approval", question={"prompt": "Right?"})
    assert reason_of(asking) == "waits for approval: Right?"


def test_counts_name_what_went_wrong_first() -> None:
    every = rows(
        attempt(ran("a"), ran("b", StepState.FAILED), ran("c", StepState.NOT_STARTED)),
        dag("a", "b", "c"),
        PLACE,
    )
    assert counts(every) == [("failed", 1), ("not_started", 1), ("succeeded", 1)]


def test_outputs_that_are_json_are_laid_out() -> None:
    assert pretty('{"b": [1, "ü"]}') == ('{\n  "b": [\n    1,\n    "ü"\n  ]\n}', True)
    assert pretty("[not json") == ("[not json", False)
    assert pretty("[" * 100_000)[1] is False
    assert [each["is_long"] for each in outputs_of({"a": "short", "b": "two\nlines"})] == [False, True]
