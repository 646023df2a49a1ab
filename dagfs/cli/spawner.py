"""`python -m dagfs.cli.spawner FD`: forks a `dagfs` command for each request of a scheduler or web page.

It has one thread, holds no lock and has read no home, so its children are like fresh processes but for
the time they would need to load. A home's plugins are loaded by the child that opens it. It ends with the
scheduler.

A child may be forked before there is anything to do for it; so one that is due in a moment finds it ready.
Through a socket it is given a command: four descriptors. It answers with an exit code where that is known
before its end: a run that goes on in the background exists.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from dagfs.cli.detach import is_in_background
from dagfs.cli.main import main, verb_parser
from dagfs.cli.parser import global_options
from dagfs.engine import hatchery  # noqa: F401 - loaded for the engines that are forked from here
from dagfs.engine.rehearsal import practise, rehearse
from dagfs.engine.shim import close_inherited
from dagfs.engine.title import title_process
from dagfs.errors import ExitCode
from dagfs.scheduler.spawner import REPLY, REQUEST
from dagfs.store.record import warm_up

_VERBS = ("run", "retry", "stop", "plan")
_FDS = 4
_CODE = struct.Struct("!i")
_GIVE = b"!"
_MOST_HELD = 32
"""Commands that may wait for each other."""
_READY_SEC = 5.0
"""So long a child waits for a command."""


@dataclass(slots=True, eq=False)
class Child:
    """One that was forked from here."""

    pid: int
    pidfd: int
    line: socket.socket
    ticket: int = 0
    """The number of what it does, until that is answered; 0 for nothing."""


class Children:
    """Those who wait for a command, and those who carry one out."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._poller = select.poll()
        self._poller.register(wire, select.POLLIN)
        self._by_fd: dict[int, Child] = {}
        self._free: list[Child] = []
        self._free_until = 0.0
        self._held: list[tuple[Child, list[int]]] = []

    @property
    def held(self) -> int:
        """Commands that are still to be given."""
        return len(self._held)

    def wait(self) -> list[int]:
        """The descriptors of which there is something to hear."""
        limit = None
        if self._held:
            limit = 0.0
        elif self._free:
            limit = max(0.0, self._free_until - time.monotonic()) * 1000
        return [fd for fd, _ in self._poller.poll(limit)]

    # -- making ready -------------------------------------------------------------------------

    def make_ready(self, count: int) -> None:
        """Have so many that wait for a command."""
        self._free_until = time.monotonic() + _READY_SEC
        with suppress(OSError):
            while len(self._free) < count:
                self._free.append(self._fork(practised=True))

    def dismiss(self) -> None:
        """Let those go that have waited long enough."""
        if self._free and time.monotonic() >= self._free_until:
            for child in self._free:
                self._hang_up(child)
            self._free.clear()

    def _fork(self, *, practised: bool = False) -> Child:
        ours, theirs = socket.socketpair()
        pid = 0
        try:
            pid = os.fork()
            if not pid:
                _live(theirs, practised=practised)
            child = Child(pid, os.pidfd_open(pid), ours)
        except BaseException:
            ours.close()
            if pid:
                # Nobody could hear of its end; it has done nothing yet.
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            raise
        finally:
            theirs.close()
        self._by_fd[child.pidfd] = self._by_fd[ours.fileno()] = child
        self._poller.register(child.pidfd, select.POLLIN)
        return child

    # -- a command ----------------------------------------------------------------------------

    def take(self, ticket: int, fds: list[int]) -> None:
        """A command for the next one; it is given with what else comes at once.

        Else the first ones would take the processors from this program, and the last would begin late.
        """
        try:
            if len(fds) != _FDS:
                raise OSError(0, "its descriptors are missing")
            child = self._free.pop() if self._free else self._fork()
        except OSError as error:
            if fds:
                os.write(fds[-1], f"cannot start a process: {error.strerror}".encode())
            _close(fds)
            self._reply(ticket, ExitCode.IO_ERROR)
            return
        child.ticket = ticket
        self._poller.register(child.line, select.POLLIN)
        self._held.append((child, fds))

    def give(self) -> None:
        """Give all their commands."""
        for child, fds in self._held:
            # Of one that was killed its end tells.
            with suppress(OSError):
                socket.send_fds(child.line, [_GIVE], fds)
            _close(fds)
        self._held.clear()

    # -- what becomes of it -------------------------------------------------------------------

    def hear(self, fd: int) -> None:
        """What a child says, or that it has ended."""
        child = self._by_fd.get(fd)
        if child is None:
            return
        if child.line.fileno() >= 0:
            self._listen(child)
        if fd == child.pidfd:
            self._bury(child)

    def _listen(self, child: Child) -> None:
        try:
            said = child.line.recv(_CODE.size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if len(said) == _CODE.size:
            self._answer(child, *_CODE.unpack(said))
        self._hang_up(child)

    def _hang_up(self, child: Child) -> None:
        if child.line.fileno() >= 0:
            del self._by_fd[child.line.fileno()]
            with suppress(KeyError):
                self._poller.unregister(child.line)
            child.line.close()

    def _bury(self, child: Child) -> None:
        self._hang_up(child)
        self._poller.unregister(child.pidfd)
        del self._by_fd[child.pidfd]
        os.close(child.pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        if child in self._free:
            self._free.remove(child)
        self._answer(child, code)

    def _answer(self, child: Child, code: int) -> None:
        if child.ticket:
            self._reply(child.ticket, code)
            child.ticket = 0

    def _reply(self, ticket: int, code: int) -> None:
        # Where the scheduler has gone, what it asked for is still there to be begun.
        with suppress(OSError):
            self._wire.send(REPLY.pack(ticket, code))


def serve(wire: socket.socket) -> None:
    """Start what is asked for, and say how it ended, until the scheduler is gone."""
    children = Children(wire)
    while True:
        ready = children.wait()
        for fd in ready:
            children.hear(fd)
        if wire.fileno() not in ready or children.held >= _MOST_HELD:
            children.give()
        if wire.fileno() in ready:
            request, fds = _receive(wire)
            if len(request) != REQUEST.size:
                children.give()
                return
            ticket, count = REQUEST.unpack(request)
            if ticket:
                children.take(ticket, fds)
            else:
                children.make_ready(count)
        children.dismiss()


def _receive(wire: socket.socket) -> tuple[bytes, list[int]]:
    """The next request; empty once the scheduler is gone and all it asked for has been begun."""
    while True:
        try:
            request, fds, _, _ = socket.recv_fds(wire, REQUEST.size, _FDS)
        except ConnectionResetError:
            # Said once, where answers are left unread; what was asked before is still to come.
            continue
        return request, fds


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


# -- in a child -------------------------------------------------------------------------------


def _live(line: socket.socket, *, practised: bool) -> None:
    """All of a child's life: it waits for words, and is then the same as `dagfs WORDS`."""
    code: int = ExitCode.BUG
    try:
        os.setsid()
        title_process("dagfs-ready")
        close_inherited(line.fileno())
        if practised:
            practise()
        given, fds, _, _ = socket.recv_fds(line, len(_GIVE), _FDS)
        code = _carry_out(line, fds) if given else ExitCode.DONE
    finally:
        os._exit(code)


def _carry_out(line: socket.socket, fds: list[int]) -> int:
    with open(fds[0], encoding="ascii") as file:
        sys.argv = ["dagfs", *json.load(file)]
    for number, fd in enumerate(fds[1:]):
        os.dup2(fd, number)
        os.close(fd)
    title_process("dagfs", title(sys.argv[1:]))

    def answer() -> None:
        # Where the scheduler's end of it is gone, the run goes on all the same.
        with suppress(OSError):
            line.send(_CODE.pack(ExitCode.DONE))
        line.close()

    is_in_background(answer)
    gc.enable()
    return main(sys.argv[1:])


def title(words: Sequence[str]) -> str:
    """What `ps` shows: the verb, and the run or whatever else it is about; params are nobody's business."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] == "-C" else 1]
    about = rest[rest.index("--id") + 1] if "--id" in rest[:-1] else " ".join(rest[1:][-1:])
    return " ".join(["dagfs", *rest[:1], about]).rstrip()


# -- the program ------------------------------------------------------------------------------


def prepare() -> None:
    """Load what commands need, but nothing that belongs to a home."""
    # Parsers are made once, and so that the patterns argparse goes by are compiled.
    global_options().parse_args([])
    for verb in _VERBS:
        verb_parser(verb)[1].format_usage()
    rehearse()
    warm_up()
    gc.collect()
    gc.disable()
    gc.freeze()


def spawn(fd: int) -> int:
    """The whole program."""
    title_process("dagfs-spawner")
    # Somebody who is asked to end lets the scheduler know by being gone.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    prepare()
    with socket.socket(fileno=fd) as wire:
        serve(wire)
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(spawn(int(sys.argv[1])))
