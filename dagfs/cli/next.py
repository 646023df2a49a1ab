"""`dagfs next`: when scheduled runs come next."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dagfs.cli.command import Command, add_json, at_least, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.finding import find_dag
from dagfs.engine.home import Home, read_home
from dagfs.engine.listing import nothing_readable
from dagfs.engine.location import now
from dagfs.engine.moment import moment_of
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, ExitCode, SpecError
from dagfs.model.dag import Dag
from dagfs.scheduler.forecast import Coming, coming, note
from dagfs.spec.parse import read
from dagfs.store import dags
from dagfs.store.files import Disk
from dagfs.store.ledger import Ledger

EXAMPLES = """
examples:
  dagfs next                             the next ten starts of all DAGs
  dagfs next nightly-import -n 3
  dagfs next --from 2026-03-28 -n 4      over a change of the clocks, say
"""
_MOST = 10_000
"""None is printed before all are there, so that many more would look like a command that hangs."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", nargs="?", metavar="DAG", help="a DAG's name, or a file [all]")
    parser.add_argument(
        "-n", type=at_least(1, _MOST), default=10, metavar="N", help=f"how many [10], at most {_MOST}"
    )
    parser.add_argument("--from", dest="since", metavar="TIME", help="a date or an instant [now]")
    add_json(parser)


def run(command: Command) -> int:
    home, options = read_home(root(command)), command.options
    since = moment_of(options.since, f"--from {options.since}") if options.since else now()
    paused = Ledger(Disk(), home.paths.scheduler, now).paused()
    unread = dags.Unread()
    paths = [] if options.dag else dags.names(home.paths, unread)
    for error in unread.values():
        command.output.say(visible(error.message), style="red")
    wanted = _named(home, options.dag) if options.dag else _all(command, home, paths)
    rows = coming(home, wanted, since, options.n)
    if options.json:
        command.output.json([row.as_data(paused) for row in rows])
    elif not rows:
        command.output.say("nothing is scheduled" + (" in what can be read" if unread else ""))
    else:
        command.output.table([_row(row, paused) for row in rows])
    return ExitCode.IO_ERROR if nothing_readable(paths, unread) else ExitCode.DONE


def _named(home: Home, word: str) -> Iterator[tuple[Path, Dag]]:
    path = find_dag(home, word)
    yield path, read(dags.read(path), shown(path), options=reading_options(home))


def _all(command: Command, home: Home, paths: Iterable[Path]) -> Iterator[tuple[Path, Dag]]:
    options = reading_options(home)
    for path in paths:
        try:
            dag = read(dags.read(path), shown(path), options=options)
        except DagfsError as error:
            why = error.problems[0].message if isinstance(error, SpecError) else error.message
            command.output.say(visible(f"{shown(path)} is left out: {why}"), style="yellow")
        else:
            yield path, dag


def _row(row: Coming, paused: dict[str, Any]) -> list[str]:
    start, local = f"{row.start:%Y-%m-%d %H:%M:%SZ}", f"{row.local:%a %Y-%m-%d %H:%M %Z}"
    return [start, local, visible(row.dag), note(row.actions, row.dag in paused)]
