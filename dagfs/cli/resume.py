"""`dagfs resume`: have a paused DAG started by itself again."""

from __future__ import annotations

import argparse
from contextlib import suppress

from dagfs.cli.command import Command
from dagfs.cli.output import visible
from dagfs.cli.pause import dag_name, ledger_of
from dagfs.cli.place import root
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import now
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, NotFound, NothingToDo, UsageError
from dagfs.scheduler.shelf import Shelf
from dagfs.store.ledger import Ledger, Watermark

EXAMPLES = """
examples:
  dagfs resume nightly-import

What was due while it was paused is not made up for; `dagfs backfill` does that.
Files that came meanwhile start their runs now.
exit codes: 0 done, 7 it was not paused
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name, or a file")


def run(command: Command) -> int:
    home, name = read_home(root(command)), command.options.dag
    ledger = ledger_of(home)
    if name not in ledger.paused():
        # One whose file has gone can be resumed by its name alone.
        with suppress(NotFound, UsageError):
            name = dag_name(home, name)
    if name not in ledger.paused():
        raise NothingToDo(f"{name} is not paused", hint="`dagfs scheduler --status` lists what is")
    _pass_over(home, ledger, name)
    ledger.resume(name)
    command.output.say(visible(f"{name} is no longer paused"))
    return ExitCode.DONE


def _pass_over(home: Home, ledger: Ledger, name: str) -> None:
    """Move the watermark past the pause, so that it is not taken for time without a scheduler."""
    shelf = Shelf(home.paths, reading_options(home), settle_sec=0)
    shelf.rescan()
    for key, dag in shelf.dags.items():
        if dag.name == name and dag.schedule.entries:
            before = ledger.watermark(key)
            ledger.set_watermark(key, Watermark(now(), dag.digest, dealt=before.dealt if before else ()))
