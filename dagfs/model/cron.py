"""Cron expressions: what one means, as sets of numbers, and in words. Pure.

Five fields, or a word such as `@daily`. Where both day fields leave something out, either may match; some
crons want both where one of them is written as `*/2`, but here only what it stands for counts. 7 is Sunday
too; `L`, `W`, `#`, seconds and years are refused.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from functools import lru_cache

from dagfs.model.value import frozen

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""Words that stand for five fields."""
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_RAREST = timedelta(days=8 * 366)
"""Within it everything happens: a February 29th may be eight years away."""
_PART = re.compile(r"(?P<low>\*|\?|\w+)(?:-(?P<high>\w+))?(?:/(?P<step>\d{1,4}))?", re.ASCII)


@frozen
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    first: int = 0
    """The number of the first word."""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of the week", 0, 7, _DAYS, 0),
)


@frozen
class Cron:
    """An expression, understood."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_hour: bool
    """The hour is not fixed, so that the change of the clocks moves nothing."""

    @property
    def every_day(self) -> bool:
        return len(self.days) == 31

    @property
    def every_weekday(self) -> bool:
        return len(self.weekdays) == 7

    def has_day(self, moment: datetime) -> bool:
        """Whether the day fields allow the day of `moment`."""
        day, weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return day and weekday if self.every_day or self.every_weekday else day or weekday

    def matches(self, moment: datetime) -> bool:
        """Whether it fires at a local time, seconds aside."""
        now = moment.minute in self.minutes and moment.hour in self.hours
        return now and moment.month in self.months and self.has_day(moment)

    def fires_within(self, first: datetime, last: datetime) -> bool:
        """Whether it fires from one local time to another, both included."""
        if last - first > _RAREST:
            return True
        day = datetime.combine(first, time.min)
        while day <= last:
            if day.month not in self.months:
                day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
                continue
            if self.has_day(day) and self._fires_on(day, first, last):
                return True
            day += timedelta(days=1)
        return False

    def _fires_on(self, day: datetime, first: datetime, last: datetime) -> bool:
        hours = (day.replace(hour=hour) for hour in self.hours)
        inside = [hour for hour in hours if first - timedelta(hours=1) < hour <= last]
        return any(first <= hour.replace(minute=minute) <= last for hour in inside for minute in self.minutes)

    @property
    def canonical(self) -> str:
        """The same in numbers alone, every set written out; whole sets are `*`."""
        sets = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        whole = (60, 24, 31, 12, 7)
        return " ".join(
            "*" if len(found) == size else ",".join(map(str, sorted(found)))
            for found, size in zip(sets, whole, strict=True)
        )


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """What an expression means. ValueError says in one line what is wrong with it."""
    words = text.strip().split()
    if len(words) == 1 and words[0].startswith("@"):
        return _parse(text, _named(words[0]).split())
    if len(words) != 5:
        more = "; seconds and years are not supported" if len(words) in (6, 7) else ""
        raise ValueError(
            f"it needs five fields (minute, hour, day, month, day of the week), and has {len(words)}{more}"
        )
    return _parse(text, words)


def _named(word: str) -> str:
    if word.lower() not in WORDS:
        raise ValueError(f"{word} is not known; there are {', '.join(WORDS)}")
    return WORDS[word.lower()]


def _parse(text: str, words: list[str]) -> Cron:
    minutes, hours, days, months, weekdays = map(_numbers, words, _FIELDS)
    cron = Cron(
        text.strip(),
        minutes,
        hours,
        days,
        months,
        frozenset(number % 7 for number in weekdays),
        any_hour=words[1].startswith(("*", "?")) or len(hours) == 24,
    )
    if cron.every_weekday and all(_LONGEST_MONTH[month - 1] < min(days) for month in months):
        raise ValueError("it never fires: none of its months has such a day")
    return cron


def _numbers(word: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not understood as {field.name}")
        found |= _range(part, match, field)
    return frozenset(found)


def _range(part: str, match: re.Match[str], field: _Field) -> set[int]:
    step = int(match["step"] or 1)
    if match["low"] in "*?":
        if match["high"]:
            raise ValueError(f"{part!r} is not understood as {field.name}")
        low, high = field.low, 6 if field.high == 7 else field.high
    else:
        low = _number(match["low"], field)
        alone = (6 if field.high == 7 else field.high) if match["step"] else low
        high = _number(match["high"], field) if match["high"] else max(alone, low)
    if low > high:
        raise ValueError(f"in {part!r} the {field.name} runs backwards")
    if not 1 <= step <= field.high:
        raise ValueError(f"in {part!r} the step must be from 1 to {field.high}")
    return set(range(low, high + 1, step))


def _number(word: str, field: _Field) -> int:
    if word.lower()[:3] in field.words and len(word) == 3:
        return field.words.index(word.lower()) + field.first
    if not word.isdecimal() or not field.low <= int(word[:4]) <= field.high:
        raise ValueError(f"{word!r} is no {field.name}: that is {field.low} to {field.high}")
    return int(word)


# -- in words ------------------------------------------------------------------------------------


def in_words(cron: Cron) -> str:
    """The expression as a sentence: `at 02:30 on Monday to Friday`."""
    parts = [_time_in_words(cron), _days_in_words(cron)]
    if len(cron.months) < 12:
        parts.append(f"in {_listed([_MONTH_NAMES[month - 1] for month in sorted(cron.months)])}")
    return " ".join(part for part in parts if part)


def _time_in_words(cron: Cron) -> str:
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    if len(hours) == 24:
        if len(minutes) == 60:
            return "every minute"
        step = _step(minutes, 60)
        if step:
            return f"every {step} minutes{'' if 60 % step == 0 else ' from minute 0 of every hour'}"
        return f"at minute {_listed([str(minute) for minute in minutes])} of every hour"
    if len(minutes) * len(hours) <= 6:
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    step = _step(hours, 24)
    evenly = f"every {step} hours{'' if 24 % (step or 1) == 0 else ' from midnight'}"
    often = evenly if step else f"in the hours {_runs(hours)}"
    if len(minutes) == 60:
        return f"every minute {often}"
    return f"at minute {_listed([str(minute) for minute in minutes])} {often}"


def _days_in_words(cron: Cron) -> str:
    step = _step([day - 1 for day in sorted(cron.days)], 31)
    on_days = (
        f"every {step} days from the first of the month"
        if step
        else f"on day {_runs(sorted(cron.days))} of the month"
    )
    weekdays = sorted(cron.weekdays)
    names = (
        "Monday to Friday" if weekdays == [1, 2, 3, 4, 5] else _listed([_DAY_NAMES[day] for day in weekdays])
    )
    if cron.every_day:
        return "" if cron.every_weekday else f"on {names}"
    return on_days if cron.every_weekday else f"{on_days}, and also on every {names},"


def _step(numbers: list[int], size: int) -> int:
    """The step of numbers that go on evenly from 0 to the end, or 0."""
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 0
    return step if step > 1 and numbers == list(range(0, size, step)) else 0


def _runs(numbers: list[int]) -> str:
    """`1 to 5, 9`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return _listed([str(low) if low == high else f"{low} to {high}" for low, high in found])


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
