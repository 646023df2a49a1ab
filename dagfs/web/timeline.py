"""The timeline of a run: steps × time, over all attempts. Pure: times in, places out; `gantt` draws them.

Time in which no engine was at work is cut out. Each stretch between two cuts has the same scale, unless one
would then be too narrow to see. Along the time everything is in percent, so that the picture fits any screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagfs.model.state import StepState
from dagfs.model.timespan import seconds
from dagfs.web.views.course import Course, Try, Whose

_MOST_STRETCHES = 6
_LEAST = 0.14
"""The least part of the width that a stretch gets."""
CUT = 0.012
"""The part of the width that a cut gets."""
_RIGHT = 0.92
"""Where time ends, so that the last bar's label has room."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)


@dataclass(frozen=True, slots=True)
class Lane:
    """One step, or handler, as a row of the timeline."""

    whose: Whose
    label: str
    state: str
    kept: bool = False
    href: str = ""
    note: str = ""
    """What is said where it has no bar in the attempt that is looked at: `kept from attempt 1`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row, in percent of the width."""

    start: float
    width: float
    state: str
    title: str
    is_earlier: bool = False
    """It belongs to an attempt before the one that is looked at."""


@dataclass(frozen=True, slots=True)
class Row:
    """A lane with its bars."""

    lane: Lane
    bars: tuple[Bar, ...]
    label: str
    """What stands behind the last bar: how long it took."""
    label_at: float


@dataclass(frozen=True, slots=True)
class Section:
    """One stretch of time on the axis, in percent."""

    title: str
    start: float
    width: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything in the picture."""

    rows: tuple[Row, ...]
    sections: tuple[Section, ...]
    left_out: int = 0
    """Stretches before the first that is shown."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch in seconds since 1970, and where it goes."""

    n: int
    began: float
    ended: float
    start: float = 0.0
    width: float = 0.0
    origin: float = 0.0
    """When its attempt began."""

    def at(self, moment: float) -> float:
        share = (moment - self.began) / max(self.ended - self.began, 1e-6)
        return self.start + self.width * min(1.0, max(0.0, share))


def timeline(courses: Sequence[Course], lanes: Sequence[Lane], now: str) -> Timeline:
    """The timeline of the last of these attempts, with those before it. `now` ends what is still going on."""
    end = _moment(now)
    spans = _spans(courses, end)
    shown = _placed(spans[-_MOST_STRETCHES:])
    rows = [_row(lane, courses, shown, end) for lane in lanes]
    sections = tuple(_section(span, shown[:place], len(courses)) for place, span in enumerate(shown))
    return Timeline(tuple(rows), sections, len(spans) - len(shown))


def in_order(lanes: Sequence[Lane], last: Course) -> list[Lane]:
    """Lanes by when their steps began in an attempt; those that did not stay in their order behind."""
    began = {whose: tries[0].began for whose, tries in last.tries.items() if tries}
    return sorted(lanes, key=lambda lane: (not lane.kept, began.get(lane.whose, "~")))


# -- time to places ------------------------------------------------------------------------------


def _spans(courses: Sequence[Course], now: float) -> list[_Span]:
    found = []
    for course in courses:
        origin = _moment(course.stretches[0].began) if course.stretches else 0.0
        for stretch in course.stretches:
            began = _moment(stretch.began)
            ended = _moment(stretch.ended) if stretch.ended else now
            found.append(_Span(course.n, began, max(ended, began), origin=origin))
    return found


def _placed(spans: Sequence[_Span]) -> list[_Span]:
    """The spans side by side: as wide as they are long, but none too narrow."""
    if not spans:
        return []
    room = _RIGHT - CUT * (len(spans) - 1)
    total = sum(span.ended - span.began for span in spans) or 1.0
    shares = [(span.ended - span.began) / total for span in spans]
    least = min(_LEAST, 0.8 / len(spans))
    short = [share < least for share in shares]
    left = 1.0 - least * sum(short)
    long = sum(share for share, is_short in zip(shares, short, strict=True) if not is_short) or 1.0
    if all(short):
        shares, short = [1 / len(spans)] * len(spans), [False] * len(spans)
        left, long = 1.0, 1.0
    found, start = [], 0.0
    for span, share, is_short in zip(spans, shares, short, strict=True):
        width = room * (least if is_short else share / long * left)
        found.append(_Span(span.n, span.began, span.ended, start, width, span.origin))
        start += width + CUT
    return found


