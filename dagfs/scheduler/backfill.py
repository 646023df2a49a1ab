"""Which instants a backfill makes runs for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

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
        return datetime.combine(self.first, time.min, zone_named(self.zone))

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time.min, zone_named(self.zone))


def instants(schedule: Schedule, span: Span) -> Iterator[datetime]:
    """Every start in a span; once a day at midnight where the schedule has none."""
    if not schedule.entries:
        day = span.first
        while day <= span.last:
            yield datetime.combine(day, time.min, zone_named(span.zone))
            day += timedelta(days=1)
        return
    for moment, actions in occurrences(schedule, span.zone, span.begin - timedelta(seconds=1)):
        if moment >= span.end:
            return
        if actions & {START, RESTART}:
            yield moment


def filled_in(value: str, moment: datetime, zone: str) -> str:
    """A parameter's value with `%Y`, `%m`, … replaced by the local time of an instant."""
    return moment.astimezone(zone_named(zone)).strftime(value)
