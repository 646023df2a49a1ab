"""Stories through the installed command. Each has a home of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from intg.home import Home
from intg.web import chromium


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser; each story has a window of its own in it."""
    with chromium() as browser:
        yield browser
