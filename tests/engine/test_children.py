"""Steps with children: what a try, a repetition, a stop, a word and a retry mean for them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dagfs.engine.location import current_actor
from dagfs.engine.marking import mark_step
from dagfs.engine.stopping import stop_run
from dagfs.errors import NotFound, Refused
from dagfs.model.run import Word
from dagfs.model.state import RunState, StepState
from dagfs.planning.selection import Selection
from dagfs.store import words
from tests.engine.desk import RUN, Desk
from tests.patience import eventually

FAN = """
type: graph
steps:
  - id: fan
    parallel: {items: [a, b, c]}
    action: dag.run
    with: {dag: one, params: {NAME: "${ITEM}"}}
    POLICY
---
name: one
params: {NAME: none}
steps:
  - id: work
    run: echo $NAME >> $DESK/marks; BODY
"""


def fan(root: Path, body: str, policy: str = "") -> Desk:
    return Desk(root, FAN.replace("BODY", body).replace("POLICY", policy))


def single(root: Path, child: str, policy: str = "", more: str = "") -> Desk:
    """A run with the step `call`, and the step `after` behind it."""
    text = f"type: graph\n{more}\nsteps:\n  - id: call\n    action: dag.run\n    with: {{dag: one}}\n"
    text += f"    {policy}\n"
    text += "  - id: after\n    depends: [call]\n    run: echo after >> $DESK/marks\n---\nname: one\n"
    return Desk(root, text + child)


WORK = "steps:\n  - id: work\n    run: echo work >> $DESK/marks\n"
GATED = """
steps:
  - id: gate
    action: human.task
    with: {prompt: go on?}
  - id: work
    depends: [gate]
    run: echo work >> $DESK/marks
