"""All DAG files of a home as lists show them, kept in memory: each is read again only once it has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dagfs.engine.home import Home
from dagfs.engine.location import now as clock_now
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, Problem, SpecError
from dagfs.model.dag import Dag
from dagfs.model.schedule import Schedule
from dagfs.scheduler.instants import delay, next_due
from dagfs.spec.parse import Options, parse
from dagfs.store import dags

Stamp = tuple[int, int, int]
_FRESH_SEC = 0.5
"""Requests within that time share one look."""
_SLICE_SEC = 0.04
"""So long changed files are read before a page is made of what is known."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DagFact:
    """A DAG file: what its last good version says, and what is wrong with the newest."""

    key: str
    """Its path below `dags/`."""
    path: str
    stamp: Stamp
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    steps: int = 0
    params: int = 0
    schedule: Schedule = Schedule()  # noqa: RUF009 - frozen
    queue: str = ""
    problems: tuple[Problem, ...] = ()
    """The errors of the newest version."""
    is_known: bool = False
    """Some version of it could be read."""

    @property
    def word(self) -> str:
        """What addresses and commands call the file."""
        return self.key.rpartition(".")[0]


class DagShelf:
    """The DAG files of one home. May be used from any thread."""

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._home, self._clock = home, clock
        self._facts: dict[str, DagFact] = {}
        self._next: dict[str, datetime] = {}
        self._todo: list[tuple[str, str, Stamp]] = []
        self._options: tuple[object, Options] | None = None
        self._lock = threading.RLock()
        self._fresh_until = 0.0
        self._keeper: threading.Thread | None = None
        self.version = 0
        """Another number after each change."""

    def refresh(self) -> None:
        """Look at which files changed; those that take long to read are left to the background."""
        with self._lock:
            if self._clock() < self._fresh_until:
                return
            self._scan()
            self._work(self._clock() + _SLICE_SEC)
            self._fresh_until = self._clock() + _FRESH_SEC
            if self._todo and (self._keeper is None or not self._keeper.is_alive()):
                self._keeper = threading.Thread(target=self._catch_up, name="shelf", daemon=True)
                self._keeper.start()

    def all(self) -> Sequence[DagFact]:
        """Every file that was read, by name; broken ones too."""
        with self._lock:
            return sorted(self._facts.values(), key=lambda each: (each.name.lower(), each.key))

    @property
    def unread(self) -> int:
        """How many files are there that were not read yet."""
        return len(self._todo)

    def find(self, word: str) -> DagFact | None:
        """The file that a word means: its path below `dags/`, with or without ending, or its DAG's name."""
        with self._lock:
            # Somebody waits for this one: those whose path fits are read first, then, for its name, all.
            self._todo.sort(key=lambda each: word in (each[0], each[0].rpartition(".")[0]))
            while (found := self._find(word)) is None and self._todo:
                self._work(self._clock())
            return found

    def _find(self, word: str) -> DagFact | None:
        if word in self._facts:
            return self._facts[word]
        facts = self.all()
        by_word = [each for each in facts if each.word == word]
        by_name = [each for each in facts if each.name == word]
        return next(iter(by_word or by_name), None)

    def next_start(self, fact: DagFact) -> datetime | None:
        """When the scheduler starts it next; None for never."""
        if fact.schedule.suspend or not fact.schedule.entries:
            return None
        with self._lock:
            found = self._next.get(fact.key)
            if found is None or found < clock_now():
                found = self._next[fact.key] = _next_start(fact, self._home.settings.timezone)
        return None if found is _NEVER else found

    # -- reading --------------------------------------------------------------------------------

    def _scan(self) -> None:
        options = self._reading_options()
        there: set[str] = set()
        todo = []
        unread = dags.Unread()
        for key, entry in dags.entries(self._home.paths, unread):
            there.add(key)
            try:
                info = entry.stat()
            except OSError:
                continue
            stamp = (info.st_ino, info.st_size, info.st_mtime_ns)
            known = self._facts.get(key)
            if known is None or known.stamp != stamp:
                todo.append((key, entry.path, stamp))
        for gone in self._facts.keys() - there:
            if not dags.is_unread(gone, unread):
                del self._facts[gone]
                self.version += 1
        self._todo = sorted(todo, reverse=True)
        self._options = options

    def _reading_options(self) -> tuple[object, Options]:
        """How files are read now; all are read again where base.yaml has changed."""
        try:
            info = os.stat(self._home.paths.base)
            seen: object = (info.st_ino, info.st_size, info.st_mtime_ns)
        except OSError:
            seen = None
        if self._options is not None and self._options[0] == seen:
            return self._options
        if self._options is not None:
            nothing = (0, 0, 0)
            self._facts = {key: replace(each, stamp=nothing) for key, each in self._facts.items()}
        try:
            return seen, reading_options(self._home)
        except (DagfsError, OSError):
            # Each file is then judged by itself; its own page tells what is wrong with base.yaml.
            return seen, Options(dialect=self._home.settings.dialect)

    def _work(self, until: float) -> None:
        assert self._options is not None
        """Read one file, and then more of them until then."""
        while self._todo:
            key, path, stamp = self._todo.pop()
            self._facts[key] = fact = _read(key, path, stamp, self._options[1], self._facts.get(key))
            self._next.pop(key, None)
            self.version += 1
            if fact.schedule.entries:
                self.next_start(fact)
            if self._clock() >= until:
                break

    def _catch_up(self) -> None:
        while self._todo:
            with self._lock:
                self._work(self._clock() + _SLICE_SEC / 4)
            time.sleep(0.002)


def _next_start(fact: DagFact, zone: str) -> datetime:
    late = delay(fact.key, fact.schedule)
    try:
        found = next_due(fact.schedule, zone, clock_now() - late)
    except (ValueError, OverflowError):
        return _NEVER
    return found[0] + late if found else _NEVER


def _read(key: str, path: str, stamp: Stamp, options: Options, before: DagFact | None) -> DagFact:
    """A file as it is now, or its last good version with what is wrong with the new one. Never raises."""
    try:
        reading = parse(dags.read(Path(path)), path, options=options)
    except SpecError as error:
        return _bad(key, path, stamp, error.problems, before)
    except (DagfsError, OSError) as error:
        return _bad(key, path, stamp, (Problem(path, 0, 0, str(error)),), before)
    except Exception as error:  # noqa: BLE001 - one poisonous file must never hide the others
        said = f"cannot be read: {type(error).__name__}: {error}"
        return _bad(key, path, stamp, (Problem(path, 0, 0, said),), before)
    if reading.dag is None:
        return _bad(key, path, stamp, reading.errors, before)
    return _good(key, path, stamp, reading.dag)


def _bad(key: str, path: str, stamp: Stamp, problems: Sequence[Problem], before: DagFact | None) -> DagFact:
    known = before or DagFact(key, path, stamp, Path(key).stem)
    return replace(known, stamp=stamp, problems=tuple(problems))


def _good(key: str, path: str, stamp: Stamp, dag: Dag) -> DagFact:
    return DagFact(
        key,
        path,
        stamp,
        dag.name,
        dag.description,
        dag.tags,
        len(dag.steps),
        len(dag.params),
        dag.schedule,
        dag.queue,
        is_known=True,
    )


def tags_of(facts: Sequence[DagFact]) -> Mapping[str, int]:
    """Every tag with how many DAGs have it, the most used first."""
    tally: dict[str, int] = {}
    for fact in facts:
        for tag in fact.tags:
            tally[tag] = tally.get(tag, 0) + 1
    return dict(sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])))
