"""What steps left in their folders for artifacts: listed, and read without ever following a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dagfs.errors import NotFound
from dagfs.model.value import frozen
from dagfs.store.files import store_error

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@frozen
class Artifact:
    """One regular file."""

    name: str
    """Its path below the folder, with `/`."""
    size: int
    mtime: float
    """Seconds since 1970."""


def listed(folder: Path, most: int) -> tuple[list[Artifact], bool]:
    """The regular files below a folder by name, at most so many, and whether there are more.

    Empty where there is no folder. Links, devices and what cannot be read are left out.
    """
    found: list[Artifact] = []
    for artifact in _walk(folder, most * 4):
        if len(found) == most:
            return found, True
        found.append(artifact)
    return found, False


def _walk(folder: Path, most: int) -> Iterator[Artifact]:
    """Files, depth first; at most so many entries are looked at."""
    prefixes = [""]
    while prefixes and most > 0:
        prefix = prefixes.pop()
        try:
            entries = sorted(os.scandir(folder / prefix), key=lambda entry: entry.name)
        except OSError:
            continue
        below = []
        for entry in entries:
            most -= 1
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(info.st_mode):
                below.append(f"{prefix}{entry.name}/")
            elif stat.S_ISREG(info.st_mode):
                yield Artifact(prefix + entry.name, info.st_size, info.st_mtime)
        prefixes += reversed(below)


def open_artifact(folder: Path, name: str) -> int:
    """A descriptor of a regular file below a folder, reached without a link. NotFound for anything else.

    Steps make what lies there, so nothing of it is trusted: each part of the name is opened in the folder
    before it, and a second name of somebody else's file is not ours to show.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise _missing(name)
    try:
        return _descend(os.open(folder, _FOLDER), parts)
    except (FileNotFoundError, NotADirectoryError, _NotOurs):
        raise _missing(name) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG):
            raise _missing(name) from None
        raise store_error("read", folder / name, error) from None


class _NotOurs(Exception):
    """What was found is no regular file, or belongs to somebody else."""


def _descend(at: int, parts: list[str]) -> int:
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        fd = os.open(parts[-1], _FILE, dir_fd=at)
    finally:
        os.close(at)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or (info.st_nlink > 1 and info.st_uid != os.getuid()):
        os.close(fd)
        raise _NotOurs
    return fd


def _missing(name: str) -> NotFound:
    return NotFound(f"there is no artifact {name!r}")
