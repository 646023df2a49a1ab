"""When scheduled runs come next: `dagfs next`."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from dagfs.engine.home import Home
from dagfs.model.dag import Dag
from dagfs.model.schedule import START
from dagfs.model.value import frozen
from dagfs.scheduler.instants import delay, occurrences, zone_at, zone_named


@frozen
class Coming:
    """One start that a schedule will make."""

    start: datetime
    """When it begins: `due`, and the delay that spreads starts."""
    dag: str
    timezone: str
    actions: frozenset[str]
    due: datetime

    @property
    def local(self) -> datetime:
        return self.start.astimezone(zone_named(self.timezone))

    def as_data(self, paused: Iterable[str]) -> dict[str, Any]:
        return {
            "start": self.start.isoformat(),
            "due": self.due.isoformat(),
            "local": self.local.isoformat(),
            "timezone": self.timezone,
            "dag": self.dag,
            "actions": sorted(self.actions),
            "paused": self.dag in paused,
        }


def note(actions: Collection[str], is_paused: bool) -> str:
    """What a list of coming starts says beside one that is no plain start, or is held up."""
    what = "" if set(actions) == {START} else "+".join(sorted(actions))
    return " ".join(word for word in (what, "(paused)" if is_paused else "") if word)


def coming(home: Home, dags: Iterable[tuple[Path, Dag]], since: datetime, count: int) -> list[Coming]:
    """The next starts of these DAGs and files from an instant on, the earliest first."""
    found = [_of(home, path, dag, since) for path, dag in dags]
    merged = heapq.merge(*found, key=lambda each: (each.start, each.dag, each.due))
    return list(islice(merged, max(0, count)))


def _of(home: Home, path: Path, dag: Dag, since: datetime) -> Iterator[Coming]:
    schedule = dag.schedule
    if schedule.suspend:
        return
    key = str(path.relative_to(home.paths.dags)) if path.is_relative_to(home.paths.dags) else str(path)
    late = delay(key, schedule)
    zone = home.settings.timezone
    for moment, actions in occurrences(schedule, zone, since - late):
        yield Coming(moment + late, dag.name, zone_at(schedule, zone, moment), actions, moment)