"""


def test_a_retry_policy_tries_only_the_failed_items_again(tmp_path: Path) -> None:
    desk = fan(
        tmp_path,
        'test "$NAME" != b || test -e $DESK/seen || { touch $DESK/seen; exit 1; }',
        "retry_policy: {limit: 2, interval_sec: 0}",
    )
    assert desk.run().state is RunState.SUCCEEDED
    assert sorted(desk.marks()) == ["a", "b", "b", "c"]
    assert desk.step("fan").tries == 2
    assert desk.is_sound()


def test_a_repetition_runs_the_children_once_more(tmp_path: Path) -> None:
    desk = single(tmp_path, WORK, "repeat_policy: {repeat: while, limit: 3, interval_sec: 0}")
    assert desk.run().state is RunState.SUCCEEDED
    assert desk.marks() == ["work", "work", "work", "after"]
    (child,) = desk.children()
    assert len(desk.view(child).run.attempts) == 3


def test_a_tolerated_failure_of_a_child_lets_the_parent_go_on(tmp_path: Path) -> None:
    desk = single(tmp_path, "steps: [{id: work, run: exit 3}]\n", "continue_on: {failure: true}")
    assert desk.run().state is RunState.PARTIALLY_SUCCEEDED
    assert desk.marks() == ["after"]


def test_a_child_that_takes_too_long_is_stopped_and_goes_on_with_a_retry(tmp_path: Path) -> None:
    body = "steps:\n  - id: slow\n    run: echo s >> $DESK/marks; test -e $DESK/go || sleep 60\n"
    desk = single(tmp_path, body, "timeout_sec: 1")
    assert desk.run().state is RunState.FAILED
    assert desk.step("call").reason == "timed out after 1 s"
    assert desk.child_states() == ["aborted"]
    (desk.desk / "go").touch()
    assert desk.retry().state is RunState.SUCCEEDED


def test_a_child_without_its_precondition_lets_its_step_be_skipped(tmp_path: Path) -> None:
    body = 'preconditions: [{condition: "no", expected: "yes"}]\n' + WORK
    desk = single(tmp_path, body, "continue_on: {skipped: true}")
    assert desk.run().state is RunState.SUCCEEDED
    assert desk.states() == {"call": "skipped", "after": "succeeded"}
    assert "precondition not met" in desk.step("call").reason
    assert desk.child_states() == ["aborted"]


def test_items_without_their_precondition_are_passed_over(tmp_path: Path) -> None:
    desk = fan(tmp_path, "true")
    text = (desk.root / "dags/main.yaml").read_text()
    guarded = 'preconditions: [{condition: "${NAME}", expected: "re:[ab]"}]\nsteps:\n  - id: work'
    (desk.root / "dags/main.yaml").write_text(text.replace("steps:\n  - id: work", guarded))
    assert desk.run().state is RunState.SUCCEEDED
    assert sorted(desk.marks()) == ["a", "b"]
    assert sorted(desk.child_states()) == ["aborted", "succeeded", "succeeded"]


def test_handlers_of_a_child_run_for_its_own_outcome(tmp_path: Path) -> None:
    body = "handler_on:\n  success: {run: echo well >> $DESK/marks}\n  exit: {run: echo bye >> $DESK/marks}\n"
    desk = single(tmp_path, body + WORK)
    assert desk.run().state is RunState.SUCCEEDED
    assert desk.marks() == ["work", "well", "bye", "after"]


HANDLED = "handler_on:\n  EVENT:\n    action: dag.run\n    with: {dag: two}\n"


def test_a_handler_may_call_a_sub_dag_which_runs_once_an_attempt(tmp_path: Path) -> None:
    desk = single(
        tmp_path, "steps: [{id: work, run: test -e $DESK/go}]\n", "", HANDLED.replace("EVENT", "exit")
    )
    desk.dag("two", "steps: [{id: tell, run: echo told >> $DESK/marks}]\n")
    assert desk.run().state is RunState.FAILED
    handler = desk.view().run.last.handlers["exit"]
    assert [str(child.state) for child in handler.children.values()] == ["succeeded"]
    (desk.desk / "go").touch()
    assert desk.retry().state is RunState.SUCCEEDED
    assert desk.marks() == ["told", "after", "told"]
    assert desk.is_sound()


def test_a_handler_cannot_wait_for_anybody(tmp_path: Path) -> None:
    desk = single(tmp_path, WORK, "", HANDLED.replace("EVENT", "success"))
    desk.dag("two", GATED)
    assert desk.run().state is RunState.FAILED
    assert str(desk.view().run.last.handlers["success"].state) == "failed"
    assert set(desk.view().run.last.steps) == {"call", "after"}
    assert "failed" in desk.child_states()
    assert desk.is_sound()


def test_a_call_with_an_approval_of_its_own_is_asked_about_once_its_child_is_done(tmp_path: Path) -> None:
    desk = single(tmp_path, GATED, "approval: {prompt: all well?, input: [WHO], required: [WHO]}")
    assert desk.run().state is RunState.WAITING
    assert desk.approve("gate") is not None
    assert desk.marks() == ["work"]
    assert desk.step("call").question == {"prompt": "all well?", "input": ["WHO"], "required": ["WHO"]}
    assert desk.approve("call", WHO="me") is not None
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.marks() == ["work", "after"]


def test_a_rejection_in_a_child_is_one_of_the_parent_and_a_retry_asks_again(tmp_path: Path) -> None:
    desk = single(tmp_path, GATED, "retry_policy: {limit: 3, interval_sec: 0}")
    desk.run()
    result = desk.approve("gate", approved=False)
    assert result is not None
    assert result.state is RunState.REJECTED
    assert desk.states() == {"call": "rejected", "after": "upstream_failed"}
    assert desk.retry().state is RunState.WAITING
    desk.approve("gate")
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.marks() == ["work", "after"]
    assert desk.is_sound()


GATE = "  - id: gate\n    action: human.task\n  - id: work\n    depends: [gate]\n"
GUARDED = """    action: human.task
    preconditions: [{condition: "${NAME}", expected: a}]
    continue_on: {skipped: true}
