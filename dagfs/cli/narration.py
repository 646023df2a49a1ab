"""What happens in a run, told in one line an event."""

from __future__ import annotations

from typing import Any

from dagfs.cli.output import SYMBOLS, Output, visible
from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.timespan import clock, duration


class Narrator:
    """Tells the events of an attempt as they come: in lines on standard error, or as JSON on standard output.

    With `as_data` the lines are what was asked for: they go to standard output, whose end is not ignored.
    """

    def __init__(self, output: Output, *, as_json: bool, as_data: bool = False) -> None:
        self._output = output
        self._json, self._data = as_json, as_data
        self._began: dict[str, str] = {}
        self._deaf = False

    def __enter__(self) -> Narrator:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def begin(self, run_id: str, title: str) -> None:  # noqa: ARG002 - what other tellers need
        """The next events are of this run's newest attempt."""
        self._began = {}
        if not self._json:
            (self._output.line if self._data else self._output.say)(title, style="bold")

    def __call__(self, event: Event) -> None:
        try:
            self._tell(event)
        except OSError:
            if self._data:
                raise
            # Nobody listens any more, or what listens is full: no reason for a run to end.
            self._deaf = True

    def _tell(self, event: Event) -> None:
        if self._deaf:
            return
        if self._json:
            self._output.json(event.as_data(), indent=False)
            return
        line = self._words(event)
        if line:
            (self._output.line if self._data else self._output.say)(line)

    def _words(self, event: Event) -> str:
        """The line for an event; `""` for one that says nothing to people."""
        tell = _TELLERS.get(event.name)
        return tell(self, event, _subject(event)) if tell else ""

    def _started(self, event: Event, subject: str) -> str:
        self._began.setdefault(subject, event.time)
        again = f"  try {event.data['try']}" if event.data["try"] > 1 else ""
        return _line("running", subject, "started" + again)

    def _retrying(self, event: Event, subject: str) -> str:
        at = clock(event.data["until"])
        return _line("retrying", subject, f"{event.data['reason']}; trying again at {at}")

    def _finished(self, event: Event, subject: str) -> str:
        return _line(event.data["state"], subject, self._ending(event, subject, event.data))

    def _kept(self, event: Event, subject: str) -> str:
        return _line("succeeded", subject, f"kept            {event.data.get('reason', '')}")

    def _left(self, event: Event, subject: str) -> str:
        return _line("not_started", subject, f"{'left':<15} {event.data.get('reason', '')}")

    def _deferred(self, event: Event, subject: str) -> str:
        return _line("not_started", subject, f"{'deferred':<15} {event.data.get('reason', '')}")

    def _adopted(self, event: Event, subject: str) -> str:
        return _line("running", subject, f"adopted         {event.data.get('reason', '')}")

    def _waiting(self, event: Event, subject: str) -> str:
        asked = event.data.get("prompt") or event.data.get("reason", "")
        return _line("waiting", subject, f"{'waiting':<15} {asked}")

    def _child_finished(self, event: Event, subject: str) -> str:
        data = event.data
        state = "kept" if data.get("kept") else data["state"]
        words = f"{state:<15} {data.get('reason', '')}".rstrip()
        return _line(data["state"], f"{subject}/{data['child']}", words)

    def _notice(self, event: Event, _: str) -> str:
        return visible(f"  ! {event.data['message']}")

    def _stopping(self, _: Event, __: str) -> str:
        return "  stopping …  (once more to kill)"

    def _timed_out(self, event: Event, _: str) -> str:
        return f"  the run's time is over ({event.data['timeout_sec']:g} s): stopping"

    def _ending(self, event: Event, subject: str, data: Any) -> str:
        took = duration(self._began.get(subject), event.time)
        words = [word for word in (took, data.get("reason")) if word]
        return f"{data['state']:<15} {', '.join(words)}".rstrip()


_TELLERS = {
    ev.STEP_STARTED: Narrator._started,
    ev.HANDLER_STARTED: Narrator._started,
    ev.STEP_RETRYING: Narrator._retrying,
    ev.STEP_FINISHED: Narrator._finished,
    ev.HANDLER_FINISHED: Narrator._finished,
    ev.STEP_WAITING: Narrator._waiting,
    ev.CHILD_FINISHED: Narrator._child_finished,
    ev.STEP_KEPT: Narrator._kept,
    ev.STEP_LEFT: Narrator._left,
    ev.STEP_DEFERRED: Narrator._deferred,
    ev.STEP_ADOPTED: Narrator._adopted,
    ev.NOTICE: Narrator._notice,
    ev.STOP_REQUESTED: Narrator._stopping,
    ev.RUN_TIMED_OUT: Narrator._timed_out,
}


def _subject(event: Event) -> str:
    """The step or handler that an event is about."""
    return str(event.data.get("step") or (f"on {event.data['handler']}" if "handler" in event.data else ""))


def _line(state: str, subject: str, rest: str) -> str:
    return visible(f"  {SYMBOLS.get(state, '·')} {subject:<20} {rest}")
