"""`dagfs clean`: remove old runs; those that go on, or may be needed, never."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping

from dagfs.cli.command import Command, add_json, at_least
from dagfs.cli.output import visible
from dagfs.cli.pause import dag_name
from dagfs.cli.place import root
from dagfs.engine.home import Home, read_home
from dagfs.engine.location import new_token, now
from dagfs.engine.operations import own
from dagfs.errors import Busy, ExitCode, NotFound, Refused, UsageError
from dagfs.model.schedule import Retention
from dagfs.scheduler.census import counted
from dagfs.scheduler.retention import Verdict, removable
from dagfs.scheduler.shelf import Shelf
from dagfs.spec.parse import Options
from dagfs.store.removal import empty_trash, remove_run

EXAMPLES = """
examples:
  dagfs clean -n                         what `hist_retention_…` of the DAGs would let go
  dagfs clean --keep 30d                 every DAG: what ended more than 30 days ago
  dagfs clean nightly-import --keep-last 100 --yes

Runs that go on, were interrupted, are being edited, or are a DAG's newest are never removed.
exit codes: 0 done, 4 no such DAG, 5 not confirmed
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", nargs="?", metavar="DAG", help="only runs of this DAG")
    parser.add_argument("--keep", metavar="TIME", help="how long runs are kept, in days: 30d")
    parser.add_argument("--keep-last", type=at_least(1), metavar="N", help="keep the newest N of each DAG")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would go")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_json(parser, "print what goes as JSON")


def run(command: Command) -> int:
    home, options = read_home(root(command)), command.options
    runs = [counted(each) for each in home.store.summaries(dag=options.dag)]
    if options.dag and not runs:
        # One that is there and never ran has nothing to remove; one that nobody knows was mistyped.
        dag_name(home, options.dag)
    policies, default = _policies(command, home)
    found = removable(runs, policies, now(), default)
    if options.json:
        command.output.json([{"run": each.run, "dag": each.dag, "reason": each.reason} for each in found])
    elif not found:
        command.output.line("nothing to remove")
    elif not options.yes or options.dry_run:
        command.output.table([[each.run, visible(each.dag), each.reason] for each in found])
    if options.dry_run:
        return ExitCode.DONE
    if not options.yes and found:
        _confirm(command, len(found))
    removed = _remove(command, home, found)
    if found:
        command.output.say(f"{removed} {'run' if removed == 1 else 'runs'} removed")
    return ExitCode.DONE


def _policies(command: Command, home: Home) -> tuple[Mapping[str, Retention], Retention]:
    """What holds for each DAG, and for the others: the command line's word, or the specs'."""
    options = command.options
    if options.keep is None and options.keep_last is None:
        shelf = Shelf(home.paths, Options(home.settings.dialect), settle_sec=0)
        shelf.rescan()
        return {dag.name: dag.retention for dag in shelf.dags.values()}, Retention()
    return {}, Retention(_days(options.keep) if options.keep is not None else 0, options.keep_last or 0)


def _days(text: str) -> int:
    match = re.fullmatch("([0-9]{1,6})d?", text)
    if match is None or not int(match[1]):
        hint = "`--keep-last 1` keeps the newest run of each DAG alone"
        raise UsageError(f"--keep {text}: expected days, from 1 on, such as 30d", hint=hint)
    return int(match[1])


def _confirm(command: Command, count: int) -> None:
    """Refused unless somebody says yes."""
    if not sys.stdin.isatty():
        raise Refused(f"{count} runs would be removed", hint="add --yes, or look first with --dry-run")
    command.output.say(f"remove these {count} runs for good? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was removed")


def _remove(command: Command, home: Home, found: list[Verdict]) -> int:
    empty_trash(home.disk, home.paths)
    removed = 0
    for each in found:
        try:
            remove_run(home.disk, home.paths, each.run, own(0, new_token()))
        except (Busy, Refused, NotFound) as error:
            command.output.say(visible(f"{each.run} stays: {error.message}"), style="yellow")
        else:
            removed += 1
    return removed
