"""Runs `dagfs` commands by having a process forked that has dagfs loaded already.

That process, the spawner, is a program of its own with one thread (`dagfs.cli.spawner`): what it forks
inherits neither the scheduler's threads nor its descriptors, and begins in milliseconds. The two talk
through a socket: a request is a number and four descriptors (the words as JSON, standard input, standard
output, standard error), the answer that number with an exit code. A request without a number says how many
more are to be expected.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from dagfs.errors import ExitCode

REQUEST = struct.Struct("!QI")
REPLY = struct.Struct("!Qi")
PROGRAM = "dagfs.cli.spawner"
_BEGIN_AGAIN_SEC = 5.0
_END_SEC = 1.0
_ROOM = 150
"""The zeros before a number make room in the command line for the titles of what is forked."""
_TAKEN_SEC = 5.0
_OF_THE_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")
"""What systemd tells the scheduler alone."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    ticket: int
    code: int
    """Its exit code; negative where a signal killed it."""
    output: bytes = b""
    """What it printed."""
    said: str = ""
    """What it complained of, on standard error."""

    @property
    def error(self) -> str:
        """The first line of what it complained of."""
        lines = (line.removeprefix("dagfs: ") for line in self.said.splitlines() if not line.startswith("  "))
        return next((line for line in lines if line and "warning" not in line), "")


class Spawner:
    """The scheduler's side. A spawner that dies is replaced; what it was asked for is reported as failed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None
        self._asked: dict[int, tuple[int, int]] = {}
        self._lost: list[int] = []
        self._heard: list[Ended] = []
        self._tickets = 0
        self._is_old = False
        self._began = -_BEGIN_AGAIN_SEC

    @property
    def pid(self) -> int:
        """The process, 0 while there is none."""
        return self._process.pid if self._process else 0

    def fileno(self) -> int:
        """Readable once a command has ended; -1 while there is nothing to wait for."""
        return self._wire.fileno() if self._wire else -1

    def ask(self, words: Sequence[str], text: bytes = b"") -> int:
        """Have `dagfs WORDS` run with `text` on its standard input; a number that `ended` tells it by.

        OSError where it cannot be asked for now; nothing was started then.
        """
        self._tickets += 1
        answers = os.memfd_create("output"), os.memfd_create("errors")
        try:
            self._send(json.dumps(list(words)).encode(), text, answers)
        except BaseException:
            _close(answers)
            raise
        self._asked[self._tickets] = answers
        return self._tickets

    def expect(self, count: int) -> None:
        """Say that so many are to be asked for within seconds. Without that they begin later, and no more."""
        if self._wire is not None:
            with suppress(OSError):
                self._wire.send(REQUEST.pack(0, count))

    def _send(self, words: bytes, text: bytes, answers: tuple[int, int]) -> None:
        with _memory(words) as said, _memory(text) as given:
            fds = [said.fileno(), given.fileno(), *answers]
            try:
                self._put(fds)
            except (BrokenPipeError, ConnectionResetError):
                self._lose()
                self._put(fds)

    def _put(self, fds: list[int]) -> None:
        wire = self._wire or self._begin()
        deadline = time.monotonic() + _TAKEN_SEC
        while True:
            try:
                socket.send_fds(wire, [REQUEST.pack(self._tickets, 0)], fds)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    # It takes nothing any more: stopped, or swapped out for good.
                    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
                # It may be waiting for somebody to hear its answers.
                self._listen()
                if self._wire is not wire:
                    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
                poller = select.poll()
                poller.register(wire, select.POLLOUT | select.POLLIN)
                poller.poll(100)

    def ended(self) -> list[Ended]:
        """The commands that have ended since the last call."""
        self._listen()
        found, self._heard = self._heard, []
        lost, self._lost = self._lost, []
        gone = "the process that starts runs was ended"
        return found + [Ended(ticket, ExitCode.IO_ERROR, said=gone) for ticket in lost]

    def _listen(self) -> None:
        while self._wire is not None:
            try:
                reply = self._wire.recv(REPLY.size)
            except BlockingIOError:
                break
            except ConnectionError:
                reply = b""
            if len(reply) != REPLY.size:
                self._lose()
                break
            ticket, code = REPLY.unpack(reply)
            output, errors = map(_taken, self._asked.pop(ticket))
            self._heard.append(Ended(ticket, code, output, errors.decode("utf-8", "replace")))

    def keep_ready(self) -> None:
        """Have one that waits for work, so that nobody has to wait for it."""
        if self._is_old and not self._asked:
            self.close()
        if self._wire is None and time.monotonic() - self._began >= _BEGIN_AGAIN_SEC:
            with suppress(OSError):
                self._begin()

    def renew(self) -> None:
        """Have a new one soon, with programs and environment as they are now; the old one finishes first."""
        self._is_old = True

    def close(self, patience: float = _END_SEC) -> None:
        """End it once all it was asked for has begun, or after so many seconds. What it started goes on."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        for answers in self._asked.values():
            _close(answers)
        self._asked.clear()
        self._began = -_BEGIN_AGAIN_SEC
        self._reap(patience)

    def _begin(self) -> socket.socket:
        """Start the process. It has the scheduler's environment, and no descriptor but its socket."""
        self._began, self._is_old = time.monotonic(), False
        # Not of packets: the kernel holds ten at most. What carries descriptors is never joined either.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM, str(theirs.fileno()).zfill(_ROOM)],
                env={name: value for name, value in os.environ.items() if name not in _OF_THE_SERVICE},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._wire = ours
        return ours

    def _lose(self) -> None:
        """It is gone, or says what makes no sense: nobody knows what came of what it was asked for."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        for answers in self._asked.values():
            _close(answers)
        self._lost += self._asked
        self._asked.clear()
        self._reap(0)

    def _reap(self, patience: float) -> None:
        """Take note of its end, which is not waited for any longer than that, in seconds."""
        if self._process is None:
            return
        pidfd = os.pidfd_open(self._process.pid)
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            poller.poll(patience * 1000)
        finally:
            os.close(pidfd)
        # Of one that has ended nothing is left to kill.
        self._process.kill()
        self._process.wait()
        self._process = None


def _memory(data: bytes) -> BinaryIO:
    """A file that is nowhere, to read `data` from."""
    file = os.fdopen(os.memfd_create("given"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def _taken(fd: int) -> bytes:
    """All that is in a file, which is closed."""
    with open(fd, "rb") as file:
        file.seek(0)
        return file.read()


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
