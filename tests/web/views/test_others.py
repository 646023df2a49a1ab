"""The inbox, queues, health and plugins, as values."""

from __future__ import annotations

from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.store.waiting import Waiting
from dagfs.web.views.health import heartbeat_of, note_of
from dagfs.web.views.inbox import Input, ask_of, inputs_of
from dagfs.web.views.pauses import pauses
from dagfs.web.views.plugins import plugged
from dagfs.web.views.queues import lanes, running
from tests.web.views.test_runs import fact


def test_a_question_has_its_inputs_once_and_what_is_needed_is_marked() -> None:
    step = StepRun(
        "check", StepState.WAITING, question={"prompt": "ok?", "input": ["A", "B"], "required": ["B", "C"]}
    )
    ask = ask_of("r01/child", step, fact("r01"))
    assert ask.inputs == (Input("A", False), Input("B", True), Input("C", True))
    assert (ask.prompt, ask.key, ask.dag) == ("ok?", "r01/child check", "etl")
    assert ask_of("r01", StepRun("check", StepState.WAITING), fact("r01")).inputs == ()


def test_inputs_that_were_left_empty_are_not_given() -> None:
    form = [("input.A", "x\r\ny"), ("input.B", ""), ("reason", "z"), ("input.input.C", "1")]
    assert inputs_of(form) == {"A": "x\ny", "input.C": "1"}


def test_queues_come_with_the_fullest_first_and_those_that_are_held_or_limited() -> None:
    entries = [Waiting("a", "etl"), Waiting("b", "etl", queue="heavy"), Waiting("c", "x", queue="heavy")]
    found = lanes(entries, pauses({"queue:light": {"by": "ann"}, "etl": {}}), {"heavy": 2})
    assert [(each.name, len(each.entries), each.limit, bool(each.held)) for each in found] == [
        ("heavy", 2, 2, False),
        ("etl", 1, 0, False),
        ("light", 0, 0, True),
    ]
    assert running([fact("r01", state="running"), fact("r02")]) == 1


def test_what_a_scheduler_said_is_read_whatever_it_is() -> None:
    assert heartbeat_of({}) is None
    odd = heartbeat_of({"tick": "never", "next": [{"due": "x"}, 3], "errors": ["x"], "stopped": 1})
    assert odd is not None
    assert (odd.tick, odd.next, odd.errors, odd.stopped) == ("", (), {}, True)
    found = heartbeat_of({"next": [{"due": "2026-11-21T00:00:00+00:00", "dag": "etl"}], "dags": 3})
    assert found is not None
    assert found.next[0][1] == "etl"
    assert found.counts[0] == ("DAG files", "3")


def test_a_line_of_the_log_says_first_why() -> None:
    note = note_of({"time": "2026-11-21T00:00:00Z", "event": "dag_error", "file": "a.yaml", "error": "bad"})
    assert (note.text, note.is_bad) == ("bad · file a.yaml", True)
    assert note_of({}).event == ""


def test_broken_plugins_come_first_and_things_have_names() -> None:
    whole = {
        "name": "a",
        "executors": ["x"],
        "commands": ["y"],
        "hooks": ["executors", "notify"],
        "missing": {"x": "no docker"},
    }
    found = plugged([whole, {"name": "b", "error": "boom"}])
    assert [each.name for each in found] == ["b", "a"]
    assert (found[1].brings, found[1].lacks) == (("executor x", "command y", "notify"), ("x: no docker",))
