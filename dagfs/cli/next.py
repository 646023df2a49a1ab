"""`dagfs next`: when scheduled runs come next."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagfs.cli.command import Command, add_json, at_least, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.finding import find_dag
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import now
from dagfs.engine.moment import moment_of
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, SpecError
from dagfs.model.dag import Dag
from dagfs.scheduler.forecast import Coming, coming, note
from dagfs.spec.parse import parse
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
    rows = coming(home, _wanted(command, home), since, options.n)
    if options.json:
        command.output.json([row.as_data(paused) for row in rows])
    elif not rows:
        command.output.say("nothing is scheduled")
    else:
        command.output.table([_row(row, paused) for row in rows])
    return ExitCode.DONE


def _wanted(command: Command, home: Home) -> Iterator[tuple[Path, Dag]]:
    options = reading_options(home)
    if command.options.dag:
        path = find_dag(home, command.options.dag)
        reading = parse(dags.read(path), shown(path), options=options)
        if reading.dag is None:
            raise SpecError(reading.errors)
        yield path, reading.dag
        return
    for path in dags.names(home.paths):
        reading = parse(dags.read(path), shown(path), options=options)
        if reading.dag is not None:
            yield path, reading.dag
        else:
            command.output.say(
                visible(f"{shown(path)} is left out: {reading.errors[0].message}"), style="yellow"
            )


def _row(row: Coming, paused: dict[str, Any]) -> list[str]:
    start, local = f"{row.start:%Y-%m-%d %H:%M:%SZ}", f"{row.local:%a %Y-%m-%d %H:%M %Z}"
    return [start, local, visible(row.dag), note(row.actions, row.dag in paused)]
