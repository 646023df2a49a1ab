"""Files that start runs: `watch:` of a DAG. A file counts once it has stood still for two looks.

A look lasts `BUDGET_SEC` at most and goes on where the last one stopped; each DAG has a pass of its own,
and they take turns. So neither the clock nor another DAG's files wait for a tree of any size.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dagfs.scheduler.identity import file_id
from dagfs.scheduler.job import Job
from dagfs.scheduler.shelf import Shelved
from dagfs.scheduler.walk import Walk
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger

STILL_SEC = 1.0
"""A file that was changed more recently may still be written."""
BUDGET_SEC = 0.05
"""So long a look may last."""
_TURN_SEC = 0.005
"""So long one DAG's files are looked at before another's get their turn."""
_REST = 9
"""So many times as long as a look took it rests: it has a tenth of one processor at most."""
SLOW_SEC = 30.0
"""A pass that takes longer is worth telling: a run begins after two."""
TRIGGER = "watch"
PARAM = "file"
"""The parameter that gets the file's path."""


@dataclass(slots=True)
class _Pass:
    """One way through all files of a DAG."""

    walk: Walk
    steps: Iterator[str | None]
    moment: float
    """When it began, by the clock of files."""
    began: float
    there: dict[str, str] = field(default_factory=dict)
    """Path to stamp of what was met so far."""


@dataclass(slots=True)
class _Watch:
    """What is known of the files of one DAG."""

    patterns: tuple[str, ...]
    had: dict[str, str] | None
    """Path to stamp of files that started a run; None until it has seen what lies there."""
    seen: dict[str, str] = field(default_factory=dict)
    """Path to stamp, as the last pass had it."""
    current: _Pass | None = None
    settled: deque[str] = field(default_factory=deque)
    """Paths that are to start a run, as the last pass had it."""
    is_unsaved: bool = False
    is_told: bool = False
    """It was said that a pass takes long."""


