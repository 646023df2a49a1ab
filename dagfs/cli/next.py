"""`dagfs next`: when scheduled runs come next."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import now
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, SpecError, UsageError
from dagfs.model.dag import Dag
from dagfs.scheduler.instants import delay, occurrences, zone_named
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
Row = tuple[datetime, str, str, frozenset[str], datetime]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", nargs="?", metavar="DAG", help="a DAG's name, or a file [all]")
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many [10]")
    parser.add_argument("--from", dest="since", metavar="TIME", help="a date or an instant [now]")
    add_json(parser)


def run(command: Command) -> int:
    home, options = read_home(root(command)), command.options
    since = _moment(options.since) if options.since else now()
    paused = Ledger(Disk(), home.paths.scheduler, now).paused()
    found = [_instants(home, path, dag, since) for path, dag in _wanted(command, home)]
    rows = list(islice(heapq.merge(*found), max(0, options.n)))
    if options.json:
        command.output.json([_as_data(row, paused) for row in rows])
    elif not rows:
        command.output.say("nothing is scheduled")
    else:
        command.output.table([_row(row, paused) for row in rows])
    return ExitCode.DONE


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--from {text}: expected a time such as 2026-03-28 or 2026-03-28T12:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=now().tzinfo)


def _wanted(command: Command, home: Home) -> Iterator[tuple[Path, Dag]]:
    options = reading_options(home)
    if command.options.dag:
        path = dags.find(home.paths, command.options.dag)
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


def _instants(home: Home, path: Path, dag: Dag, since: datetime) -> Iterator[Row]:
    schedule = dag.schedule
    if schedule.suspend:
        return
    key = str(path.relative_to(home.paths.dags)) if path.is_relative_to(home.paths.dags) else str(path)
    late = delay(key, schedule)
    zone = schedule.timezone or home.settings.timezone
    for moment, actions in occurrences(schedule, home.settings.timezone, since - late):
        yield moment + late, dag.name, zone, actions, moment


def _row(row: Row, paused: dict[str, Any]) -> list[str]:
    moment, name, zone, actions, _ = row
    local = moment.astimezone(zone_named(zone))
    what = "" if actions == {"start"} else "+".join(sorted(actions))
    note = " ".join(word for word in (what, "(paused)" if name in paused else "") if word)
    return [f"{moment:%Y-%m-%d %H:%M:%SZ}", f"{local:%a %Y-%m-%d %H:%M %Z}", visible(name), note]


def _as_data(row: Row, paused: dict[str, Any]) -> dict[str, Any]:
    moment, name, zone, actions, due = row
    return {
        "start": moment.isoformat(),
        "due": due.isoformat(),
        "local": moment.astimezone(zone_named(zone)).isoformat(),
        "timezone": zone,
        "dag": name,
        "actions": sorted(actions),
        "paused": name in paused,
    }
