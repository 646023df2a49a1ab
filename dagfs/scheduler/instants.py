"""When a schedule is due next, in UTC. Pure: the zones' rules are all it looks up.

Between two changes of the clocks a zone is a fixed distance from UTC, so each such stretch is searched in
local time, and only the changes themselves need rules, those of cron: what is fixed to an hour that is
skipped happens right after it, and what is fixed to one that comes twice happens the first time; what has
a free hour happens whenever the clock shows its minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dagfs.model.schedule import Schedule, Timetable
from dagfs.scheduler.cron import following, understood

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_FARTHEST = timedelta(days=366 * 9)
"""The eighth of February 29ths may be that far away, over a century that has no leap year."""
_FIRST, _LAST = datetime(100, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)
"""Nothing is looked for outside: the calendar begins and ends, and in each zone at another moment."""


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _local(moment: datetime, offset: timedelta) -> datetime:
    return (moment + offset).replace(tzinfo=None)


def _utc(local: datetime, offset: timedelta) -> datetime:
    return local.replace(tzinfo=UTC) - offset


def _change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """The first change of the zone's clocks in (after, until], to the second."""
    low, offset = after, _offset(zone, after)
    while low < until:
        high = min(low + _DAY, until)
        if _offset(zone, high) != offset:
            return _bisect(zone, low, high, offset)
        low = high
    return None


def _bisect(zone: ZoneInfo, low: datetime, high: datetime, offset: timedelta) -> datetime:
    low = low.replace(microsecond=0)
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def next_match(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first instant later than `after` at which a cron expression is due in `zone`."""
    cron = understood(expression)
    # What is added to it below are distances from UTC.
    after = after.astimezone(UTC)
    if after >= _LAST:
        return None
    end = after + _FARTHEST
    while after < end:
        offset = _offset(zone, after)
        local = following(expression, _local(after, offset))
        if local is None:
            return None
        found = _utc(local, offset)
        change = _change(zone, after, min(found, end))
        if change is None:
            if cron.any_hour or not found.astimezone(zone).fold:
                return found
            after = found
            continue
        if _is_due_at_change(expression, cron.any_hour, change, offset, _offset(zone, change)):
            return change
        after = change
    return None


def _is_due_at_change(
    expression: str, any_hour: bool, change: datetime, before: timedelta, now: timedelta
) -> bool:
    """Whether it happens at the very moment the clocks were changed."""
    shown = _local(change, now)
    skipped = min(_local(change, before), shown)
    if now < before:
        # The hour begins for the second time.
        return any_hour and following(expression, shown - _SECOND) == shown
    first = following(expression, (shown if any_hour else skipped) - _SECOND)
    return first is not None and first <= shown


def due_next(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next instants of one expression, in local time."""
    found: list[datetime] = []
    moment = next_match(expression, zone_named(zone), after)
    while moment is not None and len(found) < count:
        found.append(moment.astimezone(zone_named(zone)))
        moment = next_match(expression, zone_named(zone), moment)
    return found


# -- whole schedules -----------------------------------------------------------------------------


def next_of(entry: Timetable, zone: str, after: datetime) -> datetime | None:
    """When an entry is due next; `zone` is that of entries which name none."""
    if entry.at:
        moment = datetime.fromisoformat(entry.at).astimezone(UTC)
        return moment if moment > after else None
    return next_match(entry.expression, zone_named(entry.timezone or zone), after)


def next_due(schedule: Schedule, zone: str, after: datetime) -> tuple[datetime, frozenset[str]] | None:
    """When a schedule is due next, and what for: its actions. None when it never will be."""
    after = after.astimezone(UTC)
    zone = schedule.timezone or zone
    first, last = bounds(schedule, zone)
    if first is not None and first - _SECOND > after:
        after = first - _SECOND
    found: dict[datetime, set[str]] = {}
    for entry in schedule.entries:
        moment = next_of(entry, zone, after)
        if moment is not None and (last is None or moment <= last):
            found.setdefault(moment, set()).add(entry.action)
    if not found:
        return None
    moment = min(found)
    return moment, frozenset(found[moment])


def occurrences(schedule: Schedule, zone: str, after: datetime) -> Iterator[tuple[datetime, frozenset[str]]]:
    """Every instant later than `after`, in order."""
    while (found := next_due(schedule, zone, after)) is not None:
        yield found
        after = found[0]


def zone_at(schedule: Schedule, zone: str, moment: datetime) -> str:
    """The zone that an instant is meant in; where several entries are due, that of the first."""
    zone = schedule.timezone or zone
    if any(entry.timezone for entry in schedule.entries):
        for entry in schedule.entries:
            if next_of(entry, zone, moment - _SECOND) == moment:
                return entry.timezone or zone
    return zone


def bounds(schedule: Schedule, zone: str) -> tuple[datetime | None, datetime | None]:
    """The first and the last instant that a schedule applies to; a date as the last one is all that day."""
    return _bound(schedule.start_date, zone, day_begins), _bound(schedule.end_date, zone, day_ends)


def _bound(text: str, zone: str, of_day: Callable[[date, str], datetime]) -> datetime | None:
    if not text:
        return None
    if len(text) == len("2026-11-21"):
        day = date.fromisoformat(text)
        # 9999-12-31 is how people write "for ever", and has no end in UTC.
        if day.year >= _LAST.year:
            return _LAST
        return of_day(day, zone) if day.year >= _FIRST.year else _FIRST
    return datetime.fromisoformat(text).astimezone(UTC)


def day_begins(day: date, zone: str) -> datetime:
    """The first moment of a day; where clocks skip midnight, that of the change."""
    first, second = _twice(datetime.combine(day, time.min, zone_named(zone)))
    return _change(zone_named(zone), second, first) or first


def day_ends(day: date, zone: str) -> datetime:
    """The last moment of a day, where clocks are set back at midnight that of the second time."""
    first, second = _twice(datetime.combine(day, time.max, zone_named(zone)))
    change = _change(zone_named(zone), second, first)
    return change - datetime.resolution if change else second


def _twice(local: datetime) -> tuple[datetime, datetime]:
    """Both moments of a local time, in UTC. The second is the earlier one where clocks skip that time."""
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def delay(key: str, schedule: Schedule) -> timedelta:
    """How much later than due a DAG is started: a share of its jitter that never changes."""
    if not schedule.jitter_sec:
        return timedelta()
    share = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:4], "big") / 2**32
    return timedelta(seconds=int(share * schedule.jitter_sec))
