"""Chooses how a run is told while it goes: as a live table on a terminal, else in lines."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, cast

from dagfs.cli.command import Command
from dagfs.cli.narration import Narrator
from dagfs.cli.region import is_foreground
from dagfs.engine.location import now
from dagfs.model.event import Event
from dagfs.model.run import Run

_STOPPING = "^C stops it (twice kills)"


class Teller(AbstractContextManager["Teller"], Protocol):
    """Tells the events of a run as they come."""

    def begin(self, run_id: str, title: str) -> None:
        """The next events are of this run's newest attempt, which exists; `title` is a line about it."""

    def __call__(self, event: Event) -> None: ...


def add_plain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plain", action="store_true", help="lines instead of a live table, on a terminal too"
    )


def telling(
    command: Command, load: Callable[[str], Run], *, as_data: bool = False, footer: str = _STOPPING
) -> Teller:
    """What tells of a run to this command's user.

    With `as_data` the telling is what was asked for and goes to standard output; else it is beside the matter
    and goes to standard error. A live table needs a terminal at both.
    """
    options, output = command.options, command.output
    stream = output.canvas(data=as_data)
    in_lines = options.json or options.plain or getattr(options, "detach", False)
    if stream is None or in_lines or not is_foreground(stream.fileno()):
        return Narrator(output, as_json=options.json, as_data=as_data)
    # By name, so that nothing of it is imported where there is no terminal.
    live = importlib.import_module("dagfs.cli.live").Live
    made = live(stream, color=output.paints(stream), load=load, now=now, footer=footer)
    return cast("Teller", made)