"""
FAN_GATED = FAN.replace("  - id: work\n", GATE)


def test_a_word_to_one_item_starts_nothing_else_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FAN_GATED.replace("BODY", 'test "$NAME" != a').replace("POLICY", ""))
    assert desk.run().state is RunState.WAITING
    a, b, c = desk.children()
    result = desk.approve(f"{a}/gate")
    assert result is not None
    assert result.state is RunState.WAITING
    assert desk.child_states() == ["failed", "waiting", "waiting"]
    desk.approve(f"{b}/gate", approved=False)
    assert desk.child_states() == ["failed", "rejected", "waiting"]
    desk.approve(f"{c}/gate")
    assert desk.view().state is RunState.REJECTED
    assert desk.marks() == ["a", "c"]
    assert [len(desk.view(each).run.attempts) for each in (a, b, c)] == [1, 1, 1]


def test_an_edit_of_a_waiting_child_voids_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FAN_GATED.replace("BODY", "true").replace("POLICY", ""))
    desk.run()
    a = desk.children()[0]
    desk.edit("echo $NAME", "echo edited-$NAME", a)
    assert desk.retry().state is RunState.WAITING
    assert [len(desk.view(each).run.attempts) for each in desk.children()] == [2, 1, 1]
    for child in desk.children():
        desk.approve(f"{child}/gate")
    assert sorted(desk.marks()) == ["b", "c", "edited-a"]


def test_stopping_a_waiting_run_stops_its_waiting_children(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        FAN_GATED.replace("BODY", "true")
        .replace("[a, b, c]", "[a, b, c], max_concurrent: 1")
        .replace("POLICY", ""),
    )
    assert desk.run().state is RunState.WAITING
    assert stop_run(desk.engine(), RUN) is RunState.ABORTED
    assert desk.child_states() == ["aborted"] * 3
    assert desk.marks() == []


def test_no_items_are_no_failure(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
        type: graph
        steps:
          - id: each
            foreach:
              items: []
              as: row
              steps: [{id: say, run: "echo ${foreach.row}"}]
            output: DONE
          - id: after
            depends: [each]
            run: echo total-${DONE.summary.total} >> $DESK/marks
        """,
    )
    assert desk.run().state is RunState.SUCCEEDED
    assert desk.marks() == ["total-0"]


