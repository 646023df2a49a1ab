"""A run as one file: a gzipped tar archive with all in its folder but what belongs to this machine."""

from __future__ import annotations

import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from dagfs.errors import Damaged
from dagfs.store.files import PENDING, Disk
from dagfs.store.layout import STAGE, RunPaths, valid_run_id

_MTIME = "DAGFS.mtime_ns"
_HINT = "make one with `dagfs export RUN > run.tar.gz`"


def pack(paths: RunPaths, out: IO[bytes]) -> None:
    """Write the run, whose lock is held or which nobody works on, to `out`."""
    left = {paths.lock.name, paths.owner.name}
    with tarfile.open(fileobj=out, mode="w|gz", format=tarfile.PAX_FORMAT) as archive:
        for path in _below(paths.root):
            name = path.relative_to(paths.root)
            if str(name) in left:
                continue
            info = archive.gettarinfo(
                path, f"{paths.root.name}/{name}" if str(name) != "." else paths.root.name
            )
            if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                continue
            _make_anonymous(info, path)
            if info.isreg():
                with path.open("rb") as file:
                    archive.addfile(info, file)
            else:
                archive.addfile(info)


def _below(folder: Path) -> Iterator[Path]:
    """The folder and all in it, each folder before what it holds; links are not followed."""
    yield folder
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if name.startswith((STAGE, PENDING)):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _make_anonymous(info: tarfile.TarInfo, path: Path) -> None:
    """Owners mean nothing elsewhere; times count to the nanosecond; each name is a file of its own."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    found = path.lstat()
    info.pax_headers = {_MTIME: str(found.st_mtime_ns)}
    if info.islnk():
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", found.st_size


def unpack(disk: Disk, source: IO[bytes], stage: RunPaths) -> str:
    """Fill the new folder `stage` with a run from a tar archive; the run's id. Damaged for what is none.

    Nothing is ever written outside of `stage`, whatever names the archive has.
    """
    root = ""
    try:
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            for info in archive:
                root = _place(disk, archive, info, stage, root)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        raise Damaged(f"the archive cannot be read: {error}", hint=_HINT) from None
    if not stage.run_json.is_file():
        raise Damaged("the archive holds no run: it has no run.json", hint=_HINT)
    try:
        found = json.loads(stage.run_json.read_bytes())["id"]
    except (ValueError, KeyError, TypeError):
        found = None
    if found != root:
        raise Damaged(f"the archive is damaged: its run.json is not that of {root}", hint=_HINT)
    return root


def _place(disk: Disk, archive: tarfile.TarFile, info: tarfile.TarInfo, stage: RunPaths, root: str) -> str:
    """One member; the name of the folder that all lie in."""
    parts = PurePosixPath(info.name).parts
    if not parts or ".." in parts or info.name.startswith("/") or "\0" in info.name:
        raise ValueError(f"{info.name!r} is no path in a run")
    if (root and parts[0] != root) or not valid_run_id(parts[0]):
        raise ValueError(f"{info.name!r} is not in the folder of one run")
    target = stage.root.joinpath(*parts[1:])
    for above in target.parents:
        if above == stage.root.parent:
            break
        if above.is_symlink():
            raise ValueError(f"{info.name!r} lies behind a link")
    if info.isdir():
        disk.make_dir(target)
    elif info.issym():
        disk.put_link(target, info.linkname)
    elif info.isreg():
        content = archive.extractfile(info)
        assert content is not None
        mtime = info.pax_headers.get(_MTIME, "")
        disk.put_stream(
            target, content, info.mode, int(mtime) if mtime.isdecimal() else int(info.mtime * 1e9)
        )
    else:
        raise ValueError(f"{info.name!r} is neither a file, a folder nor a link")
    return parts[0]
