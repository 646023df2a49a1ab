"""The process that shims are forked from: small, and made before the engine has locks or threads.

Engine and zygote talk through a stream socket: a byte asks for a shim; the reply is its pid with its pidfd
and a socket to it, or an error number. Through that socket the shim is given steps, each as its length and a
`Launch`; a byte comes back for each that ended and left the shim as it was. The zygote, and a shim that has
no step, end when the engine's end of their socket closes.
"""

from __future__ import annotations

import errno
import importlib
import os
import select
import signal
import socket
import struct
from collections.abc import Callable
from typing import Self

from dagfs.errors import DagfsError, ExitCode

LENGTH = struct.Struct("!Q")
REPLY = struct.Struct("!ii")
ASK, ENDED = b"+", b"."
_PATIENCE_MS = 2000
_PER_SHIM = 2
"""Descriptors that come with each."""


class LaunchFailed(DagfsError):
    """This machine has no process or descriptor to spare just now. Nothing was started: try again later."""

    exit_code = ExitCode.IO_ERROR


class ZygoteDied(DagfsError):
    """The zygote is gone: this engine can start nothing more. What it started goes on."""

    exit_code = ExitCode.IO_ERROR


class Zygote:
    """The engine's side."""

    def __init__(self, pid: int, wire: socket.socket) -> None:
        self.pid = pid
        self._wire = wire
        self._asked = 0

    @classmethod
    def start(cls) -> Self:
        """Fork the zygote. Only while this process has one thread; raises LaunchFailed."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise refused(error.errno or 0) from None
        # Blocked in the child for good: a shim is signalled from its first instant on, but hears later.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = fork(lambda: _serve(theirs))
        except OSError as error:
            ours.close()
            raise refused(error.errno or 0) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()
        return cls(pid, ours)

    def ask(self) -> None:
        """Have it fork a shim, which the next `hire` gives. Raises ZygoteDied."""
        try:
            self._wire.sendall(ASK)
        except OSError:
            raise _died() from None
        self._asked += 1

    def hire(self) -> tuple[int, int, int]:
        """A shim that has no step yet: its pid, a pidfd of it and a wire to it, both the caller's to close.

        Raises LaunchFailed (try again later) and ZygoteDied.
        """
        if not self._asked:
            self.ask()
        try:
            _await(self._wire)
            reply, fds, _, _ = socket.recv_fds(self._wire, REPLY.size, _PER_SHIM, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            reply, fds = b"", []
        except BaseException:
            # Half a conversation cannot be taken up again.
            self._wire.close()
            raise
        self._asked -= 1
        return _hired(reply, fds)

    def close(self) -> None:
        """End the zygote; the shims that have a step go on."""
        self._wire.close()
        if self.pid <= 0:
            return
        pid, self.pid = self.pid, 0
        try:
            _end(pid)
        except (ChildProcessError, ProcessLookupError):
            # Someone else's waitpid took it.
            pass


def refused(number: int) -> LaunchFailed:
    return LaunchFailed(
        f"cannot start a process: {os.strerror(number)}",
        hint="look at `ulimit -u`, `ulimit -n` and free memory",
    )


def _died() -> ZygoteDied:
    return ZygoteDied(
        "the process that starts steps is gone",
        hint="something killed it: `dagfs retry` goes on with the run",
    )


def _hired(reply: bytes, fds: list[int]) -> tuple[int, int, int]:
    if len(reply) != REPLY.size:
        raise _died()
    pid, number = REPLY.unpack(reply)
    if len(fds) == _PER_SHIM:
        return pid, fds[0], fds[1]
    # Without its wire the shim ends, and has begun nothing.
    for fd in fds:
        os.close(fd)
    raise refused(number or errno.EMFILE)


def _await(wire: socket.socket) -> None:
    poller = select.poll()
    poller.register(wire, select.POLLIN)
    poller.poll()


def _end(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    if not poller.poll(_PATIENCE_MS):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    os.waitpid(pid, 0)


def fork(act: Callable[[], None]) -> int:
    """Fork; the child does `act` and never comes back."""
    pid = os.fork()
    if pid:
        return pid
    code = ExitCode.BUG
    try:
        act()
        code = ExitCode.DONE
    finally:
        os._exit(code)


def _serve(wire: socket.socket) -> None:
    # Loaded there alone, beside what the engine does next.
    importlib.import_module("dagfs.engine.hatchery").serve(wire)
