"""A spec given on the command line: a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from dagfs.errors import NotFound, UsageError

LARGEST = 4 << 20


def given_spec(name: str | None) -> bytes | None:
    """The text of `--spec FILE`, or of standard input for `-`; None where none was given."""
    if name is None:
        return None
    if name == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        path = Path(name)
        if not path.is_file():
            raise NotFound(f"no such file: {name}")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"{name} is larger than {LARGEST >> 20} MB")
    return data
