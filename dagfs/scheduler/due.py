"""Which instants of a schedule are to be acted on now, and which are passed over. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from dagfs.model.schedule import MOST_CAUGHT_UP, RESTART, START, STOP, Schedule
from dagfs.scheduler.instants import occurrences

ON_TIME = timedelta(seconds=60)
"""What is due no longer ago was not missed."""
_CLOCK_WENT_BACK = timedelta(seconds=60)
_FIRST_LOOK = timedelta(minutes=MOST_CAUGHT_UP)
"""Even what is due each minute fits into it."""

Instant = tuple[datetime, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Due:
    """What came of the instants since the watermark."""

    starts: tuple[datetime, ...] = ()
    """Oldest first."""
    restarts: tuple[datetime, ...] = ()
    """Those of `starts` that first stop what goes on."""
    stops: bool = False
    """The runs that go on are to be stopped."""
    missed: tuple[datetime, ...] = ()
    """Instants that are passed over, the newest thousand at most."""
    more_missed: bool = False
    """There were more than could be counted."""
    clock_went_back: bool = False


def mended(watermark: datetime, now: datetime) -> tuple[datetime, bool]:
    """A watermark that the clock has not reached is none: the clock was wrong then, or is now."""
    back = watermark > now + _CLOCK_WENT_BACK
    return (now if back else watermark), back


def decide(
    schedule: Schedule, zone: str, watermark: datetime, now: datetime, begun: Collection[datetime] = ()
) -> Due:
    """What to do about every instant in (watermark, now]; those in `begun` count as due now."""
    watermark, back = mended(watermark, now)
    found, more = newest(schedule, zone, watermark, now)
    of_start = [each for each in found if each[1] & {START, RESTART}]
    fresh = [each for each in of_start if now - each[0] <= ON_TIME or each[0] in begun]
    late = [each for each in of_start if each not in fresh]
    chosen = _caught_up(schedule, late, now, bool(fresh)) + fresh
    starts = {moment for moment, _ in chosen}
    return Due(
        tuple(sorted(starts)),
        tuple(moment for moment, actions in chosen if RESTART in actions),
        any(STOP in actions and now - moment <= ON_TIME for moment, actions in found),
        tuple(moment for moment, _ in of_start if moment not in starts),
        more,
        back,
    )


def _caught_up(schedule: Schedule, late: list[Instant], now: datetime, any_fresh: bool) -> list[Instant]:
    """Those of the missed instants that are made up for."""
    window = schedule.catchup_window_sec
    within = [each for each in late if not window or now - each[0] <= timedelta(seconds=window)]
    if schedule.catchup == "all":
        return within[-MOST_CAUGHT_UP:]
    return within[-1:] if schedule.catchup == "latest" and not any_fresh else []


def newest(schedule: Schedule, zone: str, after: datetime, until: datetime) -> tuple[list[Instant], bool]:
    """The instants in (after, until], and whether there are older ones than those given.

    The past is looked at in stretches, each twice as long as the one before, so that a year of minutes
    after a wrong clock costs no more than the thousand that count.
    """
    span = _FIRST_LOOK
    while True:
        low = max(after, until - span)
        inside = takewhile(lambda each: each[0] <= until, occurrences(schedule, zone, low))
        found = list(islice(inside, 2 * MOST_CAUGHT_UP + 1))
        if len(found) > 2 * MOST_CAUGHT_UP:
            # Too dense even for the shortest look: halve until it is not.
            return newest(schedule, zone, until - span / 2, until)[0], True
        if low == after:
            return found[-MOST_CAUGHT_UP:], len(found) > MOST_CAUGHT_UP
        if len(found) >= MOST_CAUGHT_UP:
            return found[-MOST_CAUGHT_UP:], True
        span *= 2
