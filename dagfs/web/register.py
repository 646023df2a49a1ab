"""All runs of a home as lists show them, kept in memory: a page does not read ten thousand status files.

A run that is over changes only when somebody goes on with it. So each look asks the system about the runs
that may have changed: those at work, the newest, those whose lock is held, and those that a page shows; the
rest are gone through in the background while somebody looks.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from dagfs.store.files import store_error
from dagfs.store.owner import LockTable
from dagfs.store.runs import RunStore
from dagfs.web.views.runs import RunFact, fact_of

Stamp = tuple[int, int, int]
_GONE: Stamp = (0, 0, 0)
_NEWEST = 100
"""So many of the newest runs are looked at each time."""
_FRESH_SEC = 0.25
"""Requests within that time share one look."""
_SLICE_SEC = 0.04
"""So long new runs are read before a page is made of what is known."""
_PASS_SEC = 10.0
"""Between two looks at all runs, while somebody is looking."""
_PIECE = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    fact: RunFact
    stamp: Stamp
    lock: int
    """The inode of its lock."""


class Register:
    """The runs of one store. May be used from any thread."""

    def __init__(self, store: RunStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._runs = str(store.home.runs)
        self._entries: dict[str, _Entry] = {}
        self._missing: list[str] = []
        self._listed: tuple[int, int] = (0, 0)
        self._lock = threading.RLock()
        self._fresh_until = self._next_pass = 0.0
        self._keeper: threading.Thread | None = None
        self._sorted: tuple[int, tuple[RunFact, ...], dict[str, list[RunFact]]] = (-1, (), {})
        self.waiting = 0
        """How many runs wait for somebody's word, as far as they were looked at."""
        self.version = 0
        """Another number after each change."""

    # -- what there is --------------------------------------------------------------------------

    def all(self) -> Sequence[RunFact]:
        """Every run that is known, newest first."""
        return self._order()[0]

    def by_dag(self) -> Mapping[str, Sequence[RunFact]]:
        """The same by the names of their DAGs."""
        return self._order()[1]

    def get(self, run: str) -> RunFact | None:
        found = self._entries.get(run)
        return found.fact if found else None

    @property
    def unread(self) -> int:
        """How many runs are there that were not read yet."""
        return len(self._missing)

    def _order(self) -> tuple[Sequence[RunFact], Mapping[str, Sequence[RunFact]]]:
        with self._lock:
            if self._sorted[0] != self.version:
                facts = [entry.fact for entry in self._entries.values()]
                facts.sort(key=lambda each: (each.created, each.run), reverse=True)
                by_dag: dict[str, list[RunFact]] = {}
                for fact in facts:
                    by_dag.setdefault(fact.dag, []).append(fact)
                self._sorted = self.version, tuple(facts), by_dag
                self.waiting = sum(1 for each in facts if each.waits and not each.is_over)
            return self._sorted[1:]

    # -- looking --------------------------------------------------------------------------------

    def refresh(self, shown: Iterable[str] = ()) -> None:
        """Look at what may have changed, `shown` among it; what takes long is left to the background."""
        with self._lock:
            now = self._clock()
            if now >= self._fresh_until:
                self._list()
                newest = sorted(self._entries, reverse=True)[:_NEWEST]
                locks = LockTable.read()
                self._look({*newest, *self._open(), *self._held(locks), *shown}, locks)
                self._read_missing(self._clock() + _SLICE_SEC)
                self._fresh_until = self._clock() + _FRESH_SEC
            elif any(shown):
                self._look(set(shown), LockTable.read())
            if self._missing or now >= self._next_pass:
                self._keep()

    def _list(self) -> None:
        """Which runs came and went; asked again only where their folder has changed."""
        try:
            info = os.stat(self._runs)
        except OSError:
            self._take(())
            return
        # What changes within the clock's own grain changes nothing that can be seen.
        seen = (info.st_mtime_ns, info.st_ino)
        settled = time.time_ns() - info.st_mtime_ns > 100_000_000
        if seen != self._listed:
            try:
                self._take(self._store.names())
            except OSError as error:
                raise store_error("read", self._runs, error) from None
        self._listed = seen if settled else (0, 0)

    def _take(self, names: Collection[str]) -> None:
        there = set(names)
        for gone in self._entries.keys() - there:
            del self._entries[gone]
            self.version += 1
        missing = there - self._entries.keys()
        # Newest first, as far as names tell: those are what people look for.
        if missing != set(self._missing):
            self._missing = sorted(missing)

    def _open(self) -> list[str]:
        return [run for run, entry in self._entries.items() if not entry.fact.is_over]

    def _held(self, locks: LockTable) -> list[str]:
        held = locks.pids.keys()
        return [run for run, entry in self._entries.items() if entry.lock in held] if held else []

    def _look(self, runs: Collection[str], locks: LockTable) -> None:
        """Read again those of the runs that have changed."""
        changed = [run for run in runs if run in self._entries and self._has_changed(run, locks)]
        self._read(changed)

    def _has_changed(self, run: str, locks: LockTable) -> bool:
        entry = self._entries[run]
        if self._stamp(run) != entry.stamp:
            return True
        at_work = entry.fact.state == "running"
        return at_work and (not locks.known or entry.lock not in locks.pids)

    def _read_missing(self, until: float) -> None:
        while self._missing and self._clock() < until:
            piece = self._missing[-20:]
            del self._missing[-20:]
            self._read(piece)

    def _read(self, runs: Sequence[str]) -> None:
        """Take in how some runs stand now."""
        if not runs:
            return
        # Before they are read: what changes meanwhile is then read once more.
        stamps = {run: (self._stamp(run), self._inode(run)) for run in runs}
        found = {str(each["run"]): each for each in self._store.summaries_of(runs)}
        for run in runs:
            before = self._entries.pop(run, None)
            if run in found:
                fact = fact_of(found[run], self._made(run))
                self._entries[run] = _Entry(fact, *stamps[run])
            after = self._entries.get(run)
            if (before and before.fact) != (after and after.fact):
                self.version += 1

    def _stamp(self, run: str) -> Stamp:
        """What tells one version of a run's status from the next."""
        try:
            info = os.stat(f"{self._runs}/{run}/status.json")
        except OSError:
            return _GONE
        return info.st_mtime_ns, info.st_ino, info.st_size

    def _inode(self, run: str) -> int:
        try:
            return os.lstat(f"{self._runs}/{run}/.lock").st_ino
        except OSError:
            return 0

    def _made(self, run: str) -> float:
        with suppress(OSError):
            return os.stat(self._store.home.run_json(run)).st_mtime
        return 0.0

    # -- in the background ----------------------------------------------------------------------

    def _keep(self) -> None:
        if self._keeper is None or not self._keeper.is_alive():
            self._keeper = threading.Thread(target=self._catch_up, name="register", daemon=True)
            self._keeper.start()

    def _catch_up(self) -> None:
        """Read what is missing, then look once at every run, a piece at a time."""
        while self._missing:
            with self._lock:
                self._read_missing(self._clock() + _SLICE_SEC / 4)
            time.sleep(0.002)
        runs = iter(list(self._entries))
        while piece := list(islice(runs, _PIECE)):
            stamps = {run: self._stamp(run) for run in piece}
            with self._lock:
                known = self._entries
                self._read([run for run in piece if run in known and known[run].stamp != stamps[run]])
        self._next_pass = self._clock() + _PASS_SEC
