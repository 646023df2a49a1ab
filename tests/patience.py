"""Waiting in tests: for something to come about, and never for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SEC = 60.0

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str = "it", within: float = PATIENCE_SEC) -> T:
    """The first true answer of `look`, asked again and again."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come about within {within:g} s"
        time.sleep(0.005)
