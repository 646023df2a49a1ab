"""The journal of one attempt: read whole, followed, and appended to by the one engine that owns the run.

It never shrinks. What a crash left of a last line is ignored by readers; the next writer ends it with a
mark (`codec.TORN`), reads the file again, and only then numbers the next record. Any other line that
does not check out, a gap in the numbers or another attempt's token is damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dagfs.errors import Damaged
from dagfs.model.event import Event
from dagfs.model.value import frozen
from dagfs.store.codec import TORN, BadLine, decode_event, is_torn
from dagfs.store.files import Disk, open_regular, read_bytes
from dagfs.store.lines import LineWriter

RESERVE = 64 * 1024
"""Bytes kept free behind the end, so that a full disk does not stop an attempt's last records."""


@frozen
class JournalReading:
    """What a journal says, and what is wrong with it."""

    events: tuple[Event, ...]
    size: int
    """Bytes of the file that were read."""
    torn: bool = False
    """It ends in a part of a line, which counts for nothing."""
    open_end: bool = False
    """Its last line is whole and counts, but has no newline yet."""
    damage: tuple[str, ...] = ()
    """Each line that does not check out, as `line 7: why`."""

    @property
    def last(self) -> int:
        """The number of the last event; 0 where there is none."""
        return self.events[-1].n if self.events else 0


class _Scan:
    """Takes lines one after another and keeps count of numbers and damage."""

    def __init__(self, token: str | None) -> None:
        self.events: list[Event] = []
        self.damage: list[str] = []
        self._token = token

    def take(self, number: int, line: bytes) -> bool:
        """Whether the line is an event, a good one or not; a torn line that was sealed is passed over."""
        if line.endswith(TORN[:-1]):
            return True
        try:
            event, token = decode_event(line)
        except BadLine as error:
            self.damage.append(f"line {number}: {error}")
            return False
        expected = self.events[-1].n + 1 if self.events else 1
        if event.n != expected:
            self.damage.append(f"line {number}: it is event {event.n} where {expected} should follow")
        if self._token is not None and token != self._token:
            self.damage.append(f"line {number}: another engine wrote it (token {token!r})")
        self.events.append(event)
        return True


def parse(raw: bytes, token: str | None) -> JournalReading:
    """Read a journal from its bytes; `token` is the attempt's, or None to accept any."""
    lines = raw.split(b"\n")
    tail = lines.pop()
    scan = _Scan(token)
    for number, line in enumerate(lines, 1):
        scan.take(number, line)
    torn, open_end = False, False
    if tail:
        torn = is_torn(tail) and not _decodes(tail)
        open_end = not torn and scan.take(len(lines) + 1, tail)
    return JournalReading(tuple(scan.events), len(raw), torn, open_end, tuple(scan.damage))


def _decodes(line: bytes) -> bool:
    try:
        decode_event(line)
    except BadLine:
        return False
    return True


def read(path: Path, *, token: str | None) -> JournalReading:
    """Read a journal; FileNotFoundError where there is none."""
    return parse(read_bytes(path), token)


def tail(path: Path, offset: int, token: str | None = None) -> tuple[tuple[Event, ...], int]:
    """The events of the whole lines behind `offset`, and the offset to go on from.

    Damage is passed over: it is for `read` and `fsck` to report.
    """
    with open(open_regular(path), "rb") as file:
        file.seek(offset)
        raw = file.read()
    whole = raw.rfind(b"\n") + 1
    return tuple(_events(raw[:whole], token)), offset + whole


def _events(raw: bytes, token: str | None) -> Iterator[Event]:
    for line in raw.split(b"\n")[:-1]:
        try:
            event, found = decode_event(line)
        except BadLine:
            continue
        if token is None or token == found:
            yield event


class JournalWriter:
    """Appends events to an attempt's journal. Only the holder of the run's lock may have one."""

    def __init__(self, disk: Disk, path: Path, token: str, now: Callable[[], datetime]) -> None:
        """Open an existing journal; a torn tail is sealed. Damaged when it does not check out."""
        self._path, self._token = path, token
        self._pending = False
        if not path.is_file():
            raise Damaged(f"{path} is missing", hint="run `dagfs fsck`")
        self._file = disk.open_append(path, reserve=RESERVE)
        try:
            last = self._open()
            self._lines = LineWriter(self._file, token, now, last=last)
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> int:
        """The number of the last event."""
        reading = self._scan()
        if reading.torn or reading.open_end:
            # A whole line that lacks only its newline counts as written; a part of one does not.
            self._file.write(TORN if reading.torn else b"\n")
            reading = self._scan()
            # What readers already take for a fact must not vanish in a power cut.
            self._file.sync()
        return reading.last

    def _scan(self) -> JournalReading:
        reading = read(self._path, token=self._token)
        if reading.damage:
            raise Damaged(f"{self._path} is damaged: {reading.damage[0]}", hint="run `dagfs fsck`")
        return reading

    @property
    def position(self) -> tuple[int, int]:
        """The number of the last event, and the size of the file: `as_of` of a status document."""
        return self._lines.last, self._file.size

    def append(self, name: str, data: Mapping[str, Any], *, durable: bool = False) -> Event:
        """Write one event. With `durable` it becomes a fact at the next `commit`.

        StoreError when the disk refuses; the event has then not happened and another may follow.
        """
        event = self._lines.append(name, data)
        self._pending = self._pending or durable
        return event

    def commit(self) -> None:
        """Make every durable event durable, in one go. After a StoreError nothing more can be written."""
        if self._pending:
            self._file.sync()
            self._pending = False

    def close(self) -> None:
        """Commit, and close the file."""
        try:
            self.commit()
        finally:
            self._file.close()
