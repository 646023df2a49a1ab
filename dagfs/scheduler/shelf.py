"""The DAG files of a home as the scheduler knows them: each in its last good version."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dagfs.errors import DagfsError, StoreError
from dagfs.model.dag import Dag, RetryPolicy
from dagfs.model.schedule import Retention, Schedule
from dagfs.spec.parse import Options, parse
from dagfs.store import dags
from dagfs.store.files import store_error
from dagfs.store.layout import HomePaths

Stamp = tuple[int, ...]
"""Inode, size and times of change, that of owner and mode too: tells one version of a file from the next."""
UNREAD: Stamp = (0,)
"""Of a file that could not be read: it is tried again each time."""
SETTLED_SEC = 2.0
"""A file found by chance, or at a start, that changed so recently may still be written."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One DAG file."""

    key: str
    """Its path below `dags/`: what watermarks and run ids go by."""
    path: Path
    stamp: Stamp
    name: str = ""
    schedule: Schedule = Schedule()  # noqa: RUF009 - frozen
    queue: str = ""
    priority: int = 0
    max_active_runs: int = 0
    retention: Retention = Retention()  # noqa: RUF009 - frozen
    retry_policy: RetryPolicy = RetryPolicy()  # noqa: RUF009 - frozen
    text: bytes = b""
    """The last good version; empty where there was none, or where nothing is started by itself."""
    error: str = ""
    """What is wrong with the newest version."""

    @property
    def is_known(self) -> bool:
        """Some version of it could be read."""
        return bool(self.name)

    @property
    def digest(self) -> str:
        """Tells whether what the watermark stands for is still this schedule."""
        schedule = self.schedule
        said = repr((schedule.entries, schedule.timezone, schedule.start_date, schedule.end_date))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


class Shelf:
    """All DAG files of one home."""

    def __init__(
        self,
        home: HomePaths,
        options: Options,
        clock: Callable[[], float] = time.time,
        settle_sec: float = SETTLED_SEC,
    ) -> None:
        """With no `settle_sec` files are taken as they are: for one look alone."""
        self._home, self._options, self._clock, self._settle_sec = home, options, clock, settle_sec
        self.dags: dict[str, Shelved] = {}
        self._unsettled: dict[str, Stamp] = {}
        self._stale: set[str] = set()
        self.is_unfinished = False
        """The last look at all files was broken off."""
        self.unread: Mapping[str, str] = {}
        """What could not be looked at then, below the home, and why; what was known of it stays."""

    def rescan(
        self,
        settled: Iterable[Path] = (),
        enough: Callable[[], bool] = lambda: False,
        being_written: Collection[str] = (),
    ) -> set[str]:
        """Look at every file; the keys of those that came, changed or went.

        A file that changed a moment ago is left for later, unless it is among `settled`; so are those of
        which it is known that they are being written. Once `enough` says so the rest is left as well, and
        `is_unfinished`.
        """
        known_settled, unread = {str(path) for path in settled}, dags.Unread()
        self.is_unfinished = False
        there: set[str] = set()
        changed: set[str] = set()
        for key, entry in dags.entries(self._home, unread):
            there.add(key)
            if entry.path in being_written:
                continue
            if self._look(key, entry, entry.path in known_settled, unread):
                changed.add(key)
                if enough():
                    self.is_unfinished = True
                    return changed
        for key in self._unsettled.keys() - there:
            del self._unsettled[key]
        for key in self.dags.keys() - there:
            if not dags.is_unread(key, unread):
                del self.dags[key]
                changed.add(key)
        self.unread = {f"dags/{key}": error.message for key, error in unread.items()}
        return changed

    def renew(self, options: Options) -> None:
        """From now on read files so, and with the next `rescan` all of them again."""
        self._options = options
        self._stale = set(self.dags)

    def look(self, paths: Iterable[Path]) -> set[str]:
        """Look at some files that have settled; the keys of those that came, changed or went."""
        changed: set[str] = set()
        for path in paths:
            key = str(path).removeprefix(f"{self._home.dags}/")
            if key.startswith("/") or not dags.is_dag_name(path.name):
                continue
            # One that may not be looked at is for the next `rescan`.
            with suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    if self._look(key, path, settled=True, unread={}):
                        changed.add(key)
                else:
                    self._unsettled.pop(key, None)
                    if self.dags.pop(key, None):
                        changed.add(key)
        return changed

    @property
    def has_unsettled(self) -> bool:
        """A file is being written, as far as can be seen."""
        return bool(self._unsettled)

    def _look(
        self, key: str, file: Path | os.DirEntry[str], settled: bool, unread: dict[str, StoreError]
    ) -> bool:
        try:
            info = file.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            unread[key] = store_error("look at", Path(file), error)
            return False
        stamp = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        before = self.dags.get(key)
        if before is not None and before.stamp == stamp and key not in self._stale:
            self._unsettled.pop(key, None)
            return False
        young = abs(self._clock() - info.st_mtime) < self._settle_sec
        if young and not settled:
            self._unsettled[key] = stamp
            return False
        self._unsettled.pop(key, None)
        self._stale.discard(key)
        found = self.dags[key] = read_file(key, Path(file), stamp, self._options, before)
        return found.stamp != UNREAD or found != before

    @property
    def errors(self) -> Mapping[str, str]:
        return {**self.unread, **{key: each.error for key, each in self.dags.items() if each.error}}


def read_file(key: str, path: Path, stamp: Stamp, options: Options, before: Shelved | None) -> Shelved:
    """A file as it is now, or its last good version with what is wrong with the new one. Never raises."""
    try:
        data = dags.read(path)
        reading = parse(data, str(path), options=options)
    except StoreError as error:
        return _bad(key, path, UNREAD, before, error.message)
    except (DagfsError, OSError) as error:
        return _bad(key, path, stamp, before, str(error))
    except Exception as error:  # noqa: BLE001 - one poisonous file must never stop the others
        return _bad(key, path, stamp, before, f"{path}: cannot be read: {type(error).__name__}: {error}")
    if reading.dag is None:
        return _bad(key, path, stamp, before, str(reading.errors[0]))
    return shelved(key, path, stamp, reading.dag, data)


def _bad(key: str, path: Path, stamp: Stamp, before: Shelved | None, error: str) -> Shelved:
    return replace(before or Shelved(key, path, stamp), stamp=stamp, error=error.splitlines()[0])


def shelved(key: str, path: Path, stamp: Stamp, dag: Dag, data: bytes) -> Shelved:
    """What the scheduler keeps of a DAG; the text only where it may be started by itself."""
    return Shelved(
        key,
        path,
        stamp,
        dag.name,
        dag.schedule,
        dag.queue,
        dag.priority,
        dag.max_active_runs,
        dag.retention,
        dag.retry_policy,
        b"" if dag.schedule.is_empty else data,
    )
