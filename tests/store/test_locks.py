"""Trying out locks: an honest answer, and nothing left behind."""

from pathlib import Path

import pytest

from dagfs.errors import StoreError
from dagfs.store import locks
from dagfs.store.files import Disk


def test_locks_of_an_ordinary_folder_hold(tmp_path: Path) -> None:
    assert locks.try_out(tmp_path, Disk()) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(path: str, mode: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "_file_lock", none_here)
    assert "No locks available" in locks.try_out(tmp_path, Disk())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((StoreError, FileNotFoundError)):
        locks.try_out(tmp_path / "nowhere", Disk())
