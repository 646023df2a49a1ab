"""The archive step's own process: create, extract, list."""

from __future__ import annotations

import fnmatch
import json
import os
import posixpath
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from lzma import LZMAError
from typing import Any

from dagfs.executors.child import packed
from dagfs.executors.child.packed import Entry, Reader
from dagfs.executors.child.task import fail, take, told

_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    tarfile.TarError,
    zipfile.BadZipFile,
)
_CORRUPT = (zlib.error, LZMAError)


def main() -> None:
    task = take()
    try:
        failed = _VERBS[task["command"]](task)
    except (*_BROKEN, *_CORRUPT) as error:
        fail(f"archive: {told(error)}")
    if failed:
        fail(f"archive: {failed} of the names could not be done")


def _fits(task: Mapping[str, Any], name: str) -> bool:
    """Whether `include` and `exclude` let a name pass; a pattern without `/` is about its last part."""

    def any_of(patterns: list[str]) -> bool:
        last = posixpath.basename(name)
        return any(fnmatch.fnmatch(name if "/" in each else last, each) for each in patterns)

    return (not task["include"] or any_of(task["include"])) and not any_of(task["exclude"] or [])


# -- create --------------------------------------------------------------------------------------


def _create(task: Mapping[str, Any]) -> int:
    target = task["destination"]
    if not target:
        raise ValueError("`destination` is empty")
    if os.path.lexists(target) and not task["overwrite"]:
        raise FileExistsError(f"{target} is there already; `overwrite: true` replaces it")
    kind = packed.kind(task["format"], target)
    found = [pair for pair in _to_pack(task) if not _is_same(pair[1], target)]
    if not found:
        raise ValueError("nothing fits: no file is to be packed")
    if task["dry_run"]:
        return _report("would pack", [name for name, _ in found])
    pending = f"{target}.part"
    try:
        failed = _pack(task, kind, pending, found)
        if task["verify_integrity"]:
            with packed.opened(pending, kind) as reader:
                reader.verify()
        os.replace(pending, target)
    finally:
        if os.path.exists(pending):
            os.unlink(pending)
    _tell(task, "packed", found=[name for name, _ in found], count=len(found) - failed, where=target)
    return failed


def _to_pack(task: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name in the archive and path, for all sources, in a stable order."""
    for source in task["source"]:
        if not os.path.lexists(source):
            raise FileNotFoundError(f"there is no {source}")
        top = os.path.basename(os.path.abspath(source)) if not os.path.isabs(source) else ""
        name = (
            os.path.normpath(source) if not os.path.isabs(source) and ".." not in source.split("/") else top
        )
        name = name or os.path.basename(source.rstrip("/"))
        name = "" if name == "." else name
        if not os.path.isdir(source):
            if _fits(task, name):
                yield name, source
            continue
        for folder, folders, files in os.walk(source, followlinks=task["follow_symlinks"]):
            folders.sort()
            links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
            for each in sorted([*files, *([] if task["follow_symlinks"] else links)]):
                path = os.path.join(folder, each)
                inside = posixpath.join(name, os.path.relpath(path, source))
                if _fits(task, inside):
                    yield inside, path


def _is_same(path: str, target: str) -> bool:
    return os.path.abspath(path) in (os.path.abspath(target), os.path.abspath(f"{target}.part"))


def _pack(task: Mapping[str, Any], kind: str, pending: str, found: list[tuple[str, str]]) -> int:
    failed = 0
    with packed.created(
        pending, kind, int(min(task["compression_level"], 9)), task["follow_symlinks"]
    ) as writer:
        for name, path in found:
            try:
                writer.add(name, path)
            except (OSError, ValueError) as error:
                if not task["continue_on_error"]:
                    raise
                failed += 1
                sys.stderr.write(f"{name}: {told(error)}\n")
    return failed


# -- extract and list ----------------------------------------------------------------------------


def _source(task: Mapping[str, Any]) -> tuple[str, str]:
    """The one archive and its format."""
    if len(task["source"]) != 1:
        raise ValueError("`source` must be one archive")
    path = task["source"][0]
    return path, packed.kind(task["format"], path)


def _extract(task: Mapping[str, Any]) -> int:
    path, kind = _source(task)
    top = task["destination"] or "."
    with packed.opened(path, kind, task["password"] or "") as reader:
        if task["verify_integrity"]:
            reader.verify()
        todo = [(entry, name) for entry in reader.entries() if (name := _target(task, entry))]
        if task["dry_run"]:
            return _report("would unpack", [name for _, name in todo])
        os.makedirs(top, exist_ok=True)
        done, failed = _unpack(task, reader, top, todo)
    _tell(task, "unpacked", found=done, count=len(done), where=top)
    return failed


def _target(task: Mapping[str, Any], entry: Entry) -> str:
    """The path below the folder that an entry goes to; `""` where it is left out."""
    if not _fits(task, entry.name.rstrip("/")):
        return ""
    if not task["preserve_paths"]:
        return "" if entry.is_folder else posixpath.basename(entry.name)
    return "/".join(entry.name.rstrip("/").split("/")[int(task["strip_components"]) :])


def _unpack(
    task: Mapping[str, Any], reader: Reader, top: str, todo: list[tuple[Entry, str]]
) -> tuple[list[str], int]:
    """What was written, and how many could not be."""
    place = packed.Folder(top, overwrite=task["overwrite"], limit=int(task["max_bytes"]))
    done, failed = [], 0
    try:
        for entry, name in todo:
            try:
                place.put(reader, entry, name)
                done += [] if entry.is_folder else [name]
            except packed.TooLarge:
                raise
            except (*_BROKEN, *_CORRUPT) as error:
                if not task["continue_on_error"]:
                    raise
                failed += 1
                sys.stderr.write(f"{entry.name}: {told(error)}\n")
    finally:
        place.close()
    return done, failed


def _list(task: Mapping[str, Any]) -> int:
    path, kind = _source(task)
    with packed.opened(path, kind, task["password"] or "") as reader:
        if task["verify_integrity"]:
            reader.verify()
        for entry in reader.entries():
            if _fits(task, entry.name.rstrip("/")):
                text = entry.name if not task["verbose"] else json.dumps(entry.shown(), ensure_ascii=False)
                sys.stdout.write(text + "\n")
    return 0


# -- what is said --------------------------------------------------------------------------------


def _report(what: str, names: list[str]) -> int:
    sys.stdout.write("".join(f"{what} {name}\n" for name in names))
    return 0


def _tell(task: Mapping[str, Any], what: str, *, found: list[str], count: int, where: str) -> None:
    if task["verbose"]:
        sys.stdout.write("".join(f"{name}\n" for name in found))
    sys.stdout.write(f"{what} {count} file{'' if count == 1 else 's'}: {where}\n")


_VERBS = {"create": _create, "extract": _extract, "list": _list}

if __name__ == "__main__":
    main()
