"""The lock on a run: a kernel lock on `.lock`, held as long as the engine lives. Only importer of filelock.

The kernel frees it when its holder dies, so there are no timeouts and no guessing by pid. The file
itself is never removed: a second file of that name would let a second owner in.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagfs.errors import Busy, LostOwnership, NotFound
from dagfs.store.codec import encode_document
from dagfs.store.files import PENDING, Disk, store_error
from dagfs.store.layout import RunPaths
from dagfs.store.owner import LockTable, Owner, holder, read_owner


def _file_lock(path: str, mode: int) -> Any:
    # By name, because verbs that only read are not to pay for the import.
    filelock = importlib.import_module("filelock")
    try:
        # Where the file system has no locks, fail rather than trust the mere existence of a file.
        lock = filelock.FileLock(path, timeout=0, mode=mode, thread_local=False, fallback_to_soft=False)
        lock.acquire()
    except filelock.Timeout:
        return None
    return lock


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class RunLock:
    """A held lock. `acquire` makes one."""

    def __init__(self, paths: RunPaths, lock: Any) -> None:
        self._paths, self._lock = paths, lock
        self._marks = self._look()

    @classmethod
    def acquire(cls, paths: RunPaths, disk: Disk, owner: Owner) -> RunLock:
        """Take the lock and write owner.json. Busy names who has it; NotFound when there is no run."""
        if not paths.root.is_dir():
            raise NotFound(f"there is no run at {paths.root}")
        try:
            lock = _file_lock(str(paths.lock), disk.file_mode)
        except OSError as error:
            raise store_error("lock", paths.lock, error) from error
        if lock is None:
            raise _busy(paths)
        held = cls(paths, lock)
        try:
            disk.replace(paths.owner, encode_document(owner.as_data()))
        except BaseException:
            held.release()
            raise
        return held

    def moved_to(self, paths: RunPaths) -> None:
        """The run's folder was renamed by its owner."""
        self._paths = paths

    def _look(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        return _identity(self._paths.root), _identity(self._paths.lock)

    def check(self) -> None:
        """LostOwnership when the run or its lock file is no longer the one that was locked."""
        if self._look() != self._marks:
            raise LostOwnership(
                f"{self._paths.root} was moved, removed or replaced while this engine owned it",
                hint="nothing more was written; look where the folder went and run `dagfs fsck`",
            )

    def release(self) -> None:
        """Let the lock go; fine when that has happened already."""
        self._lock.release()


def _busy(paths: RunPaths) -> Busy:
    owner = holder(paths) or read_owner(paths)
    who = f" by {owner}" if owner else ""
    return Busy(
        f"run {paths.root.name} is held{who}",
        hint="wait for its end, or stop it first with `dagfs stop`",
    )


def take_abandoned(stage: RunPaths, disk: Disk) -> RunLock | None:
    """The lock of a folder that somebody was building, None while that somebody lives."""
    try:
        lock = _file_lock(str(stage.lock), disk.file_mode)
    except OSError as error:
        raise store_error("lock", stage.lock, error) from error
    return None if lock is None else RunLock(stage, lock)


def try_out(folder: Path, disk: Disk) -> str:
    """Take a lock on a new file in `folder` and remove it again; what is wrong with locks there, or "".

    StoreError where no file can be written.
    """
    path = folder / f"{PENDING}lock-{os.urandom(6).hex()}"
    disk.put_new(path, b"")
    try:
        first, second = _file_lock(str(path), disk.file_mode), None
        try:
            second = _file_lock(str(path), disk.file_mode)
            if first is None or second is not None:
                return "a second process would get a lock that is held"
            if not LockTable.read().known:
                return "/proc/locks cannot be read, so owners are only guessed at by their process number"
            return ""
        finally:
            for lock in (first, second):
                if lock is not None:
                    lock.release()
    except (OSError, NotImplementedError) as error:
        return f"no lock can be taken: {error}"
    finally:
        with suppress(FileNotFoundError):
            disk.remove_file(path)
