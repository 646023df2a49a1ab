"""Shows what a verb prints through the user's pager, on a terminal only."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dagfs.cli.command import Command
from dagfs.cli.programs import find_program

_DEFAULT = "less"
_LESS = "FRX"
"""Leave at once what fits the screen, show colours, leave the text standing."""


@contextmanager
def paged(command: Command) -> Iterator[None]:
    """While entered, standard output leads to the pager, where one is wanted; leaving waits for its end."""
    pager = _wanted(command)
    if pager is None:
        yield
        return
    sys.stdout.flush()
    before = os.dup(1)
    pid = _start(pager)
    # ^C is for the pager, which goes back to its prompt; the terminal must stay its own.
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    except BrokenPipeError:
        pass  # the user has seen enough
    finally:
        _leave(before)
        os.waitpid(pid, 0)
        signal.signal(signal.SIGINT, old)


def _wanted(command: Command) -> list[str] | None:
    """The pager's words; None where output goes straight on."""
    if not command.output.is_terminal or command.options.no_pager or os.environ.get("TERM", "dumb") == "dumb":
        return None
    chosen = os.environ.get("DAGFS_PAGER", os.environ.get("PAGER", _DEFAULT))
    try:
        words = shlex.split(chosen)
    except ValueError:
        words = [chosen]
    if not words or words == ["cat"]:
        return None
    program = find_program(words[0])
    if program is None:
        if chosen != _DEFAULT:
            command.output.say(f"the pager {words[0]} was not found", style="yellow")
        return None
    return [program, *words[1:]]


def _start(words: list[str]) -> int:
    """Fork the pager; from then on what is printed goes to it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(reader, 0)
            os.environ.setdefault("LESS", _LESS)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execv(words[0], words)
        finally:
            os._exit(127)
    os.close(reader)
    os.dup2(writer, 1)
    os.close(writer)
    return pid


def _leave(before: int) -> None:
    """Give standard output back; what the pager did not take is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        with suppress(OSError):
            sys.stdout.flush()
    os.dup2(before, 1)
    os.close(before)
