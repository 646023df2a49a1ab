from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dagfs.engine.rehearsal import rehearse


def test_a_rehearsal_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.enumerate()
    rehearse()
    assert not list(tmp_path.iterdir())
    assert threading.enumerate() == before


def test_it_is_done_without_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    rehearse()
