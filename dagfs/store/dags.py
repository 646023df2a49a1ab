"""DAG files: which there are in a home, and which one a name means."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dagfs.errors import NotFound, UsageError
from dagfs.store.capture import LARGEST_SPEC, too_large
from dagfs.store.files import open_regular
from dagfs.store.layout import HomePaths

SUFFIXES = (".yaml", ".yml")


def names(home: HomePaths) -> list[Path]:
    """Every DAG file below `dags/`, sorted. Hidden files, editors' files and links out of it are left out."""
    return sorted(_found(home.dags))


def _found(folder: Path) -> Iterator[Path]:
    top = folder.resolve()
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root, name)
            if is_dag_name(name) and path.is_file() and (not path.is_symlink() or _within(path, top)):
                yield path


def is_dag_name(name: str) -> bool:
    """Whether a file of this name can be a DAG: not hidden, and no editor's backup, swap or lock file."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def _within(path: Path, top: Path) -> bool:
    try:
        return path.resolve().is_relative_to(top)
    except (OSError, RuntimeError):
        return False


def find(home: HomePaths, name: str) -> Path:
    """The DAG file that `name` means. NotFound, or UsageError where it could be several.

    It is a path to a file, or a file's path in `dags/`, or its name in any folder there; `.yaml` and
    `.yml` may be left off.
    """
    if not name or "\0" in name:
        raise NotFound("a DAG needs a name")
    # What looks like a path is first looked for from here, as every other program would.
    bases = (Path(), home.dags) if "/" in name or name.endswith(SUFFIXES) else (home.dags,)
    for base in bases:
        for ending in ("", *SUFFIXES):
            path = base / (name + ending)
            if is_file(path):
                return path
    return _by_stem(home, name)


def is_file(path: Path) -> bool:
    """Whether it is a file; a name that is too long for one is not."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def read(path: Path) -> bytes:
    """A DAG file's bytes. StoreError for what is no regular file, SpecError for a large one; NotFound."""
    try:
        fd = open_regular(path.resolve())
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    with open(fd, "rb") as file:
        data = file.read(LARGEST_SPEC + 1)
    if len(data) > LARGEST_SPEC:
        raise too_large(path)
    return data


def _by_stem(home: HomePaths, name: str) -> Path:
    paths = names(home)
    found = [path for path in paths if name in (path.stem, path.name)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(str(path.relative_to(home.dags)) for path in found)
        raise UsageError(f"{name!r} could be {len(found)} DAGs: {shown}", hint="give its path within dags/")
    known = {path.stem for path in paths} | {
        str(path.relative_to(home.dags).with_suffix("")) for path in paths
    }
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"DAG files lie in {home.dags}"
    raise NotFound(f"there is no DAG {name!r}", hint=hint)
