"""Every way an engine, a disk or the power can fail while the store is written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .scenarios import SCENARIOS, kill_sweep, power_sweep, refusal_sweep


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: these tests sync a lot, and ask only what was synced."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(dir=memory, prefix="dagfs-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_engine_killed_at_any_change_loses_nothing(name: str, folder: Path) -> None:
    sweep = kill_sweep(SCENARIOS[name], folder)
    assert sweep.strikes > 3
    assert sweep.failures == []


REFUSALS = {
    "full once, a write in part": (errno.ENOSPC, False, True),
    "one I/O error": (errno.EIO, False, False),
    "read-only for ever": (errno.EROFS, True, False),
    "quota used up for ever, a write in part": (errno.EDQUOT, True, True),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_disk_that_refuses_any_change_loses_nothing(name: str, refusal: str, folder: Path) -> None:
    number, for_ever, part = REFUSALS[refusal]
    sweep = refusal_sweep(SCENARIOS[name], folder, number, for_ever=for_ever, part=part)
    assert sweep.strikes > 3
    assert sweep.failures == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_power_cut_after_any_change_loses_no_acknowledged_fact(name: str, folder: Path) -> None:
    sweep = power_sweep(SCENARIOS[name], folder)
    assert sweep.strikes > 3
    assert sweep.failures == []
