"""What waits in queues, by queue. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dagfs.store.waiting import Waiting
from dagfs.web.views.pauses import Pause
from dagfs.web.views.runs import RunFact


@dataclass(frozen=True, slots=True)
class Aside:
    """A run that could not be started."""

    id: str
    why: str
    entry: Waiting | None


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue."""

    name: str
    entries: tuple[Waiting, ...]
    held: Pause | None
    """Who holds it, since when."""
    limit: int
    """The most runs of it at once; 0 where it is not limited by dagfs.yaml."""


def lanes(entries: Iterable[Waiting], paused: Mapping[str, Pause], limits: Mapping[str, int]) -> list[Lane]:
    """Every queue that something waits in, that is held, or that dagfs.yaml names; fullest first."""
    found: dict[str, list[Waiting]] = {name: [] for name in limits}
    for name in paused:
        if name.startswith("queue:"):
            found.setdefault(name.removeprefix("queue:"), [])
    for entry in entries:
        found.setdefault(entry.queue or entry.dag, []).append(entry)
    made = [
        Lane(name, tuple(waiting), paused.get(f"queue:{name}"), limits.get(name, 0))
        for name, waiting in found.items()
    ]
    return sorted(made, key=lambda each: (-len(each.entries), each.name))


def running(facts: Iterable[RunFact]) -> int:
    """How many runs go on."""
    return sum(1 for each in facts if each.state == "running")


def params_text(entry: Waiting) -> str:
    return " ".join(f"{name}={value}" for name, value in entry.params)
