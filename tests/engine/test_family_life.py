"""An engine killed at any change it makes while children are under way: nothing finished runs twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dagfs.errors import DagfsError, NotFound, NothingToDo
from dagfs.model.event import STEP_FINISHED
from dagfs.model.state import RunState
from dagfs.store.files import Disk
from dagfs.store.journal import read as read_journal
from tests.engine.desk import RUN, Desk
from tests.store.disks import DyingDisk

STRIDE = int(os.environ.get("SWEEP_STRIDE", "29"))
"""Every so many changes one is tried; 1 tries all of them, which takes minutes."""

DAG = """
type: graph
steps:
  - id: top
    action: dag.run
    with: {dag: middle}
  - id: end
    depends: [top]
    run: echo end >> $DESK/marks
---
name: middle
steps:
  - id: fan
    parallel: {items: [a, b, c]}
    action: dag.run
    with: {dag: leaf, params: {N: "${ITEM}"}}
  - id: join
    depends: [fan]
    run: echo join >> $DESK/marks
---
name: leaf
params: {N: none}
steps:
  - id: first
    run: echo $N.first >> $DESK/marks
  - id: second
    depends: [first]
    run: |
      echo $N.second >> $DESK/marks
      test "$N" != b || test -e $DESK/fixed
"""
GATED = DAG.replace(
    "  - id: second\n    depends: [first]\n",
    "  - id: gate\n    depends: [first]\n    action: human.task\n  - id: second\n    depends: [gate]\n",
)


def done(desk: Desk) -> Counter[str]:
    """The steps that are on record as having succeeded, by the mark they leave."""
    found: Counter[str] = Counter()
    store = desk.engine().home.store
    for address in [RUN, *desk.children()]:
        run = store.load(address)
        name = run.last.header.params.get("N", "")
        for attempt in run.attempts:
            journal = store.paths(address).attempt(attempt.n).journal
            for event in read_journal(journal, token=attempt.header.token).events:
                if event.name == STEP_FINISHED and event.data["state"] == "succeeded":
                    found[f"{name}.{event.step}" if name else str(event.step)] += 1
    return found


def killed_at(n: int, part: float, act: Callable[[Disk], object]) -> bool:
    """Do something in a process of its own whose disk kills it; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            act(DyingDisk(n, part))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def bring_to_an_end(desk: Desk) -> None:
    """What an operator would do: retry, or approve, until it has succeeded."""
    (desk.desk / "fixed").touch()
    for _ in range(12):
        try:
            state = desk.view().state
        except NotFound:
            desk.run()
            continue
        if state is RunState.SUCCEEDED:
            return
        if state is RunState.WAITING:
            child = next(each for each in desk.children() if desk.states(each).get("gate") == "waiting")
            desk.approve(f"{child}/gate")
            continue
        try:
            desk.retry()
        except NothingToDo:
            return
    raise AssertionError(f"it does not come to an end: {desk.view().run}")


def check(desk: Desk, before: Counter[str], ran: Counter[str]) -> None:
    assert desk.view().state is RunState.SUCCEEDED
    assert desk.is_sound()
    marks = Counter(desk.marks())
    for mark in before:
        assert marks[mark] == ran[mark], f"{mark} was done, and ran again"
    wanted = {f"{name}.{step}" for name in "abc" for step in ("first", "second")} | {"join", "end"}
    assert set(marks) == wanted
    assert set(desk.child_states()) == {"succeeded"}


Act = Callable[[Desk, Disk], object]


def sweep(root: Path, share: int, part: float, text: str, prepare: Callable[[Desk], None], act: Act) -> int:
    """Kill at every STRIDE-th change from `share` on; how many changes there were."""
    n = share
    while True:
        desk = Desk(root / str(n), text)
        prepare(desk)
        killed = killed_at(n, part, partial(act, desk))
        try:
            before, ran = done(desk), Counter(desk.marks())
        except DagfsError:
            before, ran = Counter(), Counter()
        bring_to_an_end(desk)
        check(desk, before, ran)
        if not killed:
            return n
        n += STRIDE


def fix(desk: Desk) -> None:
    (desk.desk / "fixed").touch()


def fail(desk: Desk) -> None:
    desk.run()
    assert desk.view().state is RunState.FAILED
    fix(desk)


def wait(desk: Desk) -> None:
    fix(desk)
    desk.run()
    assert desk.view().state is RunState.WAITING


def approve(desk: Desk, disk: Disk) -> None:
    """Let one of the items go on."""
    child = next(each for each in desk.children() if "gate" in desk.states(each))
    desk.approve(f"{child}/gate", disk=disk)


@pytest.mark.parametrize(("share", "part"), [(3, 0), (17, 0.5)])
def test_an_engine_killed_while_children_run_is_taken_over(tmp_path: Path, share: int, part: float) -> None:
    assert sweep(tmp_path, share, part, DAG, fix, Desk.run) > 60


@pytest.mark.parametrize(("share", "part"), [(1, 0.5), (15, 0)])
def test_an_engine_killed_while_it_retries_children_is_taken_over(
    tmp_path: Path, share: int, part: float
) -> None:
    assert sweep(tmp_path, share, part, DAG, fail, Desk.retry) > 40


@pytest.mark.parametrize(("share", "part"), [(0, 0), (14, 0.5)])
def test_an_engine_killed_while_it_hears_a_word_loses_nothing(
    tmp_path: Path, share: int, part: float
) -> None:
    assert sweep(tmp_path, share, part, GATED, wait, approve) > 15
