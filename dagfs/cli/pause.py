"""`dagfs pause`: have a DAG not started by itself until it is resumed."""

from __future__ import annotations

import argparse

from dagfs.cli.command import Command
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.finding import files_named
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import current_actor, now
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, NotFound, UsageError
from dagfs.spec.parse import parse
from dagfs.store import dags
from dagfs.store.ledger import Ledger

EXAMPLES = """
examples:
  dagfs pause nightly-import --reason "the warehouse is down"
  dagfs resume nightly-import

While it is paused, instants that are due are passed over; `dagfs run` works as ever.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name, or a file")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for others to see")


def run(command: Command) -> int:
    home = read_home(root(command))
    name = dag_name(home, command.options.dag)
    ledger = ledger_of(home)
    ledger.pause(name, str(current_actor()), command.options.reason)
    command.output.say(visible(f"{name} is paused; `dagfs resume {name}` ends that"))
    return ExitCode.DONE


def ledger_of(home: Home) -> Ledger:
    """The schedulers' ledger, ready to be written to."""
    home.store.ensure()
    ledger = Ledger(home.disk, home.paths.scheduler, now)
    ledger.prepare()
    return ledger


def dag_name(home: Home, word: str) -> str:
    """The name of the DAG that a word means, however many files have it. NotFound, UsageError.

    A broken file goes by its own.
    """
    try:
        path = dags.find(home.paths, word)
    except (NotFound, UsageError):
        if any(files_named(home, word)):
            return word
        raise
    reading = parse(dags.read(path), str(path), options=reading_options(home))
    return reading.dag.name if reading.dag else path.stem
