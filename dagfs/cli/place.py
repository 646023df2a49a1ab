"""The home and the run that a command line means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from dagfs.cli.command import Command
from dagfs.engine.location import Reading, find_home, open_reading
from dagfs.errors import NotFound, UsageError
from dagfs.store.files import Disk
from dagfs.store.runs import RunStore
from dagfs.store.waiting import Queue


class _WithStore(Protocol):
    @property
    def store(self) -> RunStore: ...


def root(command: Command) -> Path:
    """The folder of the home. NotFound where there is none."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise NotFound("the folder you are in does not exist any more", hint="cd to another one") from None
    return find_home(command.options.home, here, os.environ)


def reading(command: Command) -> Reading:
    """The home, for verbs that only look."""
    return open_reading(root(command))


def queue_of(home: Reading) -> Queue:
    """What waits in its queues, for verbs that only look."""
    return Queue(Disk(), home.paths.scheduler)


def wanted_run(command: Command, home: _WithStore) -> str:
    """The run that the command line names."""
    return home.store.find(command.options.run)


def wanted_root(command: Command, home: _WithStore) -> str:
    """As `wanted_run`, but for a child the run at its root: a family is stopped and goes on as a whole."""
    root, _, child = wanted_run(command, home).partition("/")
    if child and getattr(command.options, "spec", None):
        raise UsageError(
            f"--spec is for whole runs, and {child} is a child of {root}",
            hint=f"dagfs edit {root}/{child} --from FILE",
        )
    if child:
        command.output.say(f"{child} is a child: this is about all of run {root}")
    return root
