"""Looking at a run again and again without reading it again and again.

A stamp says how records lie on disk: what was read under the same stamp is still true.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from dagfs.engine.view import View, view_run
from dagfs.model.dag import Dag
from dagfs.store.history import read_attempt_header, read_journal
from dagfs.store.layout import RunPaths
from dagfs.store.owner import holder
from dagfs.store.runs import RunStore
from dagfs.web.views.course import Course, course

_MOST_KEPT = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """A run as it was found, with the stamp it was found under."""

    stamp: str
    view: View
    is_alive: bool
    """An engine is at work on it."""


class _Memory:
    """The last few things that were read, each under a stamp. For many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, stamp: str, read: Callable[[], T]) -> T:
        with self._lock:
            known = self._kept.get(key)
        if known is not None and known[0] == stamp:
            found: T = known[1]
            return found
        found = read()
        with self._lock:
            self._kept[key] = stamp, found
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found


class Looks:
    """The runs of one store that were looked at last."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._views, self._dags, self._courses = _Memory(_MOST_KEPT), _Memory(_MOST_KEPT), _Memory(24)

    def at(self, run: str) -> Look:
        """The run as it stands now. NotFound, Damaged, NewerFormat."""
        paths = self._store.paths(run)
        alive = holder(paths) is not None
        stamp = _stamp(paths, alive=alive)
        view = self._views.get(run, stamp, lambda: view_run(self._store, run))
        if view.orphans or view.below or view.handlers:
            # What goes on without an engine ends without a trace in the run's own records.
            return Look(f"{stamp}-{time.time_ns()}", view_run(self._store, run), alive)
        return Look(stamp, view, alive)

    def dag(self, run: str, n: int) -> Dag:
        """The DAG of an attempt. NotFound, Damaged."""
        stamp = _of_file(self._store.paths(run).attempt(n).resolved)
        return self._dags.get((run, n), stamp, lambda: self._store.dag(run, n))

    def course(self, run: str, n: int) -> Course:
        """What happened in an attempt, and when. Damaged."""
        paths = self._store.paths(run)

        def read() -> Course:
            return course(n, read_journal(paths, read_attempt_header(paths, n)).events)

        return self._courses.get((run, n), _of_file(paths.attempt(n).journal), read)


def _stamp(paths: RunPaths, *, alive: bool) -> str:
    numbers = paths.attempt_numbers()
    last = paths.attempt(numbers[-1] if numbers else 0)
    files = (last.journal, last.outputs, paths.next_spec, paths.run_json)
    parts = [str(numbers[-1:]), str(alive), *map(_of_file, files)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]


def _of_file(path: os.PathLike[str]) -> str:
    """How a file lies there; empty where it does not."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{found.st_ino}.{found.st_size}.{found.st_mtime_ns}"


_making = threading.Lock()


def looks_of(request: Request) -> Looks:
    """What the server that a request is for remembers of runs."""
    state = request.app.state
    with _making:
        if not hasattr(state, "looks"):
            state.looks = Looks(state.site.home.store)
        found = state.looks
    assert isinstance(found, Looks)
    return found
