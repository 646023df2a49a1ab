"""Stories through the installed command. Each has a home of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intg.home import Home


@contextmanager
def new_home(folder: Path) -> Iterator[Home]:
    """A home in `folder`, at its defaults but for a short patience with steps that are stopped."""
    path = folder / "home"
    path.mkdir()
    (path / "dagfs.yaml").write_text("grace_sec: 2\n")
    home = Home(path)
    try:
        yield home
    finally:
        survivors = home.clear()
    assert not survivors, f"still there after the story: {survivors}"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A new home."""
    with new_home(tmp_path) as home:
        yield home
