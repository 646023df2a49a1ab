"""`dagfs runs`: list runs, newest first."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dagfs.cli.command import Command, add_json, at_least
from dagfs.cli.output import visible
from dagfs.cli.place import queue_of, reading
from dagfs.engine.location import now
from dagfs.engine.moment import since_text, utc_text
from dagfs.errors import ExitCode
from dagfs.model.state import RunState
from dagfs.model.timespan import ago, duration
from dagfs.planning.lineage import families

EXAMPLES = """
examples:
  dagfs runs                           the newest 20
  dagfs runs nightly-import --status failed
  dagfs runs --since 7d -1             ids alone, one a line
  dagfs runs --tree                    each run below the one that it was made from by `dagfs rerun`
  dagfs runs --json | jq -r '.[] | select(.state == "failed") | .run'
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", nargs="?", help="only runs of that DAG")
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        choices=[*map(str, RunState), "damaged"],
        metavar="STATE",
        help=f"only in that state: {', '.join(RunState)}",
    )
    parser.add_argument("--since", metavar="WHEN", help="only newer: 90m, 12h, 7d, 2w or a date")
    parser.add_argument(
        "--limit", type=at_least(0), default=20, metavar="N", help="at most N, 0 for all [20]"
    )
    parser.add_argument("-1", dest="ids", action="store_true", help="print ids alone")
    parser.add_argument("-0", dest="nul", action="store_true", help="print ids, each followed by NUL")
    parser.add_argument("--tree", action="store_true", help="each run below the one it was made from")
    add_json(parser, "print their status documents")


def run(command: Command) -> int:
    options, output = command.options, command.output
    found: Sequence[Mapping[str, Any]] = reading(command).store.summaries(
        options.limit or None,
        options.dag,
        options.status,
        since_text(options.since, now()) if options.since else None,
    )
    if RunState.QUEUED in options.status:
        found = [*_waiting(command), *found]
    branches = {each["run"]: "" for each in found}
    if options.tree:
        found, branches = families(found)
    if options.json:
        output.json(found)
    elif options.nul:
        output.raw(b"".join(f"{each['run']}\0".encode() for each in found))
    elif options.ids:
        for each in found:
            output.line(each["run"])
    elif not found:
        output.say("no runs" + (" like that" if options.dag or options.status or options.since else " yet"))
    else:
        moment = now()
        output.table([_row(command, branches[each["run"]], each, moment) for each in found])
    return ExitCode.DONE


def _waiting(command: Command) -> Iterator[Mapping[str, Any]]:
    """What waits for its turn is no run yet, and listed only for those who ask for it."""
    options = command.options
    since = since_text(options.since, now()) if options.since else ""
    for entry in queue_of(reading(command)).entries():
        if options.dag in (None, entry.dag) and utc_text(datetime.fromisoformat(entry.created)) >= since:
            yield entry.document()


def _row(command: Command, branch: str, each: Mapping[str, Any], moment: datetime) -> list[str]:
    return [
        branch + each["run"],
        command.output.state(each["state"]),
        ago(each.get("created"), moment),
        duration(each.get("started"), each.get("finished")),
        f"attempt {each['attempt']}" if each.get("attempt", 1) > 1 else "",
        visible(each.get("reason") or each.get("error") or "")[:60],
    ]
