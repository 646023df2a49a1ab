"""The record of one try: who ran it and how it ended, appended to by its shim alone.

It outlives the engine. Its lines are those of a journal (`codec`): `shim`, then `started`, then `exited`.
Space is reserved before the step starts, so that a disk which it fills still takes its end.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagfs.errors import StoreError
from dagfs.model.dag import Plain
from dagfs.model.event import Event
from dagfs.model.value import frozen
from dagfs.store.codec import TORN, BadLine, decode_event, is_torn
from dagfs.store.files import Appender, Disk, read_bytes
from dagfs.store.lines import LineWriter
from dagfs.store.process import Identity, identity, is_alive

RESERVE = 4096
"""Bytes kept free behind the end."""
SHIM, STARTED, EXITED = "shim", "started", "exited"
NOT_BEGUN = "not_begun"
"""The cause of a try that its shim did not start, for its engine had died: it has done nothing."""


@frozen
class Exit(Plain):
    """How a try ended."""

    exit_code: int | None = None
    """128 + n after signal n; 127: the command is not there, 126: it cannot run; None: not begun."""
    signal: int | None = None
    cause: str | None = None
    """`stop`, `kill` or `timeout` where the shim was made to end it; `not_begun` with a dead engine."""
    error: str | None = None
    """Why it could not be started, in one line."""
    leftovers: int = 0
    """How many processes were killed that the main process had left behind."""
    survivors: int = 0
    """How many are left because they belong to another user and may not be killed."""
    truncated: int = 0
    """Bytes of output that could not be written to the log or to the file beside it."""
    time: str = ""

    def as_event_data(self) -> dict[str, Any]:
        """Every field but the time, which the line has anyway."""
        names = ("exit_code", "signal", "cause", "error", "leftovers", "survivors", "truncated")
        return {name: getattr(self, name) for name in names}


@frozen
class Record:
    """What a record says, and whether its shim still ran when it was read."""

    shim: Identity | None = None
    main: Identity | None = None
    """The step's main process, also the leader of its session and process group."""
    exit: Exit | None = None
    is_running: bool = False
    damage: tuple[str, ...] = ()
    """Each line that does not check out, as `line 2: why`."""


class RecordWriter:
    """Writes a new record; holds a flock on it until `close` or death."""

    def __init__(self, disk: Disk, path: str | Path, token: str) -> None:
        """FileExistsError where the try has a record, so was started before; StoreError for the rest."""
        self._file = disk.open_append(path, reserve=RESERVE, exclusive=True)
        self._lines = LineWriter(self._file, token, _now)
        # Some network file systems have no locks; who lives is told by identity, so go on without.
        with suppress(OSError):
            fcntl.flock(self._file.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def fd(self) -> int:
        return self._file.fd

    def note(self, name: str, data: Mapping[str, Any]) -> None:
        """Append one line. After a StoreError it has not happened, and may be tried again."""
        self._lines.append(name, data)

    def sync(self) -> None:
        """Make what was written durable, as far as the disk can."""
        with suppress(StoreError):
            self._file.sync()

    def close(self) -> None:
        """Release the lock."""
        self._file.close()


def _now() -> datetime:
    return datetime.now(UTC)


def warm_up() -> None:
    """Do once, in memory, what every record needs, so that a process forked from this one finds it done."""
    file = Appender(Disk(), os.memfd_create("record"), "record", RESERVE)
    file.reserve()
    lines, me = LineWriter(file, "", _now), identity(os.getpid())
    lines.append(SHIM, me.as_data() if me else {})
    Exit().as_event_data()
    file.close()


def read(path: str | Path) -> Record | None:
    """The record at `path`, or None where none was begun; then the step has not started either."""
    record = _read(path)
    if record is None or record.exit is not None or record.shim is None:
        return record
    if is_alive(record.shim):
        return Record(record.shim, record.main, None, True, record.damage)
    # The end is written before the shim goes, so it may have come in between.
    return _read(path)


def _read(path: str | Path) -> Record | None:
    try:
        return parse(read_bytes(path))
    except FileNotFoundError:
        return None


def parse(raw: bytes) -> Record | None:
    """A record from its bytes; a torn line counts for nothing."""
    shim: Identity | None = None
    main: Identity | None = None
    left: Exit | None = None
    events, damage = _events(raw)
    for event in events:
        if event.name == SHIM:
            shim = Identity.from_data(dict(event.data))
        elif event.name == STARTED:
            main = Identity.from_data(dict(event.data))
        elif event.name == EXITED:
            left = Exit.from_data({**event.data, "time": event.time})
    if not events and not damage:
        return None
    return Record(shim, main, left, damage=damage)


def _events(raw: bytes) -> tuple[list[Event], tuple[str, ...]]:
    events: list[Event] = []
    damage: list[str] = []
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, 1):
        unterminated = number == len(lines)
        if (unterminated and not line) or line.endswith(TORN[:-1]):
            continue
        try:
            event, _ = decode_event(line)
        except BadLine as error:
            if not (unterminated and is_torn(line)):
                damage.append(f"line {number}: {error}")
            continue
        if event.n != len(events) + 1:
            damage.append(f"line {number}: it is line {event.n} where {len(events) + 1} should follow")
        events.append(event)
    return events, tuple(damage)
