"""Which steps may have left something elsewhere, and what becomes of that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dagfs.engine.bequest import keep_words
from dagfs.engine.remains import end_elsewhere, end_shared, left_elsewhere
from dagfs.errors import Refused
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.store.files import Disk
from dagfs.store.layout import RunPaths

DISK = Disk()


def run_of(*steps: StepRun) -> Any:
    return SimpleNamespace(last=SimpleNamespace(steps={step.name: step for step in steps}))


def left(paths: RunPaths, name: str, words: list[str], kind: str = "cleanup") -> Path:
    """The command that a step's first try left."""
    folder = paths.attempt(1).step(name)
    folder.root.mkdir(parents=True, exist_ok=True)
    path = folder.cleanup(1) if kind == "cleanup" else folder.at_end(1)
    keep_words(DISK, path, words)
    return path


def step(name: str, state: StepState, **more: Any) -> StepRun:
    return StepRun(name=name, state=state, attempt=1, log_attempt=1, tries=1, **more)


def test_only_an_unknown_end_leaves_something(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    run = run_of(
        step("lost", StepState.LOST),
        step("killed", StepState.FAILED, signal=9, exit_code=137),
        step("failed", StepState.FAILED, exit_code=1),
        step("done", StepState.SUCCEEDED),
        step("local", StepState.LOST),
    )
    for name in ("lost", "killed", "failed", "done"):
        left(paths, name, ["true"])
    assert [name for name, _ in left_elsewhere(paths, run)] == ["lost", "killed"]
    assert [name for name, _ in left_elsewhere(paths, run, but=["lost"])] == ["killed"]


def test_it_is_ended_once_and_a_failure_refuses(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    run = run_of(step("lost", StepState.LOST))
    left(paths, "lost", ["false"])
    with pytest.raises(Refused, match="what step 'lost' left elsewhere could not be ended"):
        end_elsewhere(DISK, paths, run)
    paths.attempt(1).step("lost").cleanup(1).unlink()
    left(paths, "lost", ["touch", str(tmp_path / "ended")])
    end_elsewhere(DISK, paths, run)
    assert (tmp_path / "ended").exists()
    assert not list(left_elsewhere(paths, run))


def test_what_is_shared_is_ended_once_and_kept_where_that_failed(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    words = ["sh", "-c", f"echo x >>{tmp_path}/count"]
    for name in ("one", "two"):
        left(paths, name, words, "at_end")
    broken = left(paths, "three", ["false"], "at_end")
    assert end_shared(DISK, paths) == ["what steps shared could not be ended: cleaning up ended with 1"]
    assert (tmp_path / "count").read_text() == "x\n"
    assert list(tmp_path.glob("attempts/*/*/*/at_end.*")) == [broken]
