"""Takes a run to another machine and back, without losing what either side has done meanwhile."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO

from dagfs.engine.bootstrap import Engine
from dagfs.engine.location import new_token
from dagfs.engine.operations import own
from dagfs.engine.view import view_run
from dagfs.errors import NothingToDo, Refused, StoreError, UsageError
from dagfs.model.value import replace
from dagfs.store.forking import fork
from dagfs.store.history import read_run, read_run_header
from dagfs.store.layout import RunPaths, valid_run_id
from dagfs.store.parcel import pack, unpack


def export_run(engine: Engine, run_id: str, out: IO[bytes]) -> None:
    """Write a run as a tar.gz. Busy while an engine is at work; Refused while steps of a dead one are."""
    store = engine.home.store
    if "/" in run_id:
        raise UsageError(f"{run_id} is a child", hint=f"export its root: {run_id.partition('/')[0]}")
    view = view_run(store, run_id)
    if view.orphans or view.handlers or view.below:
        raise Refused(f"something of run {run_id} is still running", hint=f"`dagfs stop {run_id}` first")
    with store.claim(run_id, own(0, new_token())) as claim:
        pack(claim.paths, out)


def import_run(engine: Engine, source: IO[bytes], new_id: str = "") -> str:
    """Take a run in; its id. One that is here is replaced by a continuation of it, and else left alone.

    With `new_id` it becomes a run of its own. Refused where both sides went on, NothingToDo where this one
    has it all, Damaged, StoreError.
    """
    home, disk = engine.home.paths, engine.home.disk
    engine.home.store.ensure()
    if new_id and not valid_run_id(new_id):
        raise UsageError(f"{new_id!r} cannot name a run")
    stage = home.stage(os.urandom(6).hex())
    try:
        disk.make_dir(stage.root)
        run_id = unpack(disk, source, stage)
        read_run(stage, run_id)
        if new_id and new_id != run_id:
            old = read_run_header(stage, run_id)
            root = old.root or run_id
            fork(disk, home, stage, replace(old, id=new_id, root=root, parent=run_id, trigger="import"))
            return new_id
        if home.run(run_id).root.exists():
            _replace(engine, stage, run_id)
        else:
            disk.publish_dir(stage.root, home.run(run_id).root)
        return run_id
    finally:
        with suppress(StoreError):
            disk.remove_tree(stage.root)


def _replace(engine: Engine, stage: RunPaths, run_id: str) -> None:
    """Put a continuation in the place of what it continues."""
    disk = engine.home.disk
    with engine.home.store.claim(run_id, own(0, new_token())) as claim:
        here = claim.paths
        if not _continues(stage, here):
            if _continues(here, stage):
                raise NothingToDo(f"run {run_id} is here already, with all that the archive has")
            raise Refused(
                f"run {run_id} went on here, and elsewhere too",
                hint="`dagfs import FILE --as ID` makes a run of its own of it; nothing is lost",
            )
        if _same(stage, here):
            raise NothingToDo(f"run {run_id} is here already, and the archive has nothing more")
        if here.next_spec.exists() and not stage.next_spec.exists():
            disk.copy_file(here.next_spec, stage.next_spec)
        # What was here is part of what comes, so it may go; a crash leaves one of the two in its place.
        disk.exchange_dir(stage.root, here.root)


def _continues(longer: RunPaths, shorter: RunPaths) -> bool:
    """All that the journals of one say, those of the other say as well, and in the same order."""
    return all(
        longer.attempt(n).journal.is_file()
        and longer.attempt(n).journal.read_bytes().startswith(shorter.attempt(n).journal.read_bytes())
        for n in shorter.attempt_numbers()
    )


def _same(one: RunPaths, other: RunPaths) -> bool:
    return one.attempt_numbers() == other.attempt_numbers() and _continues(other, one)
