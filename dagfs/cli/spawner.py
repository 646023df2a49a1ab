"""`python -m dagfs.cli.spawner FD`: forks a `dagfs` command for each request of a scheduler or web page.

It has one thread, holds no lock and has read no home, so its children are like fresh processes but for
the time they would need to load. A home's plugins are loaded by the child that opens it. It ends with the
scheduler.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from dagfs.cli.main import main, verb_parser
from dagfs.cli.parser import global_options
from dagfs.engine import hatchery  # noqa: F401 - loaded for the engines that are forked from here
from dagfs.engine.rehearsal import rehearse
from dagfs.engine.shim import close_inherited
from dagfs.engine.title import title_process
from dagfs.errors import ExitCode
from dagfs.scheduler.spawner import REPLY, REQUEST
from dagfs.store.record import warm_up

_VERBS = ("run", "retry", "stop", "plan")
_FDS = 4
_MOST_HELD = 32
"""Children that may wait for each other."""


class Gate:
    """Holds back what is forked for requests that come at once, until all of that is forked.

    Else the first ones would take the processors from this program, and the last would begin late.
    """

    def __init__(self) -> None:
        self._ends = (-1, -1)
        self.held = 0

    def shut(self) -> None:
        """Before the fork of one more child."""
        if not self.held:
            self._ends = os.pipe2(os.O_CLOEXEC)
        self.held += 1

    def wait(self) -> None:
        """In a child: until it may go, or the program that forked it is gone."""
        os.close(self._ends[1])
        os.read(self._ends[0], 1)

    def open(self) -> None:
        """Let all go."""
        if self.held:
            for end in self._ends:
                os.close(end)
            self.held = 0


def serve(wire: socket.socket) -> None:
    """Start what is asked for, and say how it ended, until the scheduler is gone."""
    going: dict[int, tuple[int, int]] = {}
    gate = Gate()
    poller = select.poll()
    poller.register(wire, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poller.poll(0 if gate.held else None)]
        if wire.fileno() not in ready or gate.held >= _MOST_HELD:
            gate.open()
        for fd in ready:
            if fd in going:
                poller.unregister(fd)
                os.close(fd)
                pid, ticket = going.pop(fd)
                _reply(wire, ticket, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            request, fds = _receive(wire)
            if len(request) != REQUEST.size:
                gate.open()
                return
            (ticket,) = REQUEST.unpack(request)
            pid, pidfd = _start(fds, gate)
            if pid:
                going[pidfd] = pid, ticket
                poller.register(pidfd, select.POLLIN)
            else:
                _reply(wire, ticket, ExitCode.IO_ERROR)


def _receive(wire: socket.socket) -> tuple[bytes, list[int]]:
    """The next request; empty once the scheduler is gone and all it asked for has been begun."""
    while True:
        try:
            request, fds, _, _ = socket.recv_fds(wire, REQUEST.size, _FDS)
        except ConnectionResetError:
            # Said once, where answers are left unread; what was asked before is still to come.
            continue
        return request, fds


def _reply(wire: socket.socket, ticket: int, code: int) -> None:
    # Where the scheduler has gone, what it asked for is still there to be begun.
    with suppress(OSError):
        wire.send(REPLY.pack(ticket, code))


def _start(fds: list[int], gate: Gate) -> tuple[int, int]:
    """Fork a child for a request: its pid and pidfd, or zeros, with the reason in its standard error."""
    pid = 0
    try:
        if len(fds) != _FDS:
            return 0, 0
        gate.shut()
        pid = os.fork()
        if not pid:
            words, given, output, errors = fds
            _be_the_command(gate, words, given, output, errors)
        return pid, os.pidfd_open(pid)
    except OSError as error:
        if pid:
            # Nobody could hear of its end; it is too young to have done anything.
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.write(fds[-1], f"cannot start a process: {error.strerror}".encode())
        return 0, 0
    finally:
        for fd in fds:
            os.close(fd)


def _be_the_command(gate: Gate, words: int, given: int, output: int, errors: int) -> None:
    """All of the child's life: the same as `dagfs WORDS`."""
    code: int = ExitCode.BUG
    try:
        gate.wait()
        os.setsid()
        with open(words, encoding="ascii", closefd=False) as file:
            sys.argv = ["dagfs", *json.load(file)]
        os.dup2(given, 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        close_inherited()
        title_process("dagfs", title(sys.argv[1:]))
        gc.enable()
        code = main(sys.argv[1:])
    finally:
        os._exit(code)


def title(words: Sequence[str]) -> str:
    """What `ps` shows: the verb, and the run or whatever else it is about; params are nobody's business."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] == "-C" else 1]
    about = rest[rest.index("--id") + 1] if "--id" in rest[:-1] else " ".join(rest[1:][-1:])
    return " ".join(["dagfs", *rest[:1], about]).rstrip()


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
