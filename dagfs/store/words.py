"""What somebody said to a waiting step, left in the run's folder for the engine that owns the run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dagfs.errors import DagfsError
from dagfs.model.run import Word
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, read_bytes
from dagfs.store.layout import RunPaths

_NAME = re.compile(r"word-[0-9a-f]{12}\.json")


def is_word(name: str) -> bool:
    """Whether a file of this name is one."""
    return _NAME.fullmatch(name) is not None


def leave(disk: Disk, paths: RunPaths, step: str, word: Word) -> Path:
    """Leave a word for `step`, durable on return."""
    path = paths.root / f"word-{os.urandom(6).hex()}.json"
    disk.put_new(path, encode_document({"step": step, **word.as_data()}))
    return path


def found(paths: RunPaths) -> list[tuple[Path, str, Word | None]]:
    """Every word that lies there, with its step, oldest first; None for one that cannot be read."""
    names = [name for name in _names(paths.root) if is_word(name)]
    read = [_read(paths.root / name) for name in names]
    return sorted(read, key=lambda each: (each[2].time if each[2] else "", each[0]))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(path: Path) -> tuple[Path, str, Word | None]:
    try:
        data = decode_document(read_bytes(path), path)
        return path, str(data["step"]), Word.from_data(data)
    except (OSError, DagfsError, KeyError, TypeError, ValueError, AttributeError):
        return path, "", None
