"""The process that shims are forked from: small, and made before the engine has locks or threads.

Engine and zygote talk through a stream socket: a request is its length and a `Launch`; the reply is a pid
with its pidfd, or an error number. The zygote ends when the engine's end of the socket closes.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dagfs.engine.launch import Launch
from dagfs.errors import DagfsError, ExitCode
from dagfs.model.value import frozen

LENGTH = struct.Struct("!Q")
REPLY = struct.Struct("!ii")
_PATIENCE_MS = 2000


class LaunchFailed(DagfsError):
    """This machine has no process or descriptor to spare just now. Nothing was started: try again later."""

    exit_code = ExitCode.IO_ERROR


class ZygoteDied(DagfsError):
    """The zygote is gone: this engine can start nothing more. What it started goes on."""

    exit_code = ExitCode.IO_ERROR


@frozen
class Child:
    """A shim that was started; the pidfd is the caller's to close, and readable once the shim has ended."""

    pid: int
    pidfd: int


class Zygote:
    """The engine's side."""

    def __init__(self, pid: int, wire: socket.socket) -> None:
        self.pid = pid
        self._wire = wire

    @classmethod
    def start(cls) -> Self:
        """Fork the zygote. Only while this process has one thread; raises LaunchFailed."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _refused(error.errno or 0) from None
        # Blocked in the child for good: a shim is signalled from its first instant on, but hears later.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = fork(lambda: _serve(theirs))
        except OSError as error:
            ours.close()
            raise _refused(error.errno or 0) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()
        return cls(pid, ours)

    def launch(self, launch: Launch) -> Child:
        """Start a shim; it has begun its work, not necessarily the step's process.

        Raises LaunchFailed (try again later) and ZygoteDied. A shim whose engine closes the zygote before it
        has begun its record starts nothing.
        """
        frame = launch.as_bytes()
        # The pidfd is received into this one's place, so that a full table fails before anything starts.
        try:
            spare = os.dup(self._wire.fileno())
        except OSError as error:
            if self._wire.fileno() < 0:
                raise _died() from None
            raise _refused(error.errno or 0) from None
        try:
            self._wire.sendall(LENGTH.pack(len(frame)) + frame)
            _await(self._wire)
            os.close(spare)
            spare = -1
            reply, fds, _, _ = socket.recv_fds(self._wire, REPLY.size, 1)
        except OSError:
            reply, fds = b"", []
        except BaseException:
            # Half a conversation cannot be taken up again.
            self._wire.close()
            raise
        finally:
            if spare >= 0:
                os.close(spare)
        return _child(reply, fds)

    def close(self) -> None:
        """End the zygote; the shims go on."""
        self._wire.close()
        if self.pid <= 0:
            return
        pid, self.pid = self.pid, 0
        try:
            _end(pid)
        except (ChildProcessError, ProcessLookupError):
            # Someone else's waitpid took it.
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refused(number: int) -> LaunchFailed:
    return LaunchFailed(
        f"cannot start a process: {os.strerror(number)}",
        hint="look at `ulimit -u`, `ulimit -n` and free memory",
    )


def _died() -> ZygoteDied:
    return ZygoteDied(
        "the process that starts steps is gone",
        hint="something killed it: `dagfs retry` goes on with the run",
    )


def _child(reply: bytes, fds: list[int]) -> Child:
    if len(reply) != REPLY.size:
        raise _died()
    pid, number = REPLY.unpack(reply)
    if number:
        raise _refused(number)
    if not fds:
        raise ZygoteDied(f"lost sight of process {pid}: too many open files", hint="raise `ulimit -n`")
    return Child(pid, fds[0])


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
