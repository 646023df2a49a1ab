"""How an attempt goes, as lines of a table that fits a screen. Pure: no terminal here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from dagfs.cli.output import SYMBOLS, visible
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.run import Attempt, ChildRun, Run, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.model.timespan import clock, duration, moment, seconds
from dagfs.model.value import frozen

_STIRRING = (StepState.RUNNING, StepState.RETRYING, StepState.WAITING)
_BROKEN = (StepState.FAILED, StepState.LOST, StepState.ABORTED, StepState.REJECTED)
_AROUND = 2
"""Lines around the table: counts, and how to stop."""


@frozen
class Row:
    """One step or handler."""

    name: str
    state: str
    took: str
    note: str


@frozen
class Frame:
    """One picture of a run."""

    rows: tuple[Row, ...]
    counts: str
    footer: str


class Progress:
    """Follows one attempt by its events."""

    def __init__(self, run: Run, *, footer: str) -> None:
        """`run` has the attempt as its last; `footer` says how to stop or leave."""
        last = run.last
        base = next((each for each in run.attempts if each.n == last.header.base), None)
        self._seen, self._base = last, base
        self._fold = Fold(last.header, last.steps, base)
        self._footer = footer
        self._times_up = False
        self.is_over = False

    def apply(self, event: Event) -> str:
        """Take in an event; the answer is what to say about it beside the table, if anything."""
        if event.n == self._seen.events + 1 and self._fold.attempt().events == 0:
            # Who goes on with an attempt that waited hears what comes, and not what was before.
            self._fold = Fold.going_on(self._seen, self._base)
        self._fold.apply(event)
        if event.name == ev.STOP_REQUESTED:
            self._footer = "stopping …  once more to kill (^C)"
        elif event.name == ev.RUN_TIMED_OUT:
            self._times_up = True
            self._footer = f"the run's time is over ({event.data['timeout_sec']:g} s): stopping …"
        elif event.name == ev.ATTEMPT_FINISHED:
            self.is_over = True
        return visible(f"  ! {event.data['message']}") if event.name == ev.NOTICE else ""

    def frame(self, now: datetime, room: int) -> Frame:
        """The picture at a moment, in at most `room` lines (but never fewer than three)."""
        attempt = self._fold.attempt()
        steps, handlers = list(attempt.steps.values()), list(attempt.handlers.values())
        chosen, left = choose(steps, max(1, room - _AROUND - len(handlers)))
        rows = [_row(step, now, children=self._fold.children(step.name)) for step in chosen]
        rows += [_row(each, now, "on ", children=self._fold.children(handler=each.name)) for each in handlers]
        counts = _counts(attempt, now) + (f"  ({left} not shown)" if left else "")
        return Frame(tuple(rows), counts, "" if self.is_over else self._footer)


def choose(steps: Sequence[StepRun], room: int) -> tuple[list[StepRun], int]:
    """The steps to show in `room` lines, in the spec's order, and how many are left out.

    Where not all fit: those under way, then those that went wrong; what merely waits or is done is counted.
    """
    if len(steps) <= room:
        return list(steps), 0
    stirring = [step for step in steps if step.state in _STIRRING]
    broken = [step for step in steps if step.state in _BROKEN]
    names = {step.name for step in (*stirring, *broken)[:room]}
    return [step for step in steps if step.name in names], len(steps) - len(names)


def _row(step: StepRun, now: datetime, prefix: str = "", *, children: Mapping[str, ChildRun]) -> Row:
    words = [f"try {step.tries}"] if step.tries > 1 else []
    words += [_done(step, children)] if step.state in _STIRRING and step.wanted > 1 else []
    if step.state is StepState.RETRYING and step.until:
        words.append(f"again at {clock(step.until)}")
    words += ["kept"] if step.kept else []
    words += [step.reason] if step.reason else []
    return Row(
        _line(f"{SYMBOLS.get(step.state, '·')} {prefix}{step.name}"),
        str(step.state) if step.state is not StepState.NOT_STARTED else "",
        _took(step, now),
        _line(", ".join(words)),
    )


def _done(step: StepRun, children: Mapping[str, ChildRun]) -> str:
    """How far a step is with its items."""
    over = [each for each in children.values() if each.state.is_over]
    bad = sum(each.state not in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED) for each in over)
    return f"{len(over)} of {step.wanted} items" + (f", {bad} not well" if bad else "")


def _took(step: StepRun, now: datetime) -> str:
    if step.kept or step.left:
        return ""
    if step.state in _STIRRING:
        return _passed(step.started, now)
    return duration(step.started, step.finished)


def _passed(start: str | None, now: datetime) -> str:
    """Time that still goes on, without digits that only flicker."""
    began = moment(start)
    if began is None:
        return ""
    passed = max(0.0, (now - began).total_seconds())
    return f"{passed:.0f} s" if passed < 10 else seconds(passed)


def _counts(attempt: Attempt, now: datetime) -> str:
    found = Counter(step.state for step in attempt.steps.values())
    words = [f"{number} {state.replace('_', ' ')}" for state, number in found.items()]
    took = duration(attempt.started, attempt.finished) if attempt.finished else _passed(attempt.started, now)
    return ", ".join(words) + (f"  {took}" if took else "")


def _line(text: str) -> str:
    return visible(" ".join(text.split()))