def _section(span: _Span, before: Sequence[_Span], attempts: int) -> Section:
    is_first = not any(each.n == span.n for each in before)
    title = f"attempt {span.n}" if is_first and attempts > 1 else "" if is_first else "went on"
    return Section(title, _percent(span.start), _percent(span.width), tuple(_ticks(span)))


def _ticks(span: _Span) -> list[tuple[float, str]]:
    length = span.ended - span.began
    most = max(1.0, span.width * 10)
    step = next((each for each in _STEPS if length / each <= most), 0.0)
    while step == 0.0 or length / step > most:
        step = (step or _STEPS[-1]) * 2
    first = span.began - span.origin
    number = int(first / step) + (1 if first % step > 1e-9 else 0)
    found: list[tuple[float, str]] = []
    while (place := number * step) <= first + length + 1e-9 and len(found) < 20:
        found.append((_percent(span.at(span.origin + place)), _tick(place)))
        number += 1
    return found


def _tick(place: float) -> str:
    if place < 1:
        return f"{place:.1f} s" if place else "0"
    if place < 120:
        return f"{place:g} s"
    minutes, rest = divmod(round(place), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


# -- rows ----------------------------------------------------------------------------------------


def _row(lane: Lane, courses: Sequence[Course], shown: Sequence[_Span], now: float) -> Row:
    last = courses[-1].n if courses else 0
    bars = [
        bar
        for course in courses
        for each in course.tries.get(lane.whose, ())
        for bar in _bars(each, [span for span in shown if span.n == course.n], now, course.n < last)
    ]
    mine = courses[-1].tries.get(lane.whose, ()) if courses else ()
    ends = [bar.start + bar.width for bar in bars if not bar.is_earlier]
    here = [span for span in shown if span.n == last]
    start = _percent(here[0].start) if here else 0.0
    return Row(lane, tuple(bars), _took(mine, now) or lane.note, max(ends, default=start))


def _bars(one: Try, spans: Sequence[_Span], now: float, is_earlier: bool) -> list[Bar]:
    """A try as bars, one in each stretch that it reaches into."""
    began, ended = _moment(one.began), _moment(one.ended) if one.ended else now
    title = _title(one, max(0.0, ended - began))
    found = []
    for place, span in enumerate(spans):
        if ended < span.began or (began > span.ended and place + 1 < len(spans)):
            continue
        if began >= span.ended and ended > span.ended and place + 1 < len(spans):
            continue
        left, right = span.at(max(began, span.began)), span.at(min(ended, span.ended))
        found.append(Bar(_percent(left), _percent(max(0.0, right - left)), one.state, title, is_earlier))
    return found


def _title(one: Try, took: float) -> str:
    words = ["waited" if one.state == StepState.WAITING else one.state.replace("_", " "), seconds(took)]
    if one.number > 1:
        words.insert(0, f"try {one.number}:")
    if one.exit_code:
        words.append(f"exit {one.exit_code}")
    if one.is_adopted:
        words.append("taken over from the attempt before")
    return " ".join(words)


def _took(tries: Sequence[Try], now: float) -> str:
    """How long a step took in an attempt, in words; empty where it did not run."""
    if not tries:
        return ""
    ended = tries[-1].ended
    whole = (_moment(ended) if ended else now) - _moment(tries[0].began)
    executions = sum(1 for each in tries if each.number)
    return seconds(max(0.0, whole)) + (f" · {executions} tries" if executions > 1 else "")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _percent(share: float) -> float:
    return round(100 * share, 3)
