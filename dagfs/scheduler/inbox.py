"""Files that start runs: `watch:` of a DAG. A file counts once it has stood still for two looks."""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dagfs.scheduler.identity import file_id
from dagfs.scheduler.job import Job
from dagfs.scheduler.shelf import Shelved
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger

STILL_SEC = 1.0
"""A file that was changed more recently may still be written."""
TRIGGER = "watch"
PARAM = "file"
"""The parameter that gets the file's path."""


@dataclass(slots=True)
class _Memory:
    had: dict[str, str]
    """Path to stamp of files that started a run."""
    seen: dict[str, str] = field(default_factory=dict)
    """Path to stamp at the last look."""


class Inbox:
    """Looks for files that DAGs wait for. They are patterns below the home, or absolute.

    What lies with the runs starts none: each run would start the next one by its own logs.
    """

    def __init__(self, home: HomePaths, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._root, self._runs = home.root, os.path.join(os.path.realpath(home.runs), "")
        self._ledger, self._clock = ledger, clock
        self._memories: dict[str, _Memory] = {}

    def new_files(self, dag: Shelved) -> Iterator[Job]:
        """A job for each file that has come and settled; it comes again until `had` is called for it."""
        there = dict(self._files(dag))
        memory = self._memories.get(dag.key)
        if memory is None:
            memory = self._memories[dag.key] = self._remember(dag, there)
        gone = memory.had.keys() - there.keys()
        for path in gone:
            del memory.had[path]
        if gone:
            self._ledger.set_files_seen(dag.key, memory.had)
        for path, stamp in sorted(there.items()):
            if memory.had.get(path) != stamp and memory.seen.get(path) == stamp and self._is_still(path):
                yield self._job(dag, path, stamp)
        memory.seen = there

    def _remember(self, dag: Shelved, there: dict[str, str]) -> _Memory:
        known = self._ledger.files_seen(dag.key)
        if known is None:
            # It begins to watch: what lies there already is not new.
            known = dict(there)
            self._ledger.set_files_seen(dag.key, known)
        return _Memory(known)

    def had(self, dag: Shelved, job: Job) -> None:
        """Its run is on its way: the file starts no other unless it changes."""
        path = dict(job.params)[PARAM]
        memory = self._memories[dag.key]
        memory.had[path] = memory.seen[path]
        self._ledger.set_files_seen(dag.key, memory.had)

    def _files(self, dag: Shelved) -> Iterator[tuple[str, str]]:
        for pattern in dag.schedule.watch:
            for found in glob.iglob(pattern, root_dir=self._root, recursive=True):
                path = os.path.join(self._root, found)
                try:
                    info = os.stat(path)
                except OSError:
                    continue
                if stat.S_ISREG(info.st_mode) and not os.path.realpath(path).startswith(self._runs):
                    yield path, f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}"

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
