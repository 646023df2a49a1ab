"""The figures of a home, counted: `dagfs metrics`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dagfs.engine.home import Home
from dagfs.engine.location import now
from dagfs.scheduler.census import counted
from dagfs.scheduler.metrics import exposition
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue


def figures(home: Home, newest: int) -> Iterator[str]:
    """Lines of text for Prometheus; states are counted of the newest so many runs, 0 for all."""
    runs = [counted(each) for each in home.store.summaries(max(0, newest))]
    queued = Counter(entry.queue or entry.dag for entry in Queue(home.disk, home.paths.scheduler).entries())
    status = Ledger(home.disk, home.paths.scheduler, now).status()
    return exposition(runs, status, queued, now())
