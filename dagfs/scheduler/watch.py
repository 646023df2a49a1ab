"""Notices that DAG files change. Only importer of watchdog.

What it says is a hint about which files to look at, and when: a rescan finds whatever it did not notice.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from dagfs.store.dags import is_dag_name

_LOG = logging.getLogger("watchdog")
_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")
_REMOTE = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "ceph",
        "afs",
        "lustre",
        "gfs2",
        "ocfs2",
        "vboxsf",
        "virtiofs",
    )
)
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]
"""What the system is asked for. Without it each look at a file would be an event as well."""
QUIET_SEC = 0.2
"""How long nothing may happen to a file after it was closed or moved here."""
_CREATED_SEC = 0.5
_BEING_WRITTEN_SEC = 30.0
"""A file that was written to and not closed is looked at after this long, in case the closing was missed."""
_KINDS = {"closed": QUIET_SEC, "moved": QUIET_SEC, "deleted": QUIET_SEC, "created": _CREATED_SEC}


class Watcher:
    """Watches one folder with all below it, in threads of its own."""

    def __init__(
        self, folder: Path, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`wake` is called from another thread whenever something happened."""
        self._folder, self._wake, self._clock = folder, wake, clock
        self._lock = threading.Lock()
        self._ready: dict[Path, float] = {}
        self._folders_changed = False
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None
        self._complaints = _Complaints(self.missed)
        self.problem = ""
        """Why files are to be looked at often as well; empty while changes are noticed."""

    def start(self) -> None:
        """Begin to watch; where that cannot be, `problem` says why."""
        observer = Observer()
        _LOG.addHandler(self._complaints)
        try:
            self._identity = _identity(self._folder)
            observer.schedule(_Handler(self.noticed), str(self._folder), recursive=True, event_filter=_EVENTS)
            observer.start()
        except (OSError, RuntimeError) as error:
            self.problem = f"{self._folder} cannot be watched: {getattr(error, 'strerror', None) or error}"
            with suppress(Exception):
                observer.stop()
            return
        self._observer, self.problem = observer, ""
        kind = remote_kind(self._folder)
        if kind:
            self.problem = f"{self._folder} is on {kind}, which does not tell what other machines change"

    def stop(self) -> None:
        _LOG.removeHandler(self._complaints)
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=1)
            self._observer = None

    def check(self) -> bool:
        """Watch anew where the folder is another one by now, or could not be watched; whether it was so."""
        alive = self._observer is not None and self._observer.is_alive()
        if alive and _identity(self._folder) == self._identity:
            return False
        self.stop()
        self.start()
        return True

    def missed(self) -> None:
        """Something happened, and it is not known to what: too much at once for the system's queue."""
        with self._lock:
            self._folders_changed = True
        self._wake()

    def noticed(self, kind: str, path: str, is_folder: bool) -> None:
        """Something happened to a path."""
        with self._lock:
            if is_folder:
                # Whole folders come and go at once; only a rescan knows what was in them.
                self._folders_changed = self._folders_changed or kind in ("created", "deleted", "moved")
                changed = self._folders_changed
            else:
                changed = is_dag_name(os.path.basename(path))
                if changed:
                    self._ready[Path(path)] = self._clock() + _KINDS.get(kind, _BEING_WRITTEN_SEC)
        if changed:
            self._wake()

    def settled(self) -> tuple[list[Path], bool]:
        """Files that nobody seems to write any more, and whether whole folders came or went."""
        with self._lock:
            now = self._clock()
            found = [path for path, ready in self._ready.items() if ready <= now]
            for path in found:
                del self._ready[path]
            folders, self._folders_changed = self._folders_changed, False
        return found, folders

    def being_written(self) -> set[str]:
        """Files to which something happened, and that have not settled yet."""
        with self._lock:
            return {str(path) for path in self._ready}

    def next_settled(self) -> float | None:
        """In how many seconds the next file may have settled."""
        with self._lock:
            return max(0.0, min(self._ready.values()) - self._clock()) if self._ready else None


class _Complaints(logging.Handler):
    """Hears of what watchdog has no event for, such as an overflow: it says so in its log alone."""

    def __init__(self, missed: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._missed = missed

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - its text is watchdog's own affair
        self._missed()


class _Handler(FileSystemEventHandler):
    def __init__(self, noticed: Callable[[str, str, bool], None]) -> None:
        self._noticed = noticed

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._noticed(event.event_type, os.fsdecode(path), event.is_directory)


def remote_kind(folder: Path, table: str | None = None) -> str:
    """The kind of file system a folder is on where other machines may write to it, else "".

    `table` is what /proc/self/mountinfo says.
    """
    try:
        text = Path(_MOUNTS).read_text(errors="surrogateescape") if table is None else table
    except OSError:
        return ""
    here, found = os.path.realpath(folder), ("", "")
    for line in text.splitlines():
        words = line.split(" ")
        if "-" not in words or len(words) < words.index("-") + 2:
            continue
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), words[4])
        inside = here == point or here.startswith(point.rstrip("/") + "/")
        # The last one of a place lies on top of those before.
        if inside and len(point) >= len(found[0]):
            found = point, words[words.index("-") + 1]
    kind = found[1]
    return kind if kind in _REMOTE or kind.startswith("fuse.") else ""


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        info = folder.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
