"""Removes a run for good: out of sight at one instant, then off the disk."""

from __future__ import annotations

import os

from dagfs.errors import Refused
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.locks import RunLock
from dagfs.store.owner import Owner


def remove_run(disk: Disk, home: HomePaths, run_id: str, owner: Owner) -> None:
    """Remove a run with its children. Busy while somebody holds it; Refused while it is edited; NotFound."""
    paths = home.run(run_id)
    disk.make_dir(home.trash)
    lock = RunLock.acquire(paths, disk, owner)
    try:
        if paths.next_spec.exists():
            raise Refused(
                f"run {run_id} has an edit that waits: {paths.next_spec}",
                hint="retry it, or remove that file first",
            )
        grave = home.trash / f"{run_id}.{owner.token}"
        disk.move(paths.root, grave)
    finally:
        lock.release()
    disk.remove_tree(grave)


def empty_trash(disk: Disk, home: HomePaths) -> None:
    """Finish what was being removed when its remover died."""
    try:
        left = os.listdir(home.trash)
    except FileNotFoundError:
        return
    for name in left:
        disk.remove_tree(home.trash / name)
