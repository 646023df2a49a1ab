"""`dagfs export`: a whole run as one file, for another machine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dagfs.cli.command import Command, add_run, shown
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_run
from dagfs.engine.transfer import export_run
from dagfs.errors import Refused, UsageError

EXAMPLES = """
examples:
  dagfs export @ > run.tar.gz
  dagfs export nightly@-1 -o run.tar.gz
  dagfs export @ | ssh desk dagfs -C home import -

The archive has everything: specs, logs, outputs, artifacts, the work folder, sub-DAGs. Look what is in
them before you pass it on; secrets that dagfs knows of are masked in logs and outputs alone.
exit codes: 0 done, 5 steps are still running or the file is there, 75 an engine owns the run
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write into this new file [standard output]")


def run(command: Command) -> int:
    engine = opened(command)
    run_id = wanted_run(command, engine.home)
    name = command.options.output
    if not name or name == "-":
        if sys.stdout.isatty():
            raise UsageError("an archive is nothing for a terminal", hint="say -o FILE, or > FILE")
        export_run(engine, run_id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    path = Path(name)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(f"{name} exists already", hint="name another file") from None
    try:
        with open(fd, "wb") as file:
            export_run(engine, run_id, file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    command.output.line(shown(path))
    return 0
