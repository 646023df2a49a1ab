"""The small process that owns one try of a step, and outlives the engine.

Forked from the zygote, it holds the record, is the parent of whatever the step leaves behind, and writes
the end into the record only when nothing of the step is left. SIGTERM asks it to stop the step
gracefully; a second one, or SIGUSR1, to kill it at once.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import time
from contextlib import suppress
from pathlib import Path

from dagfs.engine.launch import Launch
from dagfs.engine.masking import Redactor
from dagfs.engine.supervisor import Supervisor, kill_all
from dagfs.errors import StoreError
from dagfs.model.value import replace
from dagfs.store.files import Disk, open_regular
from dagfs.store.process import identity
from dagfs.store.record import EXITED, NOT_BEGUN, SHIM, Exit, RecordWriter

_prctl = ctypes.CDLL(None).prctl
_SET_NAME, _SET_CHILD_SUBREAPER = 15, 36
_RECORD_PATIENCE_SEC = 3600.0
_LARGEST_OUTPUT = 1 << 26


def name_process(name: str) -> None:
    """What `ps` and `pstree` show."""
    _prctl(_SET_NAME, name.encode(), 0, 0, 0)


def close_inherited(*keep: int) -> None:
    """Close every descriptor above 2 but `keep`."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            # One of them was the listing itself.
            with suppress(OSError):
                os.close(int(name))


def run(frame: bytes, engine: socket.socket) -> None:
    """All of a shim's life, begun with every signal blocked. Raises only before it has a record."""
    launch = Launch.from_bytes(frame)
    os.setsid()
    name_process("dagfs-shim")
    _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o077)
    zygote = os.getppid()
    record = RecordWriter(Disk(group=launch.group), launch.record, launch.token)
    me = identity(os.getpid())
    record.note(SHIM, me.as_data() if me else {})
    if _is_gone(engine):
        # A successor that saw no record may start the step itself; one that comes later sees this end.
        _write_end(record, Exit(cause=NOT_BEGUN, error="its engine died before it began"), zygote)
        return
    engine.close()
    try:
        left = Supervisor(launch, record).run()
    except Exception as error:  # noqa: BLE001 - a step must neither go on unwatched nor vanish
        left = Exit(error=f"its shim failed: {type(error).__name__}: {error}", leftovers=kill_all())
    _write_end(record, _without_secrets(launch, left), zygote)


def _without_secrets(launch: Launch, left: Exit) -> Exit:
    """Take secrets out of the step's own file of outputs, and out of what is told of its end."""
    if not launch.secrets:
        return left
    redactor, path = Redactor(launch.secrets), Path(launch.output_file)
    with suppress(OSError, StoreError):
        with open(open_regular(path), "rb") as file:
            text = file.read(_LARGEST_OUTPUT).decode("utf-8", "surrogateescape")
        Disk(group=launch.group).replace(path, redactor.text(text).encode("utf-8", "surrogateescape"))
    return replace(left, error=redactor.text(left.error or "") or None)


def _is_gone(engine: socket.socket) -> bool:
    poller = select.poll()
    poller.register(engine, select.POLLRDHUP)
    return bool(poller.poll(0))


def _write_end(record: RecordWriter, left: Exit, zygote: int) -> None:
    """Hold the end until the disk takes it, an hour at most."""
    deadline, pause = time.monotonic() + _RECORD_PATIENCE_SEC, 0.05
    while True:
        try:
            record.note(EXITED, left.as_event_data())
            break
        except StoreError:
            if time.monotonic() > deadline:
                return
        time.sleep(pause)
        pause = min(pause * 2, 10.0)
    if os.getppid() != zygote:
        # No engine is there to journal it: this line is the only trace of the end.
        record.sync()
