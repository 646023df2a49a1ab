"""Takes in a run that `dagfs export` wrote: the part of `dagfs import` that is about runs."""

from __future__ import annotations

import sys
from pathlib import Path

from dagfs.cli.command import Command
from dagfs.cli.opened import opened
from dagfs.cli.output import next_commands
from dagfs.engine.transfer import import_run
from dagfs.errors import NotFound


def take_in(command: Command, name: str, new_id: str) -> int:
    """The archive is a file, or standard input for `-`."""
    engine = opened(command)
    if name == "-":
        run_id = import_run(engine, sys.stdin.buffer, new_id)
    else:
        try:
            file = Path(name).open("rb")  # noqa: SIM115 - an error of opening is not one of importing
        except OSError as error:
            raise NotFound(f"cannot read {name}: {error.strerror}") from None
        with file:
            run_id = import_run(engine, file, new_id)
    command.output.line(run_id)
    next_commands(command.output, {f"dagfs status {run_id}": "how it stands"})
    return 0
