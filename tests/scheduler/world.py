"""A small world for schedulers: a clock that can be set, runs that are only names, deaths at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError
from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.admission import Limits
from dagfs.scheduler.census import Counted
from dagfs.scheduler.job import Job, Started
from dagfs.scheduler.loop import Scheduler
from dagfs.scheduler.shelf import Shelved
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger, Watermark
from dagfs.store.waiting import Queue


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(*expressions: str, **more: Any) -> Schedule:
    """A schedule of starts."""
    return Schedule(tuple(Timetable(expression=each) for each in expressions), **more)


def dag(name: str, schedule: Schedule, **more: Any) -> Shelved:
    key = f"{name}.yaml"
    return Shelved(key, Path("/home/dags", key), (1, 1, 1), name, schedule, text=b"steps: [x]", **more)


class Died(Exception):
    """kill -9 of the scheduler."""


class Memory(Ledger):
    """A ledger whose watermarks are kept by the world, and that may die around each write."""

    def __init__(self, world: World) -> None:
        super().__init__(Disk(), world.home.scheduler, lambda: world.now)
        self._world = world

    def watermark(self, key: str) -> Watermark | None:
        return self._world.watermarks.get(key)

    def set_watermark(self, key: str, watermark: Watermark) -> None:
        self._world.danger()
        self._world.watermarks[key] = watermark
        self._world.danger()

    def note(self, event: str, **data: Any) -> None:
        with suppress(DagfsError):
            self._world.danger()
        self._world.notes.append({"event": event, **data})

    def paused(self) -> dict[str, dict[str, Any]]:
        return {name: {} for name in self._world.paused}


class World:
    """A store of runs, shared by all schedulers in it."""

    def __init__(self, folder: Path, start: str = "2026-01-01") -> None:
        self.home = HomePaths(folder)
        folder.joinpath("runs").mkdir()
        self.now = utc(start)
        self.runs: dict[str, Counted] = {}
        self._last: dict[str, str] = {}
        self.watermarks: dict[str, Watermark] = {}
        self.notes: list[dict[str, Any]] = []
        self.paused: set[str] = set()
        self.stopped: list[str] = []
        self.refused = 0
        self.lasting = False
        """Runs go on until `end` is called."""
        self.failing: dict[str, int] = {}
        """Codes that starts of a DAG end with, in place of a run."""
        self.danger = lambda: None
        Ledger(Disk(), self.home.scheduler, lambda: self.now).prepare()
        self.queue = Queue(Disk(), self.home.scheduler)

    def scheduler(self, *dags: Shelved, zone: str = "UTC", limits: Limits | None = None) -> Scheduler:
        """A new scheduler that knows these DAGs."""
        found = Scheduler(
            Memory(self), self.queue, self, Engines(self), now=lambda: self.now, zone=zone, limits=limits
        )
        found.update({each.key: each for each in dags}, [each.key for each in dags])
        return found

    def advance(self, scheduler: Scheduler, until: str, minutes: int = 1) -> None:
        """Let time pass, with a turn every so many minutes and one more to hear of the starts."""
        end = utc(until)
        while self.now < end:
            self.now = min(end, self.now + timedelta(minutes=minutes))
            scheduler.turn()
            scheduler.turn()

    def begin(self, job: Job) -> int:
        """What an engine does: the run exists at one instant, or was there before."""
        if job.dag in self.failing:
            return self.failing[job.dag]
        if job.run in self.runs:
            self.refused += 1
            return 5
        state = "running" if self.lasting else "succeeded"
        self.runs[job.run] = Counted(
            job.run, job.dag, state, self.now.isoformat(), trigger=job.trigger, queue=job.queue
        )
        self._last[job.dag] = job.run
        return 0

    def end(self, run_id: str, state: str = "succeeded") -> None:
        run = self.runs[run_id]
        self.runs[run_id] = replace(run, state=state, finished=self.now.isoformat())

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.notes if each["event"] == name]

    # -- what a census answers ----------------------------------------------------------------

    def refresh(self) -> None:
        pass

    def exists(self, run_id: str) -> bool:
        return run_id in self.runs

    @property
    def active(self) -> Mapping[str, Counted]:
        # Of thousands of short runs none goes on.
        return {run.id: run for run in self.runs.values() if run.goes_on} if self.lasting else {}

    def active_of(self, dag: str) -> list[str]:
        return [run.id for run in self.active.values() if run.dag == dag]

    def last(self, dag: str) -> Counted | None:
        return self.runs.get(self._last.get(dag, ""))

    def look_again(self, run_id: str) -> Counted | None:
        return self.runs.get(run_id)


class Engines:
    """Starts runs at once; what came of it is heard with the next turn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ended: list[Started] = []

    def start(self, job: Job) -> None:
        self._world.danger()
        self._ended.append(Started(job, self._world.begin(job)))
        self._world.danger()

    def stop(self, runs: Iterable[str]) -> None:
        for run in runs:
            self._world.stopped.append(run)

    def ended(self) -> list[Started]:
        found, self._ended = self._ended, []
        return found
