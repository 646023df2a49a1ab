"""An engine killed at any change it makes to the disk: nothing acknowledged is lost or done twice."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dagfs.engine.bootstrap import Engine, open_home
from dagfs.engine.marking import mark_step
from dagfs.engine.operations import RunRequest, carry_out, start_run
from dagfs.engine.proposal import propose_retry
from dagfs.engine.view import view_run
from dagfs.errors import NotFound, NothingToDo, PlanMoved
from dagfs.model.event import STEP_FINISHED, Event
from dagfs.model.state import RunState, StepState
from dagfs.store.files import Disk
from dagfs.store.fsck import check_run
from dagfs.store.runs import RunStore
from tests.store.disks import DyingDisk

RUN = "run1"
DAG = """
name: life
steps:
  - name: a
    run: |
      echo a >> "{marks}"
      echo made > "$DAGFS_ARTIFACTS_DIR/file"
      echo work > "$DAGFS_WORK_DIR/file"
      echo value
    output: A
  - name: b
    depends: a
    run: |
      echo b >> "{marks}"
      cat "${{a.artifacts}}/file" "$DAGFS_WORK_DIR/file" && test "$A" = value
      test -e "{fixed}"
  - name: c
    depends: b
    run: echo c >> "{marks}"
"""


class Life:
    """A home with one DAG, and notes outside it: what ran, and what was said to be done."""

    def __init__(self, root: Path) -> None:
        self.root = root / "home"
        self.marks, self.said, self.fixed = root / "marks", root / "said", root / "fixed"
        (self.root / "dags").mkdir(parents=True)
        (self.root / "dags/life.yaml").write_text(DAG.format(marks=self.marks, fixed=self.fixed))
        self.marks.touch()
        self.said.touch()

    def engine(self, disk: Disk | None = None) -> Engine:
        engine = open_home(self.root, plugins=False)
        if disk is None:
            return engine
        old = engine.home.store
        store = RunStore(disk, engine.home.paths, now=old._now, token=old._token)
        return replace(engine, home=replace(engine.home, disk=disk, store=store))

    def acknowledge(self, event: Event) -> None:
        """Somebody was told that a step is done; what they know must stay true."""
        if event.name == STEP_FINISHED and event.data["state"] == "succeeded":
            with self.said.open("a") as file:
                file.write(f"{event.step}\n")

    def begin(self, disk: Disk | None = None) -> None:
        start_run(self.engine(disk), RunRequest("life", id=RUN), observers=[self.acknowledge])

    def retry(self, disk: Disk | None = None) -> None:
        engine = self.engine(disk)
        carry_out(engine, propose_retry(engine, RUN), observers=[self.acknowledge])

    def mark(self, disk: Disk | None = None) -> None:
        mark_step(self.engine(disk), RUN, "a", StepState.FAILED, "it looks wrong")

    def mark_again(self, disk: Disk | None = None) -> None:
        mark_step(self.engine(disk), RUN, "a", StepState.SUCCEEDED, "another", outputs={"A": "other"})

    def killed_at(self, n: int, part: float, act: str) -> bool:
        """Do something in a process of its own whose disk kills it; whether it was killed."""
        pid = os.fork()
        if pid == 0:
            try:
                getattr(self, act)(DyingDisk(n, part))
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9

    def bring_to_an_end(self) -> None:
        """What an operator would do: retry until it has succeeded."""
        self.fixed.touch()
        for _ in range(4):
            try:
                view = view_run(self.engine().home.store, RUN)
            except NotFound:
                self.begin()
                continue
            if view.state is RunState.SUCCEEDED:
                return
            try:
                self.retry()
            except NothingToDo:
                return
            except PlanMoved:
                # A step that outlived its engine has just ended, as it may at any time.
                continue

    def check(self) -> None:
        store = self.engine().home.store
        assert view_run(store, RUN).state is RunState.SUCCEEDED
        assert [damage for damage in check_run(store, RUN) if damage.fatal] == []
        ran = Counter(self.marks.read_text().split())
        said = Counter(self.said.read_text().split())
        for step, times in said.items():
            assert times == 1, f"{step} was reported done {times} times"
        assert set(ran) == {"a", "b", "c"}
        assert ran["a"] <= 2, "only a start whose end was never known may be made again"


@pytest.mark.parametrize("part", [0, 0.5])
@pytest.mark.parametrize("share", range(4))
def test_an_engine_killed_while_it_runs_is_taken_over(tmp_path: Path, share: int, part: float) -> None:
    n = share
    while True:
        life = Life(tmp_path / str(n))
        life.fixed.touch()
        killed = life.killed_at(n, part, "begin")
        before = Counter(life.said.read_text().split())
        ran_before = Counter(life.marks.read_text().split())
        life.bring_to_an_end()
        life.check()
        for step in before:
            assert Counter(life.marks.read_text().split())[step] == ran_before[step], f"{step} ran again"
        if not killed:
            break
        n += 4
    assert n > 20


@pytest.mark.parametrize("share", range(4))
def test_an_engine_killed_while_it_retries_is_taken_over(tmp_path: Path, share: int) -> None:
    n = share
    while True:
        life = Life(tmp_path / str(n))
        life.begin()
        assert view_run(life.engine().home.store, RUN).state is RunState.FAILED
        edited = life.root / "runs" / RUN / "spec.next.yaml"
        edited.write_bytes((life.root / "runs" / RUN / "spec.v1.yaml").read_bytes() + b"# mended\n")
        life.fixed.touch()
        killed = life.killed_at(n, 0.5, "retry")
        life.bring_to_an_end()
        life.check()
        assert Counter(life.marks.read_text().split())["a"] == 1, "kept work was done again"
        assert (life.root / "runs" / RUN / "spec.v2.yaml").read_bytes().endswith(b"# mended\n")
        if not killed:
            break
        n += 4
    assert n > 20


@pytest.mark.parametrize("part", [0, 0.5])
def test_a_mark_that_is_killed_was_made_wholly_or_not_at_all(tmp_path: Path, part: float) -> None:
    n = 0
    while True:
        life = Life(tmp_path / str(n))
        life.begin()
        life.mark()
        killed = life.killed_at(n, part, "mark_again")
        store = life.engine().home.store
        run = view_run(store, RUN).run
        assert [damage for damage in check_run(store, RUN) if damage.fatal] == []
        assert run.state is RunState.FAILED
        assert len(run.last.markings) in ((1, 2) if killed else (2,))
        assert run.last.steps["a"].outputs == {"A": "other" if len(run.last.markings) == 2 else "value"}
        evidence = propose_retry(life.engine(), RUN).plan.edit.evidence
        assert all(each.outputs == "ok" for each in evidence.values())
        if len(run.last.markings) == 1:
            life.mark_again()
        assert view_run(store, RUN).run.last.steps["a"].outputs == {"A": "other"}
        life.retry()
        assert life.marks.read_text().split() == ["a", "b", "b"]
        assert [damage for damage in check_run(store, RUN) if damage.fatal] == []
        if not killed:
            break
        n += 1
    assert n > 5
