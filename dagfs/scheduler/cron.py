"""The next local time that a cron expression matches. Only importer of croniter."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from croniter import CroniterBadDateError, croniter

from dagfs.model.cron import Cron, parse_cron


@lru_cache(maxsize=4096)
def understood(expression: str) -> Cron:
    """What an expression means; ValueError where it is none."""
    return parse_cron(expression)


@lru_cache(maxsize=4096)
def _iterator(expression: str) -> croniter:
    # Taking an expression apart costs ten times as much as asking it for a time.
    return croniter(understood(expression).canonical, datetime(2000, 1, 1))


def following(expression: str, after: datetime) -> datetime | None:
    """The first match later than `after`, a local time without its zone; None when there is none.

    Without a zone croniter has nothing to do with clocks that are changed; `instants` has.
    """
    iterator = _iterator(expression)
    iterator.set_current(after, force=True)
    try:
        found: datetime = iterator.get_next(datetime)
    except CroniterBadDateError:
        return None
    return found
