"""Where a step's output goes: straight into a log, or through a pipe.

A pipe is there where a file beside the log gets the stream too, or where secrets are taken out of it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from dagfs.engine.launch import Launch
from dagfs.engine.masking import Mask
from dagfs.engine.spawn import Unstartable

_LOG = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Not blocking: a FIFO that nobody reads must hold up neither the start nor the step.
_TEE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Pump:
    """A pipe whose `write_end` the step gets, and the descriptors that what comes out of it goes to."""

    def __init__(self, targets: tuple[int, ...], mask: Mask | None = None) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.read_end, False)
        self._targets, self._mask = targets, mask
        self._capacity = fcntl.fcntl(self.read_end, fcntl.F_GETPIPE_SZ)
        self.lost = 0
        """Bytes that a target did not take."""

    def copy(self) -> int:
        """Copy what is there, at most one pipe full. Bytes copied; 0 at the end, -1 when it is only quiet."""
        try:
            data = os.read(self.read_end, self._capacity)
        except BlockingIOError:
            return -1
        self._pass_on(self._mask.feed(data) if self._mask else data)
        return len(data)

    def drain(self) -> None:
        """Copy what was written before this call, even where someone goes on writing for ever."""
        rest = self._capacity
        while rest > 0 and (copied := self.copy()) > 0:
            rest -= copied
        if self._mask:
            self._pass_on(self._mask.end())

    def _pass_on(self, data: bytes) -> None:
        for target in self._targets:
            self.lost += len(data) - _write(target, data)


def _write(target: int, data: bytes) -> int:
    """How many bytes of `data` the target took; a full disk or a closed FIFO does not stop the step."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(target, rest) :]
    except OSError:
        # The next piece is offered again, for the disk may have room by then.
        pass
    return len(data) - len(rest)


class Streams:
    """The step's standard output and error, opened. Streams with the same files are one."""

    def __init__(self, launch: Launch) -> None:
        """Raises Unstartable where a file cannot be opened."""
        self.pumps: list[Pump] = []
        self._group, self._secrets = launch.group, launch.secrets
        self._direct: list[int] = []
        self.stdout = self._open(launch.stdout, launch.tee_stdout)
        same = (launch.stdout, launch.tee_stdout) == (launch.stderr, launch.tee_stderr)
        self.stderr = self.stdout if same else self._open(launch.stderr, launch.tee_stderr)

    def _open(self, log: str, tee: str) -> int:
        fd = self._open_log(log)
        if not tee and not self._secrets:
            self._direct.append(fd)
            return fd
        targets = (fd, _open(tee, _TEE, 0o666)) if tee else (fd,)
        pump = Pump(targets, Mask(self._secrets) if self._secrets else None)
        self.pumps.append(pump)
        return pump.write_end

    def _open_log(self, path: str) -> int:
        fd = _open(path, _LOG, 0o600)
        os.set_blocking(fd, True)
        if self._group:
            # Another member's file has that mode already.
            with suppress(PermissionError):
                os.fchmod(fd, 0o660)
        return fd

    def hand_over(self) -> None:
        """Close what only the step is to hold, so that a pipe ends when its last writer does."""
        for fd in (*self._direct, *(pump.write_end for pump in self.pumps)):
            os.close(fd)

    @property
    def lost(self) -> int:
        """Bytes of output that a file did not take."""
        return sum(pump.lost for pump in self.pumps)


def _open(path: str, flags: int, mode: int) -> int:
    try:
        return os.open(path, flags, mode)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Unstartable(f"cannot write {path}: {reason}") from None