def test_items_that_differ_only_in_the_order_of_their_fields_do_not_share_a_run(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
        type: graph
        steps:
          - id: fan
            parallel: {items: [{x: 1, y: 2}, {y: 2, x: 1}]}
            action: dag.run
            with: {dag: one}
        ---
        name: one
        params: {x: 0, y: 0}
        steps: [{id: work, run: echo $x$y >> $DESK/marks}]
        """,
    )
    assert desk.run().state is RunState.SUCCEEDED
    assert set(desk.marks()) == {"12"}
    assert len(desk.children()) == len(desk.marks())


def forked(act: Callable[[], object]) -> int:
    """Let an engine of its own do it; its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            # Whatever it raised is seen by what it has not done.
            os._exit(0)
    return pid


def test_children_started_over_stay_so_when_the_engine_is_killed_between_them(tmp_path: Path) -> None:
    """What was made from old input counts no more, even where the attempt that said so was cut short."""
    desk = Desk(
        tmp_path,
        """
        type: graph
        steps:
          - id: base
            run: cat $DESK/input
            output: BASE
          - id: fan
            depends: [base]
            parallel: {items: [a, b, c], max_concurrent: 1}
            action: dag.run
            with: {dag: one, params: {N: "${ITEM}"}}
        ---
        name: one
        params: {N: none}
        steps:
          - id: work
            run: |
              echo $N-$(cat $DESK/input) >> $DESK/marks
              test "$N" != b || while test -e $DESK/hold; do sleep 0.02; done
        """,
    )
    (desk.desk / "input").write_text("old")
    assert desk.run().state is RunState.SUCCEEDED
    (desk.desk / "input").write_text("new")
    (desk.desk / "hold").touch()
    pid = forked(lambda: desk.retry(selection=Selection(steps="base")))
    eventually(lambda: "b-new" in desk.marks())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (desk.desk / "hold").unlink()
    eventually(lambda: not any(desk.view(each).orphans for each in desk.children()))
    assert desk.retry().state is RunState.SUCCEEDED
    assert sorted(desk.marks()) == ["a-new", "a-old", "b-new", "b-old", "c-new", "c-old"]


def test_the_wait_handler_may_be_the_one_who_approves(tmp_path: Path) -> None:
    """A word that comes while the engine is about to leave is heard."""
    desk = Desk(
        tmp_path,
        """
        type: graph
        handler_on:
          wait: {run: "touch $DESK/asked; while ! test -e $DESK/heard; do sleep 0.02; done"}
        steps:
          - id: gate
            action: human.task
          - id: behind
            depends: [gate]
            run: echo behind >> $DESK/marks
        """,
    )
    pid = forked(desk.run)
    eventually((desk.desk / "asked").exists)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(desk.approve).result(30) is None
        # The first word counts, and who comes too late is told so.
        with pytest.raises((NotFound, Refused)):
            pool.submit(desk.approve, approved=False).result(30)
    (desk.desk / "heard").touch()
    os.waitpid(pid, 0)
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.marks() == ["behind"]


def test_of_two_words_the_first_counts(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "steps: [{id: gate, action: human.task}]\n")
    desk.run()
    engine = desk.engine()
    no = Word(False, current_actor(), "2026-01-01T00:00:00.000000Z", "no")
    words.leave(engine.home.disk, engine.home.store.paths(RUN), "gate", no)
    result = desk.approve()
    assert result is not None
    assert result.state is RunState.REJECTED
    assert desk.step("gate").word == no


def test_a_child_marked_failed_is_one_failed_all_the_way_up(tmp_path: Path) -> None:
    desk = fan(tmp_path, "true")
    assert desk.run().state is RunState.SUCCEEDED
    child = desk.children()[1]
    mark_step(desk.engine(), child, "work", StepState.FAILED, "it looks wrong")
    assert "work of" in desk.step("fan").reason
    assert desk.view().state is RunState.FAILED
    assert desk.retry().state is RunState.SUCCEEDED
    assert sorted(desk.marks()) == ["a", "b", "b", "c"]
    assert desk.is_sound()


def test_a_child_marked_succeeded_lets_the_parent_go_on(tmp_path: Path) -> None:
    desk = single(tmp_path, "steps: [{id: work, run: exit 3}]\n")
    assert desk.run().state is RunState.FAILED
    mark_step(desk.engine(), desk.children()[0], "work", StepState.SUCCEEDED, "done by hand")
    assert desk.retry().state is RunState.SUCCEEDED
    assert desk.marks() == ["after"]


ORPHANS = """
type: graph
steps:
  - id: call
    action: dag.run
    with: {dag: one}
---
name: one
steps:
  - id: slow
    run: touch $DESK/began; while ! test -e $DESK/go; do sleep 0.02; done; echo slow >> $DESK/marks
"""


def orphaned(root: Path) -> Desk:
    """A run whose engine was killed while a step of its child went on."""
    desk = Desk(root, ORPHANS)
    pid = forked(desk.run)
    eventually((desk.desk / "began").exists)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    eventually(lambda: desk.view().below)
    return desk


def test_who_looks_at_an_interrupted_run_sees_what_goes_on_in_its_children(tmp_path: Path) -> None:
    desk = orphaned(tmp_path)
    (child,) = desk.children()
    assert desk.view().below == (child,)
    assert "still running" in desk.step("call").reason
    (desk.desk / "go").touch()
    eventually(lambda: not desk.view().below)
    assert desk.step("call").reason == "its engine died"
    assert desk.retry().state is RunState.SUCCEEDED
    assert desk.marks() == ["slow"]


def test_stopping_an_interrupted_run_ends_what_goes_on_in_its_children(tmp_path: Path) -> None:
    desk = orphaned(tmp_path)
    assert stop_run(desk.engine(), RUN, kill=True) is RunState.INTERRUPTED
    (child,) = desk.children()
    assert desk.states(child) == {"slow": "aborted"}
    assert desk.view().below == ()
    (desk.desk / "go").touch()
    assert desk.retry().state is RunState.SUCCEEDED
    assert desk.marks() == ["slow"]
    assert desk.is_sound()


def test_orphans_in_children_are_killed_where_that_is_asked_for(tmp_path: Path) -> None:
    desk = orphaned(tmp_path)
    (desk.desk / "began").unlink()
    pid = forked(lambda: desk.retry(kill_orphans=True))
    eventually((desk.desk / "began").exists)
    (desk.desk / "go").touch()
    os.waitpid(pid, 0)
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.marks() == ["slow"]


def test_an_engine_that_lost_its_run_ends_the_processes_of_the_children(tmp_path: Path) -> None:
    tick = "  - id: tick\n    run: while ! test -e $DESK/tick; do sleep 0.02; done\n---"
    desk = Desk(tmp_path, ORPHANS.replace("---", tick).replace("touch $DESK/began", "echo $$ > $DESK/began"))
    pid = forked(desk.run)
    began = desk.desk / "began"
    eventually(lambda: began.exists() and began.read_text().strip())
    (desk.root / "runs" / RUN).rename(desk.root / "runs" / "elsewhere")
    (desk.desk / "tick").touch()
    os.waitpid(pid, 0)
    eventually(lambda: not Path("/proc", began.read_text().strip()).exists())


def test_a_limit_on_active_steps_is_none_for_the_steps_of_children(tmp_path: Path) -> None:
    meet = "touch $DESK/at-$NAME; while ! test -e $DESK/at-a || ! test -e $DESK/at-b; do sleep 0.02; done"
    desk = fan(tmp_path, meet)
    path = desk.root / "dags/main.yaml"
    path.write_text("max_active_steps: 1\n" + path.read_text().lstrip().replace("[a, b, c]", "[a, b]"))
    assert desk.run().state is RunState.SUCCEEDED


def test_a_word_wakes_nobody_but_the_child_it_is_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FAN_GATED.replace("BODY", "true").replace("POLICY", ""))
    desk.run()
    a, b, c = desk.children()
    desk.approve(f"{b}/gate")
    resumed = [
        b'"attempt_resumed"' in desk.engine().home.store.paths(each).attempt(1).journal.read_bytes()
        for each in (a, b, c)
    ]
    assert resumed == [False, True, False]
    assert desk.child_states() == ["waiting", "succeeded", "waiting"]


