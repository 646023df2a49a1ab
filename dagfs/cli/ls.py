"""`dagfs ls`: list the DAGs of the home."""

from __future__ import annotations

import argparse
import fnmatch
from typing import Any

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.home import read_home
from dagfs.engine.listing import add_last_runs, dag_reader
from dagfs.engine.location import now
from dagfs.errors import ExitCode
from dagfs.model.timespan import ago
from dagfs.store import dags

EXAMPLES = """
examples:
  dagfs ls
  dagfs ls 'night*' --tag prod
  dagfs ls -1                   names alone
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", default="*", help="only names like this")
    parser.add_argument("--tag", help="only DAGs with this tag")
    parser.add_argument("-1", dest="names", action="store_true", help="print names alone")
    add_json(parser)


def run(command: Command) -> int:
    home, output = read_home(root(command)), command.output
    found = [each for each in map(dag_reader(home, shown), dags.names(home.paths)) if _wanted(command, each)]
    if command.options.names:
        for each in found:
            output.line(each["name"])
        return ExitCode.DONE
    add_last_runs(home, found)
    if command.options.json:
        output.json(found)
    elif not found:
        output.say(
            f"no DAGs in {shown(home.paths.dags)}" if command.options.pattern == "*" else "no DAG like that"
        )
    else:
        output.table([_row(command, each) for each in found])
    return ExitCode.DONE


def _wanted(command: Command, dag: dict[str, Any]) -> bool:
    options = command.options
    return fnmatch.fnmatch(dag["name"], options.pattern) and (not options.tag or options.tag in dag["tags"])


def _row(command: Command, dag: dict[str, Any]) -> list[str]:
    output, last = command.output, dag["last"]
    state = output.state(last["state"]) if last else output.styled("never ran", "dim")
    when = ago(last["created"], now()) if last else ""
    about = output.styled(visible(dag["error"]), "red") if dag["error"] else visible(dag["description"])
    return [
        visible(dag["name"]),
        state,
        when,
        " ".join(dag["tags"]),
        about.splitlines()[0][:120] if about else "",
    ]
