"""Commands that are written down, for an engine that finds neither the process they end nor its shim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dagfs.store.files import Disk


def keep_words(disk: Disk, path: Path, words: Sequence[str]) -> None:
    """Write a command down."""
    disk.write_program(path, json.dumps(list(words)).encode("ascii"))


def kept_words(path: Path) -> list[str]:
    """A command that was written down; empty where there is none."""
    try:
        words = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [str(word) for word in words]
