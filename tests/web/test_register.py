"""Runs kept in memory: each change on disk is seen, and nothing is read twice."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from dagfs.store.runs import RunStore
from dagfs.web.register import Register
from tests.store.scenarios import RUN, failed, new_run, open_store, owner, running


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def later(self, seconds: float = 60.0) -> None:
        self.now += seconds


class Counting:
    """A store that counts the runs that are read."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self.read: list[str] = []

    def summaries_of(self, runs: Collection[str]) -> list[dict[str, Any]]:
        self.read += runs
        return self._store.summaries_of(runs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def register(root: Path, clock: Clock) -> tuple[Register, Counting]:
    store = Counting(open_store(root))
    return Register(store, clock), store  # type: ignore[arg-type]


def settled(register: Register, clock: Clock) -> None:
    """Once the background has caught up."""
    clock.later()
    register.refresh()
    if register._keeper is not None:
        register._keeper.join(30)
    assert register.unread == 0


def test_a_home_without_runs_has_none(tmp_path: Path, clock: Clock) -> None:
    runs, _ = register(tmp_path, clock)
    settled(runs, clock)
    assert list(runs.all()) == []


def test_what_did_not_change_is_not_read_again(tmp_path: Path, clock: Clock) -> None:
    failed(tmp_path / "home")
    runs, store = register(tmp_path / "home", clock)
    settled(runs, clock)
    settled(runs, clock)
    before, version = len(store.read), runs.version
    settled(runs, clock)
    assert len(store.read) == before
    assert runs.version == version
    assert [each.run for each in runs.all()] == [RUN]


def test_runs_that_come_change_and_go_are_noticed(tmp_path: Path, clock: Clock) -> None:
    root = tmp_path / "home"
    running(root)
    runs, _ = register(root, clock)
    settled(runs, clock)
    # Its engine is gone, so it was interrupted.
    assert [each.state for each in runs.all()] == ["interrupted"]
    other = "20261121-030000-etl-a1b2"
    store = open_store(root)
    claim = new_run(store, other)
    settled(runs, clock)
    found = runs.get(other)
    assert found is not None
    assert found.state == "running"
    claim.release()
    settled(runs, clock)
    found = runs.get(other)
    assert found is not None
    assert found.state == "interrupted"
    shutil.rmtree(root / "runs" / other)
    settled(runs, clock)
    assert [each.run for each in runs.all()] == [RUN]
    assert list(runs.by_dag()) == ["etl"]


def test_a_status_that_was_written_anew_is_read_at_once_where_it_is_shown(
    tmp_path: Path, clock: Clock
) -> None:
    root = tmp_path / "home"
    failed(root)
    runs, _ = register(root, clock)
    settled(runs, clock)
    path = root / "runs" / RUN / "attempts/1/status.json"
    document = json.loads(path.read_bytes()) if path.exists() else open_store(root).document(RUN)
    document |= {"format": 1, "state": "succeeded", "attempt": 1}
    new = path.with_name("new")
    new.write_text(json.dumps(document))
    os.replace(new, path)
    if not (root / "runs" / RUN / "status.json").exists():
        os.symlink("attempts/1/status.json", root / "runs" / RUN / "status.json")
    runs.refresh([RUN])
    found = runs.get(RUN)
    assert found is not None
    assert found.state == "succeeded"


def test_many_runs_are_read_the_newest_first(tmp_path: Path, clock: Clock) -> None:
    root = tmp_path / "home"
    running(root)
    for number in range(150):
        name = f"20261121-04{number // 60:02}{number % 60:02}-etl-{number:04}"
        shutil.copytree(root / "runs" / RUN, root / "runs" / name, symlinks=True)
    runs, store = register(root, clock)
    settled(runs, clock)
    assert len(runs.all()) == 151
    assert store.read[19] == "20261121-040229-etl-0149"


def test_what_is_no_run_is_no_run(tmp_path: Path, clock: Clock) -> None:
    root = tmp_path / "home"
    failed(root)
    (root / "runs/notes.txt").write_text("x")
    (root / "runs/empty-folder").mkdir()
    runs, _ = register(root, clock)
    settled(runs, clock)
    states = {each.run: each.state for each in runs.all()}
    assert states[RUN] != "damaged"
    assert states["empty-folder"] == "damaged"
    assert "notes.txt" not in states


def test_the_lock_of_a_run_at_work_is_known(tmp_path: Path, clock: Clock) -> None:
    root = tmp_path / "home"
    running(root)
    runs, store = register(root, clock)
    with open_store(root).claim(RUN, owner()):
        settled(runs, clock)
        before = len(store.read)
        settled(runs, clock)
        # Who holds it can be seen in one look at all locks.
        assert len(store.read) == before
        assert runs.all()[0].state == "running"
