"""Which instants a backfill makes runs for. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import itemgetter

from dagfs.model.schedule import RESTART, START, Schedule, Timetable
from dagfs.model.value import replace
from dagfs.scheduler.instants import day_begins, day_ends, occurrences, zone_named


@dataclass(frozen=True, slots=True)
class Span:
    """Days, both included."""

    first: date
    last: date
    zone: str
    """The zone of entries that name none."""


def instants(schedule: Schedule, span: Span) -> Iterator[tuple[datetime, str]]:
    """Every start in a span, and the zone it is meant in; once a day at midnight where the schedule has none.

    The days are those of that zone: a day in Tokyo is not one in Berlin.
    """
    if not schedule.entries:
        day = span.first
        while day <= span.last:
            yield day_begins(day, span.zone), span.zone
            day += timedelta(days=1)
        return
    starts = [entry for entry in schedule.entries if entry.action in (START, RESTART)]
    before = None
    for found in heapq.merge(*(_of(schedule, entry, span) for entry in starts), key=itemgetter(0)):
        if found[0] != before:
            yield found
        before = found[0]


def _of(schedule: Schedule, entry: Timetable, span: Span) -> Iterator[tuple[datetime, str]]:
    """What one entry has in its own days."""
    zone = entry.timezone or span.zone
    begin, end = day_begins(span.first, zone), day_ends(span.last, zone)
    for moment, _ in occurrences(
        replace(schedule, entries=(entry,)), span.zone, begin - timedelta(seconds=1)
    ):
        if moment > end:
            return
        yield moment, zone


def filled_in(value: str, moment: datetime, zone: str) -> str:
    """A value with `%Y %m %d %H %M` replaced by the local time of an instant; any other `%` stays."""
    local = moment.astimezone(zone_named(zone))
    return re.sub("%[YmdHM]", lambda found: local.strftime(found[0]), value)
