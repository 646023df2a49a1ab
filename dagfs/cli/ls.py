"""`dagfs ls`: list the DAGs of the home."""

from __future__ import annotations

import argparse
import fnmatch
from pathlib import Path
from typing import Any

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.home import Home, read_home
from dagfs.engine.listing import add_last_runs, dag_reader, nothing_readable
from dagfs.engine.location import now
from dagfs.engine.namesakes import HINT, namesakes
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
    unread = dags.Unread()
    paths = dags.names(home.paths, unread)
    found = [each for each in map(dag_reader(home, shown), paths) if _wanted(command, each)]
    for error in unread.values():
        output.say(visible(error.message), style="red")
    if command.options.names and not command.options.json:
        for each in found:
            output.line(each["name"])
    else:
        add_last_runs(home, found)
        _show(command, home, found)
    return ExitCode.IO_ERROR if nothing_readable(paths, unread) else ExitCode.DONE


def _show(command: Command, home: Home, found: list[dict[str, Any]]) -> None:
    output = command.output
    if command.options.json:
        output.json(found)
    elif not found:
        is_narrowed = command.options.pattern != "*" or command.options.tag
        output.say("no DAG like that" if is_narrowed else f"no DAGs in {shown(home.paths.dags)}")
    else:
        output.table([_row(command, each, home.paths.base) for each in found])
        _tell_below(command, home, found)


def _tell_below(command: Command, home: Home, found: list[dict[str, Any]]) -> None:
    """What is wrong with several DAGs at once: base.yaml, and names that they share."""
    output = command.output
    for error in {each["error"]: None for each in found if _is_of_base(each, home.paths.base)}:
        output.say(f"no DAG can be read: {visible(error)}", style="red")
    named = [(each["name"], Path(each["file"])) for each in found]
    for each in namesakes(home.paths.dags, named, dags.names(home.paths)):
        output.say(f"warning: {visible(each.says(shown))}", style="yellow")
        output.say(f"  hint: {HINT}")


def _is_of_base(dag: dict[str, Any], base: Path) -> bool:
    return bool(dag["error"]) and dag["error"].startswith(f"{base}:")


def _wanted(command: Command, dag: dict[str, Any]) -> bool:
    options = command.options
    return fnmatch.fnmatch(dag["name"], options.pattern) and (not options.tag or options.tag in dag["tags"])


def _row(command: Command, dag: dict[str, Any], base: Path) -> list[str]:
    output, last = command.output, dag["last"]
    state = output.state(last["state"]) if last else output.styled("never ran", "dim")
    when = ago(last["created"], now()) if last else ""
    error = "base.yaml is wrong" if _is_of_base(dag, base) else dag["error"]
    about = output.styled(visible(error), "red") if error else visible(dag["description"])
    return [
        visible(dag["name"]),
        state,
        when,
        " ".join(dag["tags"]),
        about.splitlines()[0][:120] if about else "",
    ]
