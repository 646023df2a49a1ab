"""Keeps a few `dagfs` verbs at work, each in a process of its own, until a signal ends them all."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dagfs.errors import ExitCode
from dagfs.scheduler.systemd import Systemd

_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE_SEC, _LONGEST_PAUSE_SEC = 0.5, 30.0
_WELL_SEC = 60.0
"""One that lived that long begins with the shortest pause again."""
_END_SEC = 1.4
"""So long an end may take; what does not end by then is killed."""
_STOPS_SEC = 10.0
"""And where runs are stopped first."""
_prctl = ctypes.CDLL(None).prctl


@dataclass
class Member:
    """One process that is kept at work."""

    name: str
    words: Callable[[], Sequence[str]]
    """The command line behind `dagfs`, for each start."""
    heard: Callable[[bytes], None] | None = None
    """Is given the first line that it prints, by which it is ready."""
    tells: bool = False
    """It says by `sd_notify` that it is ready."""
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    was_ready: bool = False
    pause: float = _FIRST_PAUSE_SEC
    began: float = 0.0
    again_at: float = 0.0
    renewing: bool = field(default=False)
    """It was asked to end so that it begins anew."""


class Upkeep:
    """Starts its members, starts again those that die, and ends them together."""

    def __init__(
        self, members: Sequence[Member], say: Callable[[str], None], ready: Callable[[], None]
    ) -> None:
        """`ready` is called once all are ready for the first time."""
        self._members, self._say, self._ready = members, say, ready
        self._systemd = Systemd(os.environ)
        self._selector = selectors.DefaultSelector()
        self._told: socket.socket | None = None
        self._ending = self._is_told = False
        self._to_begin = deque(members)
        self._code = 0

    def run(self) -> int:
        """Until SIGINT or SIGTERM; an exit code. One that cannot even begin ends all, with its code."""
        with self._signals(), self._notices():
            self._begin_next()
            while not self._ending:
                self._wait()
                for member in self._begun():
                    self._look_after(member)
            self._systemd.tell("STOPPING=1")
            self._end()
        return self._code

    # -- what it hears --------------------------------------------------------------------------

    @contextmanager
    def _signals(self) -> Iterator[None]:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: None) for number in _HEARD}
        self._selector.register(reader, selectors.EVENT_READ, self._signalled)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            reader.close()
            writer.close()

    def _signalled(self, wire: socket.socket) -> None:
        with suppress(BlockingIOError):
            for number in wire.recv(256):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._ending = True
                elif number == signal.SIGHUP:
                    self._reload()

    @contextmanager
    def _notices(self) -> Iterator[None]:
        """Where members say what `sd_notify(3)` says; what of it concerns systemd is passed on."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as self._told:
            self._told.setblocking(False)
            self._told.bind(f"\0dagfs-up-{os.getpid()}-{os.urandom(6).hex()}")
            self._selector.register(self._told, selectors.EVENT_READ, self._noticed)
            yield

    def _noticed(self, wire: socket.socket) -> None:
        with suppress(BlockingIOError):
            lines = wire.recv(65536).decode("utf-8", "replace").splitlines()
            if "READY=1" in lines:
                self._is_now_ready(next(each for each in self._members if each.tells))
            self._systemd.tell(*[line for line in lines if line.startswith(("STATUS=", "WATCHDOG="))])

    def _printed(self, member: Member) -> Callable[[socket.socket], None]:
        def read(_: object) -> None:
            assert member.process is not None
            assert member.process.stdout is not None
            line = member.process.stdout.readline()
            self._selector.unregister(member.process.stdout)
            if line and member.heard is not None:
                member.heard(line)
                self._is_now_ready(member)

        return read

    def _is_now_ready(self, member: Member) -> None:
        member.is_ready = member.was_ready = True
        self._begin_next()
        if not self._is_told and all(each.is_ready for each in self._members):
            self._is_told = True
            self._ready()
            self._systemd.tell("READY=1")

    # -- members --------------------------------------------------------------------------------

    def _begin_next(self) -> None:
        """One after the other: what cannot begin is found out before the next has done anything."""
        if self._to_begin and not self._ending:
            self._start(self._to_begin.popleft())

    def _begun(self) -> list[Member]:
        return [each for each in self._members if each not in self._to_begin]

    def _start(self, member: Member) -> None:
        env = {name: value for name, value in os.environ.items() if name not in _OF_THE_SERVICE}
        if member.tells and self._told is not None:
            env["NOTIFY_SOCKET"] = "@" + self._told.getsockname()[1:].decode()
            if self._systemd.watchdog_sec:
                env["WATCHDOG_USEC"] = str(int(self._systemd.watchdog_sec * 1e6))
        parent = os.getpid()
        member.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dagfs.cli", *member.words()],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if member.heard else None,
            # ^C is for this process, which knows the order of things.
            start_new_session=True,
            # This process has one thread.
            preexec_fn=lambda: _end_with(parent),  # noqa: PLW1509
        )
        member.began, member.is_ready, member.renewing = time.monotonic(), False, False
        if member.process.stdout is not None:
            self._selector.register(member.process.stdout, selectors.EVENT_READ, self._printed(member))

    def _wait(self) -> None:
        pauses = [each.again_at - time.monotonic() for each in self._begun() if each.process is None]
        for key, _ in self._selector.select(max(0.0, min(pauses)) if pauses else None):
            key.data(key.fileobj)

    def _look_after(self, member: Member) -> None:
        if self._ending:
            return
        if member.process is None:
            if time.monotonic() >= member.again_at:
                self._start(member)
        elif (code := member.process.poll()) is not None:
            self._ended(member, code)

    def _ended(self, member: Member, code: int) -> None:
        """It has ended, which nobody asked it to, unless it was to begin anew."""
        self._forget(member)
        if not member.was_ready and not self._is_told:
            self._ending = True
            self._code = code if code > 0 else ExitCode.IO_ERROR
            return
        if member.renewing:
            self._start(member)
            return
        if time.monotonic() - member.began > _WELL_SEC:
            member.pause = _FIRST_PAUSE_SEC
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._say(f"the {member.name} {how}; it is started again in {member.pause:g} s")
        member.again_at = time.monotonic() + member.pause
        member.pause = min(_LONGEST_PAUSE_SEC, member.pause * 2)

    def _forget(self, member: Member) -> None:
        process, member.process = member.process, None
        if process is not None and process.stdout is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(process.stdout)
            process.stdout.close()

    def _reload(self) -> None:
        """The scheduler reads everything again; what prints its readiness begins anew, for it cannot."""
        for member in self._members:
            if member.process is not None:
                member.renewing = member.heard is not None
                member.process.send_signal(signal.SIGTERM if member.renewing else signal.SIGHUP)

    def _end(self) -> None:
        left = [each for each in self._members if each.process is not None]
        for member in left:
            _signal(member, signal.SIGTERM)
        patience = _STOPS_SEC if any("--stop-runs" in each.words() for each in left) else _END_SEC
        deadline = time.monotonic() + patience
        for member in left:
            assert member.process is not None
            try:
                member.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(member, signal.SIGKILL)
                member.process.wait()
            self._forget(member)


_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_OF_THE_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")


def _signal(member: Member, number: int) -> None:
    if member.process is not None:
        member.process.send_signal(number)


def _end_with(parent: int) -> None:
    """In a new process: it ends when the one that keeps it does, however that comes about."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
