"""Notices that DAG files change. Only importer of watchdog.

What it says is a hint about which files to look at, and when: a rescan finds whatever it did not notice.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from dagfs.store.dags import is_dag_name

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
        self.problem = ""
        """Why files are only looked at from time to time; empty while changes are noticed."""

    def start(self) -> None:
        """Begin to watch; where that cannot be, `problem` says why."""
        observer = Observer()
        try:
            self._identity = _identity(self._folder)
            observer.schedule(_Handler(self.noticed), str(self._folder), recursive=True)
            observer.start()
        except (OSError, RuntimeError) as error:
            self.problem = f"{self._folder} cannot be watched: {getattr(error, 'strerror', None) or error}"
            with suppress(Exception):
                observer.stop()
            return
        self._observer, self.problem = observer, ""

    def stop(self) -> None:
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

    def next_settled(self) -> float | None:
        """In how many seconds the next file may have settled."""
        with self._lock:
            return max(0.0, min(self._ready.values()) - self._clock()) if self._ready else None


class _Handler(FileSystemEventHandler):
    def __init__(self, noticed: Callable[[str, str, bool], None]) -> None:
        self._noticed = noticed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write"):
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._noticed(event.event_type, os.fsdecode(path), event.is_directory)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        info = folder.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
