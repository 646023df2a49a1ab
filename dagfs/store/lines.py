"""Appends numbered lines to a journal or a record, and seals what a failure leaves of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from dagfs.errors import StoreError
from dagfs.model.event import Event
from dagfs.store.codec import TORN, encode_event
from dagfs.store.files import Appender


class LineWriter:
    """The lines of one writer, each an event with the next number and the writer's token."""

    def __init__(self, file: Appender, token: str, now: Callable[[], datetime], *, last: int = 0) -> None:
        """`last` is the number of the last line that stands in the file."""
        self._file, self._token, self._now = file, token, now
        self._last = last
        self._broken = False

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self._last

    def append(self, name: str, data: Mapping[str, Any]) -> Event:
        """Write one line. After a StoreError it has not happened, and another may follow."""
        event = Event(self._last + 1, timestamp(self._now()), name, dict(data))
        line = encode_event(event, self._token)
        if self._broken:
            # Never a bare newline: what was refused must not turn into a fact afterwards.
            self._file.write(TORN)
            self._broken = False
        start = self._file.size
        try:
            self._file.write(line)
        except StoreError:
            self._broken = self._file.size > start
            raise
        self._last = event.n
        return event


def timestamp(now: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