class Inbox:
    """Looks for files that DAGs wait for. They are patterns below the home, or absolute.

    What lies with the runs starts none: each run would start the next one by its own logs.
    """

    def __init__(
        self,
        home: HomePaths,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is that of files; by `pace` it knows how long a look takes."""
        self._root, self._runs = home.root, os.path.realpath(home.runs)
        self._ledger, self._clock, self._pace = ledger, clock, pace
        self._watches: dict[str, _Watch] = {}
        self._left: list[str] = []
        self.is_behind = False
        """There is more to look at than the last look had time for."""
        self.rest_sec = 0.0
        """How long to leave it alone after the last look."""

    def new_files(self, dags: Sequence[Shelved]) -> Iterator[tuple[Shelved, Job]]:
        """A job for each file that has come and settled; it comes again until `had` is called for it.

        Call it with all DAGs that watch: of any other it forgets how far it came.
        """
        began = self._pace()
        until, left = began + BUDGET_SEC, deque(self._in_turn(dags))
        try:
            while left:
                dag = left.popleft()
                is_over = self._go_on(dag, min(self._pace() + _TURN_SEC, until))
                yield from self._jobs(dag, until)
                if not is_over or self._watches[dag.key].settled:
                    left.append(dag)
                if self._pace() >= until:
                    break
        finally:
            self._left = [dag.key for dag in left]
            self.is_behind, self.rest_sec = bool(left), _REST * (self._pace() - began)

    def had(self, dag: Shelved, job: Job) -> None:
        """Its run is on its way: the file starts no other unless it changes."""
        path = dict(job.params)[PARAM]
        watch = self._watches[dag.key]
        if watch.had is not None:
            watch.had[path] = watch.seen[path]
            watch.is_unsaved = True

    def _in_turn(self, dags: Sequence[Shelved]) -> list[Shelved]:
        """Those first that had to wait the last time."""
        by_key = {dag.key: dag for dag in dags}
        for key, watch in self._watches.items():
            if key not in by_key:
                watch.current = None
                watch.settled.clear()
        first = [key for key in self._left if key in by_key]
        return [by_key[key] for key in dict.fromkeys([*first, *by_key])]

    # -- one pass -----------------------------------------------------------------------------

    def _go_on(self, dag: Shelved, until: float) -> bool:
        """Look at more of its files; whether that was all of them."""
        watch = self._watch(dag)
        if watch.settled:
            return True
        now = watch.current = watch.current or self._begin(watch)
        for path in now.steps:
            if path is not None:
                self._note(path, now, is_first=watch.had is None)
            if self._pace() >= until:
                self._tell_if_slow(dag, watch, now)
                return False
        watch.current = None
        self._compare(dag, watch, now.there, tuple(now.walk.unread))
        return True

    def _watch(self, dag: Shelved) -> _Watch:
        watch, patterns = self._watches.get(dag.key), dag.schedule.watch
        if watch is None:
            watch = self._watches[dag.key] = _Watch(patterns, self._ledger.files_seen(dag.key))
        elif watch.patterns != patterns:
            self._watches[dag.key] = watch = _Watch(patterns, watch.had, watch.seen)
        return watch

    def _begin(self, watch: _Watch) -> _Pass:
        walk = Walk(self._root, watch.patterns, self._runs)
        return _Pass(walk, walk.steps(), self._clock(), self._pace())

    def _note(self, path: str, now: _Pass, *, is_first: bool) -> None:
        try:
            info = os.stat(path)
        except OSError:
            return
        # What comes while the first pass goes on did not lie there when it began.
        is_later = is_first and now.moment < info.st_ctime <= self._clock()
        if stat.S_ISREG(info.st_mode) and not is_later:
            now.there[path] = f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}"

    def _tell_if_slow(self, dag: Shelved, watch: _Watch, now: _Pass) -> None:
        if not watch.is_told and self._pace() - now.began > SLOW_SEC:
            watch.is_told = True
            self._ledger.note(
                "slow_watch", dag=dag.name, folders=now.walk.folders, watch=", ".join(watch.patterns)
            )

    def _compare(self, dag: Shelved, watch: _Watch, there: dict[str, str], unread: tuple[str, ...]) -> None:
        """What the files of a whole pass say beside those of the pass before.

        What lies in a folder that could not be read is not gone, and will not be new.
        """
        if watch.had is None:
            # It begins to watch: what lies there already is not new.
            watch.had, watch.is_unsaved = dict(there), True
        had, seen = watch.had, watch.seen
        for path in [each for each in had.keys() - there.keys() if not each.startswith(unread)]:
            del had[path]
            watch.is_unsaved = True
        fresh = (path for path, stamp in there.items() if had.get(path) != stamp and seen.get(path) == stamp)
        watch.settled, watch.seen = deque(sorted(fresh)), there
        self._save(dag, watch)

    # -- what settled -------------------------------------------------------------------------

    def _jobs(self, dag: Shelved, until: float) -> Iterator[tuple[Shelved, Job]]:
        watch = self._watches[dag.key]
        while watch.settled and self._pace() < until:
            path = watch.settled[0]
            if self._is_still(path):
                yield dag, self._job(dag, path, watch.seen[path])
            watch.settled.popleft()
        self._save(dag, watch)

    def _save(self, dag: Shelved, watch: _Watch) -> None:
        """Once for many: until then the ids of the runs keep a file from starting a second one."""
        if watch.is_unsaved and watch.had is not None:
            self._ledger.set_files_seen(dag.key, watch.had)
            watch.is_unsaved = False

    def _is_still(self, path: str) -> bool:
        try:
            return abs(self._clock() - os.stat(path).st_mtime) >= STILL_SEC
        except OSError:
            return False

    def _job(self, dag: Shelved, path: str, stamp: str) -> Job:
        return Job(
            file_id(dag.name, dag.key, path, stamp),
            dag.name,
            str(dag.path),
            dag.text,
            trigger=TRIGGER,
            params=((PARAM, path),),
            queue=dag.queue,
            priority=dag.priority,
            limit=dag.max_active_runs,
            reason=f"file {os.path.relpath(path, self._root)}",
        )
