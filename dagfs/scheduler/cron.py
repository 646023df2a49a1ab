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


class _Iterator:
    """An expression taken apart, which costs ten times as much as asking it, and its last answer."""

    def __init__(self, expression: str) -> None:
        self._croniter = croniter(understood(expression).canonical, datetime(2000, 1, 1))
        self._since = self._found = datetime.min

    def following(self, after: datetime) -> datetime:
        """The first match later than `after`; CroniterBadDateError where there is none."""
        if not self._since <= after < self._found:
            self._croniter.set_current(after, force=True)
            found: datetime = self._croniter.get_next(datetime)
            self._since, self._found = after, found
        return self._found


@lru_cache(maxsize=4096)
def _iterator(expression: str) -> _Iterator:
    return _Iterator(expression)


def following(expression: str, after: datetime) -> datetime | None:
    """The first match later than `after`, a local time without its zone; None when there is none.

    Without a zone croniter has nothing to do with clocks that are changed; `instants` has.
    """
    try:
        return _iterator(expression).following(after)
    except CroniterBadDateError:
        return None
