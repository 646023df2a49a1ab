"""What happened in one attempt, and when: tries, pauses and what people said. From events; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.state import RunState, StepState

Whose = tuple[str, str]
"""A step's name and `""`, or `""` and what a handler is for."""
_REMARKS = (
    ev.ATTEMPT_WAITING,
    ev.ATTEMPT_RESUMED,
    ev.STOP_REQUESTED,
    ev.RUN_TIMED_OUT,
    ev.NOTICE,
    ev.STEP_ANSWERED,
    ev.STEP_MARKED,
)


@dataclass(frozen=True, slots=True)
class Try:
    """One execution of a step, or its wait for a word."""

    number: int
    began: str
    ended: str | None = None
    state: str = str(StepState.RUNNING)
    exit_code: int | None = None
    offsets: tuple[int, int] = (0, 0)
    """Where its output begins in stdout.log and stderr.log, in bytes."""
    is_adopted: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which an engine was at work on the attempt."""

    began: str
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """The events of one attempt, put together."""

    n: int
    stretches: tuple[Stretch, ...] = ()
    tries: Mapping[Whose, tuple[Try, ...]] = field(default_factory=dict)
    remarks: tuple[Event, ...] = ()
    """What is worth telling beside how steps ended."""
    last: str = ""
    """The time of the last event, but for what was written down after its engine's death."""


def course(n: int, events: Iterable[Event]) -> Course:
    """The course of attempt `n`. Events that do not fit are passed over: this is for display only."""
    making = _Making()
    for event in events:
        making.take(event)
    tries = {whose: tuple(found) for whose, found in making.tries.items()}
    return Course(n, tuple(making.stretches), tries, tuple(making.remarks), making.last)


class _Making:
    """Takes events one after another."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.tries: dict[Whose, list[Try]] = {}
        self.remarks: list[Event] = []
        self.last = ""

    def take(self, event: Event) -> None:
        name = event.name
        if name in _REMARKS:
            self.remarks.append(event)
        if name in (ev.ATTEMPT_STARTED, ev.ATTEMPT_RESUMED):
            self.stretches.append(Stretch(event.time))
        elif name in (ev.ATTEMPT_WAITING, ev.ATTEMPT_FINISHED):
            self._end_stretch(event)
        else:
            self._take_try(event)
        if not self._is_late(event):
            self.last = event.time

    def _end_stretch(self, event: Event) -> None:
        if self.stretches and self.stretches[-1].ended is None:
            # Who takes a dead engine's run over writes its end, maybe days later.
            ended = self.last if self._is_late(event) else event.time
            self.stretches[-1] = replace(self.stretches[-1], ended=ended)

    def _is_late(self, event: Event) -> bool:
        """Whether it ends an attempt whose engine had died."""
        return event.name == ev.ATTEMPT_FINISHED and event.data.get("state") == RunState.INTERRUPTED

    def _take_try(self, event: Event) -> None:
        whose = event.step or "", str(event.data.get("handler") or "")
        if whose == ("", "") or event.name in (ev.CHILD_STARTED, ev.CHILD_FINISHED):
            return
        data, name = event.data, event.name
        if name in (ev.STEP_STARTED, ev.HANDLER_STARTED):
            self._end(whose, event, "")
            offsets = _number(data.get("stdout")) or 0, _number(data.get("stderr")) or 0
            self._begin(whose, Try(_number(data.get("try")) or 1, event.time, offsets=offsets))
        elif name == ev.STEP_ADOPTED:
            self._begin(whose, Try(_number(data.get("try")) or 1, event.time, is_adopted=True))
        elif name == ev.STEP_RETRYING:
            self._end(whose, event, str(StepState.FAILED))
        elif name == ev.STEP_WAITING:
            self._end(whose, event, str(StepState.SUCCEEDED))
            self._begin(whose, Try(0, event.time, state=str(StepState.WAITING)))
        elif name == ev.STEP_RESUMED:
            self._end(whose, event, str(StepState.WAITING))
            self._begin(whose, Try(0, event.time))
        elif name in (ev.STEP_FINISHED, ev.HANDLER_FINISHED):
            self._end(whose, event, str(data.get("state", "")))

    def _begin(self, whose: Whose, new: Try) -> None:
        self.tries.setdefault(whose, []).append(new)

    def _end(self, whose: Whose, event: Event, state: str) -> None:
        """Close the open try, if there is one. An empty state: it was repeated, so it had done well."""
        mine = self.tries.get(whose)
        if mine and mine[-1].ended is None:
            waited = mine[-1].state == StepState.WAITING
            mine[-1] = replace(
                mine[-1],
                ended=event.time,
                state=str(StepState.WAITING) if waited else state or str(StepState.SUCCEEDED),
                exit_code=_number(event.data.get("exit_code")),
            )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
