"""A second run with the history of a first one: what is fixed is shared by links, the rest is copied."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dagfs.errors import Refused, StoreError
from dagfs.model.run import RunHeader
from dagfs.model.value import replace
from dagfs.store.codec import encode_document
from dagfs.store.files import Disk
from dagfs.store.history import read_run_header
from dagfs.store.layout import SPEC_NAME, HomePaths, RunPaths

_ATTEMPT = re.compile(r"[1-9][0-9]*")
Give = Callable[[str, str], None]
"""Gives the file at the first path a second existence at the second one."""


def fork(disk: Disk, home: HomePaths, source: RunPaths, header: RunHeader) -> None:
    """Make the run that `header` tells of, with all attempts of `source`, complete and durable in one rename.

    The source's lock is held, and nothing of it is at work. Refused when the id is taken.
    """
    old = str(json.loads(source.run_json.read_bytes())["id"])
    stage, final = home.stage(os.urandom(6).hex()), home.run(header.id)
    if final.root.exists():
        raise Refused(f"run {header.id} exists already", hint="choose another run id")
    try:
        _run(disk, source, stage, header)
        if source.children.is_dir():
            disk.make_dir(stage.children)
            for name in sorted(os.listdir(source.children)):
                if (source.children / name / source.run_json.name).exists():
                    _child(disk, source.child(name), stage, f"{old}/{name}", header.id)
        disk.publish_dir(stage.root, final.root)
    except BaseException as error:
        with suppress(StoreError):
            disk.remove_tree(stage.root)
        if isinstance(error, FileExistsError):
            raise Refused(f"run {header.id} exists already", hint="choose another run id") from None
        raise


def _child(disk: Disk, source: RunPaths, stage: RunPaths, address: str, root: str) -> None:
    """A child belongs to its root by the ids in its header."""
    name = source.root.name
    header = read_run_header(source, address)
    parent = header.parent.partition("/")
    parent_id = f"{root}/{parent[2]}" if parent[2] else root
    header = replace(header, id=f"{root}/{name}", root=root, parent=parent_id)
    _run(disk, source, RunPaths(stage.children / name), header)


def _run(disk: Disk, source: RunPaths, stage: RunPaths, header: RunHeader) -> None:
    disk.make_dir(stage.root)
    disk.put_staged(stage.run_json, encode_document(header.as_data(), sealed=True), immutable=True)
    for name in sorted(os.listdir(source.root)):
        if SPEC_NAME.fullmatch(name) or name == source.base.name:
            disk.share_file(str(source.root / name), str(stage.root / name))
    disk.make_dir(stage.attempts)
    for name in sorted(os.listdir(source.attempts)):
        if _ATTEMPT.fullmatch(name):
            _tree(disk, source.attempts / name, stage.attempts / name, _given(disk, source))
    # Steps write there in place.
    _tree(disk, source.work, stage.work, disk.copy_file)


def _given(disk: Disk, source: RunPaths) -> Give:
    """Journals may still grow; a status names its run, and is made anew; all else is fixed."""
    journal, status = source.attempt(1).journal.name, source.status.name

    def give(old: str, new: str) -> None:
        name = os.path.basename(old)
        if name == status and os.path.dirname(os.path.dirname(old)) == str(source.attempts):
            return
        if name == journal or os.path.islink(old):
            disk.copy_file(old, new)
        else:
            disk.share_file(old, new)

    return give


def _tree(disk: Disk, source: Path, target: Path, give: Give) -> None:
    """Every folder, file and link below; what is none of these, a socket, stays behind."""
    disk.make_dir(target)
    if not source.is_dir():
        return
    with os.scandir(source) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _tree(disk, Path(entry.path), target / entry.name, give)
        elif entry.is_symlink() or stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            give(entry.path, str(target / entry.name))
