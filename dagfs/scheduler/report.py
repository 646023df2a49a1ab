"""What a scheduler says of itself: the document behind `dagfs scheduler --status`, doctor and metrics."""

from __future__ import annotations

from typing import Any

from dagfs.scheduler.loop import Scheduler
from dagfs.scheduler.shelf import Shelf
from dagfs.store.waiting import Queue

_NEXT = 20
_MOST_ACTIVE = 1000


def status_of(shelf: Shelf, scheduler: Scheduler, queue: Queue) -> dict[str, Any]:
    """What it watches, what comes next, and what is wrong."""
    failed = {track.dag.name: track.error for track in scheduler.tracks.values() if track.error}
    return {
        "dags": len(shelf.dags),
        "schedules": len(scheduler.tracks),
        "next": [
            {"due": due.isoformat(), "dag": name, "actions": actions}
            for due, name, actions in scheduler.upcoming(_NEXT)
        ],
        "starting": scheduler.starting,
        "running": len(scheduler.active_runs()),
        "active": scheduler.active_runs()[:_MOST_ACTIVE],
        "queued": len(queue.entries()),
        "set_aside": sum(1 for _ in queue.put_aside()),
        "errors": dict(shelf.errors),
        "not_started": failed,
    }
