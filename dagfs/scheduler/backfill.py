"""Which instants a backfill makes runs for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dagfs.model.schedule import RESTART, START, Schedule
from dagfs.scheduler.instants import occurrences, zone_named


@dataclass(frozen=True, slots=True)
class Span:
    """Days, both included, in the zone of the schedule."""

    first: date
    last: date
    zone: str

    @property
    def begin(self) -> datetime:
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        return _midnight(self.last + timedelta(days=1), self.zone)


def _midnight(day: date, zone: str) -> datetime:
    """In UTC: two moments that share a zone are compared by their clocks, which may show an hour twice."""
    return datetime.combine(day, time.min, zone_named(zone)).astimezone(UTC)


def instants(schedule: Schedule, span: Span) -> Iterator[datetime]:
    """Every start in a span; once a day at midnight where the schedule has none."""
    if not schedule.entries:
        day = span.first
        while day <= span.last:
            yield _midnight(day, span.zone)
            day += timedelta(days=1)
        return
    for moment, actions in occurrences(schedule, span.zone, span.begin - timedelta(seconds=1)):
        if moment >= span.end:
            return
        if actions & {START, RESTART}:
            yield moment


def filled_in(value: str, moment: datetime, zone: str) -> str:
    """A value with `%Y %m %d %H %M` replaced by the local time of an instant; any other `%` stays."""
    local = moment.astimezone(zone_named(zone))
    return re.sub("%[YmdHM]", lambda found: local.strftime(found[0]), value)
