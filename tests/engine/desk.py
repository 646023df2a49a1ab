"""A home with one DAG, worked on from within one process."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dagfs.engine.answering import answer, find_waiting
from dagfs.engine.bootstrap import Engine, open_home
from dagfs.engine.location import current_actor
from dagfs.engine.operations import Result, RunRequest, carry_out, start_run
from dagfs.engine.proposal import propose_retry
from dagfs.engine.view import View, view_run
from dagfs.model.run import StepRun
from dagfs.planning.answers import Answers
from dagfs.store.files import Disk
from dagfs.store.fsck import check_run
from dagfs.store.runs import RunStore

RUN = "run1"


class Desk:
    """Runs `dags/main.yaml` as `run1`. Steps find the folder beside the home as `$DESK`."""

    def __init__(self, root: Path, text: str) -> None:
        self.desk, self.root = root / "desk", root / "home"
        self.desk.mkdir(parents=True)
        (self.root / "dags").mkdir(parents=True)
        self.dag("main", text)

    def dag(self, name: str, text: str) -> None:
        """Write dags/NAME.yaml; `$DESK` in it is the folder for notes."""
        text = textwrap.dedent(text).replace("$DESK", str(self.desk))
        (self.root / f"dags/{name}.yaml").write_text(text)

    def engine(self, disk: Disk | None = None) -> Engine:
        engine = open_home(self.root, plugins=False)
        if disk is None:
            return engine
        old = engine.home.store
        store = RunStore(disk, engine.home.paths, now=old._now, token=old._token)
        return replace(engine, home=replace(engine.home, disk=disk, store=store))

    # --- what an operator does

    def run(self, disk: Disk | None = None, **params: str) -> Result:
        return start_run(self.engine(disk), RunRequest("main", id=RUN, params=tuple(params.items())))

    def retry(self, disk: Disk | None = None, **answers: object) -> Result:
        engine = self.engine(disk)
        given = replace(Answers(), **answers)  # type: ignore[arg-type]
        return carry_out(engine, propose_retry(engine, RUN, given))

    def approve(
        self, step: str = "", disk: Disk | None = None, *, approved: bool = True, **inputs: str
    ) -> Result | None:
        engine = self.engine(disk)
        address, found = find_waiting(engine, RUN, step)
        return answer(engine, address, found, current_actor(), approved=approved, inputs=inputs)

    def edit(self, old: str, new: str, address: str = RUN) -> None:
        paths = self.engine().home.store.paths(address)
        text = paths.spec(max(paths.spec_versions())).read_text()
        assert old in text
        paths.next_spec.write_text(text.replace(old, new))

    # --- what there is afterwards

    def view(self, address: str = RUN) -> View:
        return view_run(self.engine().home.store, address)

    def step(self, name: str, address: str = RUN) -> StepRun:
        return self.view(address).run.last.steps[name]

    def states(self, address: str = RUN) -> Mapping[str, str]:
        return {name: str(step.state) for name, step in self.view(address).run.last.steps.items()}

    def children(self, address: str = RUN) -> list[str]:
        """The addresses of all children, in the order of their names."""
        return sorted(self.engine().home.store.children(address))

    def child_states(self) -> list[str]:
        return [str(self.view(each).state) for each in self.children()]

    def marks(self, name: str = "marks") -> list[str]:
        """What steps wrote with `>> $DESK/NAME`."""
        path = self.desk / name
        return path.read_text().split() if path.exists() else []

    def log(self, step: str, address: str = RUN) -> str:
        run = self.view(address).run
        paths = self.engine().home.store.paths(address)
        return paths.attempt(run.last.steps[step].log_attempt).step(step).stdout.read_text()

    def is_sound(self) -> bool:
        return [each for each in check_run(self.engine().home.store, RUN) if each.fatal] == []
