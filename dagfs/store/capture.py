"""Taking up the user's edit, `spec.next.yaml`, which anyone may be saving at the very moment."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

from dagfs.errors import Problem, Refused, SpecError
from dagfs.store.files import open_regular, store_error

LARGEST_SPEC = 4 * 1024 * 1024
_ROUNDS = 100
_PAUSE = 0.02


def sha256(data: bytes) -> str:
    """The digest that names a spec."""
    return hashlib.sha256(data).hexdigest()


def capture(path: Path) -> bytes | None:
    """The file's bytes, once two readings agree; None where it is not there.

    SpecError for one that is empty or larger than 4 MB; Refused for what is no file, or never at rest for
    two seconds.
    """
    before = _reading(path)
    for round_ in range(_ROUNDS):
        after = _reading(path)
        if after == before:
            return _checked(path, after)
        before = after
        time.sleep(_PAUSE * (round_ > 0))
    raise Refused(f"{path} keeps changing", hint="save it once more, then repeat the command")


def _checked(path: Path, reading: tuple[object, bytes] | None) -> bytes | None:
    if reading is not None and not reading[1].strip():
        raise _unusable(path, "the file is empty", "remove it to go on with the current spec, or fill it in")
    return None if reading is None else reading[1]


def _unusable(path: Path, what: str, hint: str | None = None) -> SpecError:
    return SpecError([Problem(str(path), 0, 0, what, hint)])


def too_large(path: Path) -> SpecError:
    """The error for a spec that is no longer text of a person's size."""
    return _unusable(path, f"it is larger than {LARGEST_SPEC >> 20} MB, the most a spec may have")


def _reading(path: Path) -> tuple[object, bytes] | None:
    try:
        _refuse_others(path)
        fd = open_regular(path)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_size > LARGEST_SPEC:
            raise too_large(path)
        try:
            data = file.read(LARGEST_SPEC + 1)
        except OSError as error:
            raise store_error("read", path, error) from error
        return (status.st_ino, status.st_size, status.st_mtime_ns), data


_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _refuse_others(path: Path) -> None:
    mode = os.lstat(path).st_mode
    for is_kind, word in _KINDS:
        if is_kind(mode):
            raise Refused(f"{path} is {word}, not a file", hint="put the edited spec itself there")
