"""The small process that owns a try of a step, and outlives the engine.

Forked from the zygote, it holds the record, is the parent of whatever the step leaves behind, and writes
the end into the record only when nothing of the step is left. SIGTERM asks it to stop the step
gracefully; a second one, or SIGUSR1, to kill it at once. Then it takes the next try that the engine has,
unless this one left anything behind: a process, a signal, a pipe, a secret, or another priority.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import socket
import time
from contextlib import suppress
from pathlib import Path

from dagfs.engine.launch import Launch
from dagfs.engine.masking import Redactor
from dagfs.engine.supervisor import Supervisor, kill_all, listen
from dagfs.engine.zygote import ENDED, LENGTH
from dagfs.errors import StoreError
from dagfs.model.value import replace
from dagfs.store.files import Disk, open_regular
from dagfs.store.process import identity, kernel_text
from dagfs.store.record import EXITED, NOT_BEGUN, SHIM, Exit, RecordWriter

_prctl = ctypes.CDLL(None).prctl
_SET_NAME, _SET_CHILD_SUBREAPER = 15, 36
_RECORD_PATIENCE_SEC = 3600.0
_IDLE_MS = 1000
"""How long a shim without a step waits for one."""
_LIMITS = tuple({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
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


def serve(engine: socket.socket) -> None:
    """All of a shim's life, begun with every signal blocked: one step after another."""
    os.setsid()
    name_process("dagfs-shim")
    _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    gc.enable()
    wake, traits = listen(), _traits()
    frame = _take(engine)
    while frame and _run(frame, engine, wake) and _traits() == traits:
        with suppress(OSError):
            engine.send(ENDED)
        frame = _next(engine, wake)


def _traits() -> tuple[object, ...]:
    """What a step may change of this process, its parent, and the next one would inherit."""
    limits = tuple(resource.getrlimit(number) for number in _LIMITS)
    texts = []
    for name in ("oom_score_adj", "cgroup"):
        with suppress(OSError):
            texts.append(kernel_text(f"/proc/self/{name}"))
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), limits, texts


def _next(engine: socket.socket, wake: int) -> bytes | None:
    """Another step to run; None where none comes: the engine is gone, or has none to give."""
    poller = select.poll()
    for fd in (engine.fileno(), wake):
        poller.register(fd, select.POLLIN)
    poller.poll(_IDLE_MS)
    # Once more: a signal that came together with a step is heard only as that wait ends.
    ready = [fd for fd, _ in poller.poll(0)]
    if wake in ready:
        # Somebody wants this process to end. A step that is on its way here has not begun.
        return None
    if not ready:
        # From here on the engine can give nothing more; what it gave just before is still taken.
        engine.shutdown(socket.SHUT_RD)
    return _take(engine)


def _take(engine: socket.socket) -> bytes | None:
    """The step that the engine sends, once it does."""
    head = _receive(engine, LENGTH.size)
    return _receive(engine, LENGTH.unpack(head)[0]) if head else None


def _receive(engine: socket.socket, size: int) -> bytes | None:
    """So many bytes; None where the engine is gone before it has sent them."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            count = engine.recv_into(view)
        except ConnectionError:
            return None
        if not count:
            return None
        view = view[count:]
    return bytes(data)


def _run(frame: bytes, engine: socket.socket, wake: int) -> bool:
    """One step, from its record's first line to the last; whether this process can have another.

    Raises only before it has a record.
    """
    launch = Launch.from_bytes(frame)
    os.umask(0o077)
    record = RecordWriter(Disk(group=launch.group), launch.record, launch.token)
    me = identity(os.getpid())
    record.note(SHIM, me.as_data() if me else {})
    if _is_gone(engine):
        # A successor that saw no record may start the step itself; one that comes later sees this end.
        _write_end(record, Exit(cause=NOT_BEGUN, error="its engine died before it began"), engine)
        return False
    supervisor = Supervisor(launch, record, wake)
    try:
        left, is_clean = supervisor.run(), supervisor.left_nothing and not launch.secrets
    except Exception as error:  # noqa: BLE001 - a step must neither go on unwatched nor vanish
        is_clean = False
        left = Exit(error=f"its shim failed: {type(error).__name__}: {error}", leftovers=kill_all())
    is_noted = _write_end(record, _without_secrets(launch, left), engine)
    record.close()
    return is_noted and is_clean


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
    # Only that it hung up, which is always told: this process may have closed its own ear.
    poller.register(engine, 0)
    return bool(poller.poll(0))


def _write_end(record: RecordWriter, left: Exit, engine: socket.socket) -> bool:
    """Hold the end until the disk takes it, an hour at most; whether it did."""
    deadline, pause = time.monotonic() + _RECORD_PATIENCE_SEC, 0.05
    while True:
        try:
            record.note(EXITED, left.as_event_data())
            break
        except StoreError:
            if time.monotonic() > deadline:
                return False
        time.sleep(pause)
        pause = min(pause * 2, 10.0)
    if _is_gone(engine):
        # No engine is there to journal it: this line is the only trace of the end.
        record.sync()
    return True
