"""DAG files: which there are in a home, and which one a name means."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from dagfs.errors import NotFound, StoreError, UsageError
from dagfs.model.spelling import get_close_matches
from dagfs.store.capture import LARGEST_SPEC, too_large
from dagfs.store.files import open_regular, store_error
from dagfs.store.layout import HomePaths

_PIECE = 1 << 16
SUFFIXES = (".yaml", ".yml")


Unread = dict[str, StoreError]
"""What cannot be read, and why, by its path below `dags/`: folders end in a slash, `dags/` itself is ""."""


def names(home: HomePaths, unread: Unread | None = None) -> list[Path]:
    """Every DAG file below `dags/`, sorted. Hidden files, editors' files and links out of it are left out.

    Folders that cannot be listed are put into `unread`. StoreError where that is `dags/` itself.
    """
    unread = {} if unread is None else unread
    found = sorted(home.dags / key for key, _ in entries(home, unread))
    if "" in unread:
        raise unread[""]
    return found


def entries(home: HomePaths, unread: Unread) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The same, unsorted: their paths below `dags/`, and what the system knows of them already."""
    return _below(home.dags, "", home.dags.resolve(), unread)


def is_unread(key: str, unread: Collection[str]) -> bool:
    """Whether a file, by its path below `dags/`, may be there unseen."""
    return any(key.startswith(each) if not each or each.endswith("/") else key == each for each in unread)


def _below(
    folder: str | Path, prefix: str, top: Path, unread: Unread
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        unread[prefix] = store_error("list", folder, error)
        return
    for entry in found:
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            if not name.startswith("."):
                yield from _below(entry.path, f"{prefix}{name}/", top, unread)
        elif is_dag_name(name) and _is_file(entry) and (not entry.is_symlink() or _within(entry, top)):
            yield f"{prefix}{name}", entry


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        # A link that leads round in a circle, say.
        return False


def is_dag_name(name: str) -> bool:
    """Whether a file of this name can be a DAG: not hidden, and no editor's backup, swap or lock file."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def _within(path: os.PathLike[str], top: Path) -> bool:
    try:
        return Path(path).resolve().is_relative_to(top)
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


def find_inside(home: HomePaths, name: str) -> Path:
    """As `find`, but a file below `dags/` alone, whatever `name` is: for those who may not name others."""
    return meant(home.dags, name, names(home)) or _by_stem(home, name)


def meant(folder: Path, name: str, paths: Collection[Path]) -> Path | None:
    """The one of `paths`, all DAG files in `folder`, that a name means; None where it is none or several."""
    top = (folder / (name + ending) for ending in ("", *SUFFIXES))
    first = next((path for path in top if path in paths), None)
    found = [first] if first else _with_stem(paths, name)
    return found[0] if len(found) == 1 else None


def _with_stem(paths: Collection[Path], name: str) -> list[Path]:
    return [path for path in paths if name in (path.stem, path.name)]


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
        fd = open_regular(path.resolve() if path.is_symlink() else path)
    except FileNotFoundError:
        raise NotFound(f"no such file: {path}") from None
    try:
        data = _read(fd)
    except OSError as error:
        raise store_error("read", path, error) from error
    finally:
        os.close(fd)
    if len(data) > LARGEST_SPEC:
        raise too_large(path)
    return data


def _read(fd: int) -> bytes:
    """All of a file, or a little more than a spec may have; with few calls, as thousands are read at once."""
    pieces, size = [], 0
    while size <= LARGEST_SPEC and (piece := os.read(fd, _PIECE)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _by_stem(home: HomePaths, name: str) -> Path:
    paths = names(home)
    found = _with_stem(paths, name)
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(str(path.relative_to(home.dags)) for path in found)
        raise UsageError(f"{name!r} could be {len(found)} DAGs: {shown}", hint="give its path within dags/")
    known = {path.stem for path in paths} | {
        str(path.relative_to(home.dags).with_suffix("")) for path in paths
    }
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"DAG files lie in {home.dags}"
    raise NotFound(f"there is no DAG {name!r}", hint=hint)
