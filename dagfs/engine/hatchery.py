"""In the zygote: forks a shim for each request, until the engine is gone.

Only the zygote loads this and what a shim is made of, while the engine goes on with its own beginning.
"""

from __future__ import annotations

import gc
import os
import select
import socket
from contextlib import suppress

from dagfs.engine import shim
from dagfs.engine.supervisor import set_handlers
from dagfs.engine.zygote import REPLY, fork
from dagfs.store.record import warm_up


def serve(wire: socket.socket) -> None:
    """The zygote's life: reap shims and start new ones until the engine is gone."""
    _cut_loose(wire)
    shims: dict[int, int] = {}
    poller = select.poll()
    poller.register(wire, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd in shims:
                poller.unregister(fd)
                os.waitpid(shims.pop(fd), 0)
                os.close(fd)
                continue
            if not _is_asked(wire):
                return
            pid, pidfd = _start_shim(wire)
            if pid:
                shims[pidfd] = pid
                poller.register(pidfd, select.POLLIN)


def _is_asked(wire: socket.socket) -> bool:
    """Whether a shim is wanted; else the engine is gone."""
    try:
        return bool(wire.recv(1))
    except ConnectionError:
        return False


def _cut_loose(wire: socket.socket) -> None:
    """Keep nothing of the engine but this one socket: no terminal, descriptors, handlers or garbage."""
    os.setsid()
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, mode | os.O_CLOEXEC), fd)
    shim.close_inherited(wire.fileno())
    set_handlers()
    warm_up()
    gc.disable()
    gc.freeze()
    shim.name_process("dagfs-zygote")


def _start_shim(wire: socket.socket) -> tuple[int, int]:
    """Fork a shim and hand it to the engine. Its pid and pidfd; 0 where that could not be done.

    It has nothing to do before the engine says so, and ends where it never can.
    """
    pid = 0
    ends: tuple[socket.socket, ...] = ()
    try:
        ends = ours, theirs = socket.socketpair()
        pid = fork(lambda: _shim(theirs))
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        for end in ends:
            end.close()
        if pid:
            os.waitpid(pid, 0)
        _reply(wire, 0, error.errno or 0)
        return 0, -1
    theirs.close()
    _reply(wire, pid, 0, pidfd, ours.fileno())
    ours.close()
    return pid, pidfd


def _reply(wire: socket.socket, pid: int, number: int, *fds: int) -> None:
    try:
        socket.send_fds(wire, [REPLY.pack(pid, number)], list(fds))
    except OSError as error:
        # Too many descriptors may be on their way. Where nobody is there, the next look at the wire says so.
        with suppress(OSError):
            wire.send(REPLY.pack(0, error.errno or 0))


def _shim(engine: socket.socket) -> None:
    shim.close_inherited(engine.fileno())
    shim.serve(engine)
