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
        try:
            with Path(name).open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise NotFound(f"cannot read {name}: {error.strerror}") from None
    if len(data) > LARGEST:
        raise UsageError(f"{name} is larger than {LARGEST >> 20} MB")
    return data
