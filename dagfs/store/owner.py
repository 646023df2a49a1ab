"""Who owns a run: read from owner.json and the kernel's table of locks, never by trying the lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagfs.errors import DagfsError
from dagfs.model.dag import Plain
from dagfs.model.value import field, frozen
from dagfs.store.codec import decode_document
from dagfs.store.files import read_bytes
from dagfs.store.layout import RunPaths
from dagfs.store.process import Identity, is_alive

_LOCKS = "/proc/locks"


@frozen
class Owner(Plain):
    """The engine that holds a run, as it wrote itself down after it took the lock."""

    identity: Identity = field(default_factory=Identity)
    host: str = ""
    token: str = ""
    attempt: int = 0
    since: str = ""
    """RFC 3339, UTC."""
    command: str = ""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return Identity.from_data(value) if key == "identity" else value

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        since = f" since {self.since}" if self.since else ""
        return f"process {self.identity.pid or '?'}{where}{since}"


def read_owner(paths: RunPaths) -> Owner | None:
    """Who owned the run last; None where that is unknown."""
    try:
        return Owner.from_data(decode_document(read_bytes(paths.owner), paths.owner))
    except (FileNotFoundError, DagfsError, TypeError, AttributeError):
        # Not a fact that decides anything: the lock itself does.
        return None


@frozen
class LockTable:
    """The file locks that processes of this machine hold, at one moment."""

    pids: Mapping[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """Inode to (device as `major:minor` in hexadecimal, pid)."""
    known: bool = True
    """False where the system has no such table."""

    @classmethod
    def read(cls) -> LockTable:
        """The table as it is now."""
        try:
            with open(_LOCKS, encoding="ascii", errors="replace") as file:
                return cls.parse(file.read())
        except OSError:
            return cls({}, known=False)

    @classmethod
    def parse(cls, text: str) -> LockTable:
        found: dict[int, tuple[tuple[str, int], ...]] = {}
        for line in text.splitlines():
            words = line.split()
            # `12: FLOCK ADVISORY WRITE 4711 fe:00:131 0 EOF`; `->` marks one that only waits.
            if len(words) < 8 or words[1] != "FLOCK":
                continue
            device, _, inode = words[5].rpartition(":")
            if inode.isdigit():
                found[int(inode)] = (*found.get(int(inode), ()), (device, int(words[4])))
        return cls(found)

    def holder(self, paths: RunPaths) -> Owner | None:
        """Who holds the run's lock, None when nobody does."""
        owner = read_owner(paths)
        if not self.known:
            return owner if owner and is_alive(owner.identity) else None
        try:
            status = os.stat(paths.lock, follow_symlinks=False)
        except OSError:
            return None
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        holders = self.pids.get(status.st_ino, ())
        if owner and owner.identity.pid in [pid for _, pid in holders]:
            return owner
        # The same number on another device is another file; some file systems show another device here.
        here = [pid for where, pid in holders if where == device]
        if not here:
            return None
        # Between taking the lock and writing owner.json, or from within a container.
        return owner if owner and is_alive(owner.identity) else Owner(Identity(pid=here[0]))


def holder(paths: RunPaths) -> Owner | None:
    """Who holds the run's lock now, None when nobody does."""
    return LockTable.read().holder(paths)
