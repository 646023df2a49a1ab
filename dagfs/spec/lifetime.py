"""Whether an entry of a schedule is ever due between its `start_date` and its `end_date`."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, time, timedelta

from dagfs.model.cron import parse_cron
from dagfs.model.schedule import Timetable

DAY = len("2026-11-21")
"""What is as long is a date, and no instant."""
_NEAR = (timedelta(days=-1), timedelta(), timedelta(days=1))
_ANYWHERE = (timedelta(hours=-12), timedelta(hours=14))


def can_happen(entry: Timetable, first: str, last: str, zone: str) -> bool:
    """Whether an entry is due from `first` to `last`; `zone` is that of the schedule, where it is named.

    What cannot be known here counts as possible: the zone of dagfs.yaml, and what a change of the clocks
    makes of a time.
    """
    own = "UTC" if entry.at else entry.timezone or zone
    try:
        low = _local(first, zone, own, is_last=False) if first else datetime.min
        high = _local(last, zone, own, is_last=True) if last else datetime.max
        if entry.at:
            return low <= datetime.fromisoformat(entry.at).replace(tzinfo=None) <= high
        return not (entry.expression and first and last) or parse_cron(entry.expression).fires_within(
            low, high
        )
    except OverflowError:
        # 9999-12-31 means for ever.
        return True


def _local(text: str, zone: str, own: str, *, is_last: bool) -> datetime:
    """A bound in the local time of the zone `own`; where in doubt the first too early, the last too late."""
    moment = datetime.fromisoformat(text).replace(tzinfo=None)
    if len(text) == DAY:
        moment = datetime.combine(moment, time.max if is_last else time.min)
        if zone == own:
            return moment
        least, most = _distances(zone, moment)
        moment -= least if is_last else most
    least, most = _distances(own, moment)
    return moment + (most if is_last else least)


def _distances(zone: str, about: datetime) -> tuple[timedelta, timedelta]:
    """The least and the greatest distance of a zone from UTC about that time."""
    if not zone:
        return _ANYWHERE
    # By name: only files that speak of a zone pay for the import.
    rules = importlib.import_module("zoneinfo").ZoneInfo(zone)
    found = [
        (about + each).replace(tzinfo=UTC).astimezone(rules).utcoffset() or timedelta() for each in _NEAR
    ]
    return min(found), max(found)
