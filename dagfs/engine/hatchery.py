"""In the zygote: forks a shim for each request, until the engine is gone.

Only the zygote loads this and what a shim is made of, while the engine goes on with its own beginning.
"""

from __future__ import annotations

import gc
import os
import select
import socket

from dagfs.engine import shim
from dagfs.engine.launch import Launch
from dagfs.engine.supervisor import set_handlers
from dagfs.engine.zygote import LENGTH, REPLY, Child, fork
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
            frame = _receive(wire)
            if frame is None:
                return
            started = _start_shim(wire, frame)
            if started is not None:
                shims[started.pidfd] = started.pid
                poller.register(started.pidfd, select.POLLIN)


def _cut_loose(wire: socket.socket) -> None:
    """Keep nothing of the engine but this one socket: no terminal, descriptors, handlers or garbage."""
    os.setsid()
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, mode | os.O_CLOEXEC), fd)
    shim.close_inherited(wire.fileno())
    set_handlers()
    warm_up()
    # The constructor is compiled when it is first called: once here, and not in every shim.
    Launch.from_bytes(Launch((), {}, "", "", "", "", "").as_bytes())
    gc.disable()
    gc.freeze()
    shim.name_process("dagfs-zygote")


def _receive(wire: socket.socket) -> bytes | None:
    """One request; None where the engine is gone."""
    head = _receive_exactly(wire, LENGTH.size)
    return None if head is None else _receive_exactly(wire, LENGTH.unpack(head)[0])


def _receive_exactly(wire: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        try:
            count = wire.recv_into(view)
        except ConnectionError:
            return None
        if not count:
            return None
        view = view[count:]
    return bytes(data)


def _start_shim(wire: socket.socket, frame: bytes) -> Child | None:
    """Fork a shim, hand its pidfd to the engine, and only then let it begin."""
    try:
        gate, go = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        _reply(wire, 0, error.errno or 0)
        return None
    try:
        pid = fork(lambda: _shim(wire, frame, gate))
    except OSError as error:
        os.close(gate)
        os.close(go)
        _reply(wire, 0, error.errno or 0)
        return None
    os.close(gate)
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        os.close(go)
        os.waitpid(pid, 0)
        _reply(wire, 0, error.errno or 0)
        return None
    if _reply(wire, pid, 0, pidfd):
        os.write(go, b"!")
    os.close(go)
    return Child(pid, pidfd)


def _reply(wire: socket.socket, pid: int, number: int, *fds: int) -> bool:
    try:
        socket.send_fds(wire, [REPLY.pack(pid, number)], list(fds))
    except OSError:
        return False
    return True


def _shim(wire: socket.socket, frame: bytes, gate: int) -> None:
    shim.close_inherited(wire.fileno(), gate)
    if os.read(gate, 1):
        os.close(gate)
        shim.run(frame, wire)
