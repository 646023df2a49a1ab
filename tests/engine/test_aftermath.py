"""Commands that end what is elsewhere: written down, read back, run within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagfs.engine import aftermath, bequest
from dagfs.store.files import Disk

ENV = {"PATH": "/usr/bin:/bin"}


def test_a_command_is_read_back_as_it_was(tmp_path: Path) -> None:
    words = ["program", "two words", 'ü"$(x)']
    bequest.keep_words(Disk(), tmp_path / "cleanup.1", words)
    assert bequest.kept_words(tmp_path / "cleanup.1") == words
    assert (tmp_path / "cleanup.1").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", '["a'])
def test_a_damaged_one_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cleanup.1").write_text(text)
    assert bequest.kept_words(tmp_path / "cleanup.1") == []
    assert bequest.kept_words(tmp_path / "cleanup.2") == []


def test_why_it_failed_is_told() -> None:
    assert aftermath.clean_up(["true"], ENV) == ""
    assert aftermath.clean_up(["sh", "-c", "echo no way >&2; exit 3"], ENV) == "no way"
    assert aftermath.clean_up(["false"], ENV) == "cleaning up ended with 1"
    assert aftermath.clean_up(["/no/such/program"], ENV).startswith("cannot start /no/such/program")


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "PATIENCE_SEC", 0.05)
    assert aftermath.clean_up(["sleep", "600"], ENV) == "cleaning up took more than 0.05 s"
