"""Steps that wait for somebody's word: asked, approved with inputs, rejected, edited, stopped."""

from __future__ import annotations

import json

import pytest

from intg.home import Home
from tests.patience import eventually

DEPLOY = """
type: graph
handler_on:
  wait: {run: 'echo waiting at $DAG_WAITING_STEPS'}
  failure: {run: echo refused}
  exit: {run: echo bye}
steps:
  - id: build
    run: echo v1
    output: VERSION
  - id: review
    depends: [build]
    run: echo built
    approval:
      prompt: Deploy ${VERSION}?
      input: [NOTE, TICKET]
      required: [TICKET]
  - id: ship
    depends: [review]
    run: echo shipping $VERSION for $TICKET
"""


@pytest.fixture
def asked(home: Home) -> Home:
    home.dag("deploy", DEPLOY)
    home.dagfs("run", "deploy").exits(6).says("review", "waiting", "Deploy v1?", "dagfs approve")
    return home


def test_a_run_that_waits_says_so_and_is_no_process(asked: Home) -> None:
    assert asked.status()["state"] == "waiting"
    asked.dagfs("status").exits(0).says("… waiting", "waits at review", "Deploy v1?", "on wait ✓ succeeded")
    asked.dagfs("wait", "@", "--timeout", "1").exits(6)
    assert "on exit" not in asked.dagfs("status").out
    asked.dagfs("fsck").exits(0)


def test_what_is_required_must_be_given_and_what_is_unknown_is_refused(asked: Home) -> None:
    asked.dagfs("approve").exits(2).in_one_line().says("needs TICKET", "--input TICKET=VALUE")
    asked.dagfs("approve", "@", "--input", "TICKET=1", "--input", "NOPE=1").exits(2).says(
        "asks for no 'NOPE'"
    )
    asked.dagfs("approve", "@", "ship").exits(4).says("does not wait", "review")
    assert asked.status()["state"] == "waiting"


def test_an_approval_lets_the_same_attempt_go_on_with_the_inputs(asked: Home) -> None:
    asked.dagfs("approve", "@", "--input", "TICKET=OPS 1; $(x)", "-m", "looked at it").exits(0).says(
        "ship", "succeeded"
    )
    status = asked.status()
    assert (status["state"], status["attempt"]) == ("succeeded", 1)
    assert status["steps"]["review"]["answer"]["reason"] == "looked at it"
    assert asked.log("ship") == "shipping v1 for OPS 1; $(x)\n"
    asked.dagfs("approve").exits(4).says("nothing waits")
    asked.dagfs("fsck").exits(0)


def test_a_rejection_ends_the_run_and_a_retry_asks_again(asked: Home) -> None:
    asked.dagfs("reject", "@", "-m", "not today").exits(1).says("rejected", "not today", "on failure")
    status = asked.status()
    assert status["state"] == "rejected"
    assert status["steps"]["ship"]["state"] == "upstream_failed"
    asked.dagfs("retry").exits(6).says("keep build", "run review")
    asked.dagfs("approve", "@", "--input", "TICKET=2").exits(0)


def test_a_waiting_run_can_be_stopped(asked: Home) -> None:
    asked.dagfs("stop", "@").exits(0)
    assert asked.status()["state"] == "aborted"
    asked.dagfs("approve").exits(4)


def test_an_edit_elsewhere_keeps_the_question_and_an_edit_of_the_step_asks_anew(asked: Home) -> None:
    asked.edit(("echo shipping", "echo now shipping"))
    asked.dagfs("plan").exits(0).says("adopt review", "still waiting")
    asked.dagfs("retry").exits(6)
    asked.dagfs("approve", "@", "--input", "TICKET=3").exits(0)
    assert asked.log("ship", 2) == "now shipping v1 for 3\n"


def test_an_edit_of_the_waiting_steps_work_voids_the_question(asked: Home) -> None:
    asked.edit(("echo built", "echo rebuilt"))
    asked.dagfs("retry").exits(6).says("run review")
    assert asked.log("review", 2) == "rebuilt\n"


def test_a_living_engine_hears_the_word(home: Home) -> None:
    home.dag(
        "busy",
        """
        type: graph
        steps:
          - id: gate
            action: human.task
            with: {prompt: go on?}
          - id: behind
            depends: [gate]
            run: touch "$DAGFS_HOME/behind"
          - id: slow
            run: while ! test -e "$DAGFS_HOME/behind"; do sleep 0.05; done
        """,
    )
    engine = home.start("run", "busy")
    eventually(lambda: home.runs() and home.states()["gate"] == "waiting")
    home.dagfs("approve").exits(0).says("its engine goes on")
    engine.wait().exits(0)
    assert home.status()["state"] == "succeeded"


def test_a_child_that_waits_is_approved_through_its_root(home: Home) -> None:
    home.dag(
        "outer",
        """
        type: graph
        steps:
          - id: inner
            action: dag.run
            with: {dag: gated}
          - id: after
            depends: [inner]
            run: echo done
        ---
        name: gated
        steps:
          - id: gate
            action: human.task
            with: {prompt: go on?}
          - id: work
            depends: [gate]
            run: echo worked
        """,
    )
    home.dagfs("run", "outer").exits(6)
    home.dagfs("approve", "@", "gate").exits(0)
    (child,) = (home.run / "children").iterdir()
    assert json.loads((child / "status.json").read_text())["state"] == "succeeded"
    assert len(list((child / "attempts").iterdir())) == 1


def test_a_word_to_a_run_without_an_engine_is_refused_before_it_is_said(home: Home) -> None:
    home.dag(
        "ask",
        """
        type: graph
        steps:
          - {name: check, run: echo, approval: {prompt: ok?}}
          - {name: slow, run: "until [ -e $DAG_DESK/go ]; do sleep 0.1; done"}
          - {name: pub, depends: [check, slow], run: echo pub}
        """,
    )
    engine = home.start("run", "ask")
    engine.until(lambda: home.runs() and home.has_event("step_waiting"), "the question")
    engine.kill()
    for words in (("approve",), ("approve", "-d"), ("reject", "-m", "no")):
        home.dagfs(*words).exits(5).in_one_line().says("was interrupted", "dagfs retry")
    home.file("go").touch()
    home.dagfs("retry").exits(6).says("still waiting")
    home.dagfs("approve").exits(0).says("pub succeeded")


def test_a_mended_text_is_taken_up_before_a_run_goes_on(asked: Home) -> None:
    asked.edit(("echo shipping", "echo sending"), ("Deploy ${VERSION}?", "Really?"))
    asked.dagfs("approve", "@", "--input", "TICKET=1").exits(5).in_one_line().says(
        "not taken up", "dagfs retry"
    )
    asked.dagfs("plan").says("still waiting", "approval changed", "the question stays as it was asked")
    asked.dagfs("retry").exits(6)
    asked.dagfs("approve", "@", "--input", "TICKET=1").exits(0)
    asked.dagfs("logs", "@", "ship").says("sending v1 for 1")


def test_inputs_are_named_once_in_a_hint(asked: Home) -> None:
    asked.dagfs("approve", "@", "--input", "X=1").exits(2).says("it asks for NOTE, TICKET").never_says(
        "TICKET, TICKET"
    )