def test_an_item_that_waits_goes_on_while_others_still_run(tmp_path: Path) -> None:
    body = 'test "$NAME" = a || while ! test -e $DESK/go; do sleep 0.02; done; echo done-$NAME >> $DESK/marks'
    text = FAN_GATED.replace("    action: human.task\n", GUARDED).replace("[a, b, c]", "[a, b]")
    desk = Desk(tmp_path, text.replace("BODY", body).replace("POLICY", ""))
    pid = forked(desk.run)
    eventually(lambda: "b" in desk.marks() and desk.children() and "waiting" in desk.child_states())
    assert desk.approve("gate") is None
    eventually(lambda: "done-a" in desk.marks())
    (desk.desk / "go").touch()
    os.waitpid(pid, 0)
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.is_sound()


def test_an_item_that_waits_is_stopped_with_those_that_run(tmp_path: Path) -> None:
    text = FAN_GATED.replace("    action: human.task\n", GUARDED).replace("[a, b, c]", "[a, b]")
    desk = Desk(tmp_path, text.replace("BODY", "sleep 60").replace("POLICY", ""))
    pid = forked(desk.run)
    eventually(lambda: "b" in desk.marks() and "waiting" in desk.child_states())
    assert stop_run(desk.engine(), RUN) is RunState.ABORTED
    os.waitpid(pid, 0)
    assert desk.child_states() == ["aborted", "aborted"]


def test_a_retry_of_a_rejected_step_goes_back_to_where_it_says(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        """
        type: graph
        steps:
          - {id: before, run: echo before >> $DESK/marks}
          - {id: draft, depends: [before], run: echo draft >> $DESK/marks}
          - {id: polish, depends: [draft], run: echo polish >> $DESK/marks}
          - {id: review, depends: [polish], run: "true", approval: {rewind_to: draft}}
        """,
    )
    desk.run()
    desk.approve(approved=False)
    assert desk.retry().state is RunState.WAITING
    assert desk.marks() == ["before", "draft", "polish", "draft", "polish"]
    desk.approve()
    assert desk.view().state is RunState.SUCCEEDED
