"""How many runs may go on at once: in all, of a DAG, and in a queue. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dagfs.store.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Limits:
    """What dagfs.yaml allows. 0 means no limit."""

    runs: int = 0
    queues: Mapping[str, int] = field(default_factory=dict)
    """Runs of a queue at once; a queue that is not named here has one."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a run takes up."""

    dag: str
    queue: str = ""


class Room:
    """What there is room for, given what goes on. Each run that is let in takes its place."""

    def __init__(self, limits: Limits, active: Iterable[Place]) -> None:
        self._limits = limits
        places = list(active)
        self._all = len(places)
        self._dags = Counter(place.dag for place in places)
        self._queues = Counter(place.queue for place in places if place.queue)

    def lacks(self, place: Place, limit: int) -> str:
        """Why a run has to wait, or "" where there is room. `limit` is that of its DAG, 0 for none."""
        limits = self._limits
        if limits.runs and self._all >= limits.runs:
            return f"{self._all} runs go on, and scheduler.max_active_runs is {limits.runs}"
        if limit and self._dags[place.dag] >= limit:
            return f"{self._dags[place.dag]} runs of {place.dag} go on, and {limit} may"
        most = limits.queues.get(place.queue, 1)
        if place.queue and most and self._queues[place.queue] >= most:
            return f"{self._queues[place.queue]} runs of the queue {place.queue} go on, and {most} may"
        return ""

    def take(self, place: Place) -> None:
        """Count a run that was let in."""
        self._all += 1
        self._dags[place.dag] += 1
        if place.queue:
            self._queues[place.queue] += 1


def place_of(entry: Waiting) -> Place:
    """What a waiting run will take up."""
    return Place(entry.dag, entry.queue)


def limit_of(entry: Waiting) -> int:
    """How many runs of its DAG may go on beside it: what waits in the DAG's own queue goes one by one."""
    return entry.limit or (0 if entry.queue else 1)
