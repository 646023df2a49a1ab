"""`dagfs scheduler`: start runs by the clock, by files and from queues."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from dagfs.cli.command import Command, add_json, at_least
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.cli.place import reading
from dagfs.engine.location import now
from dagfs.engine.trouble import decode_trouble, tell_trouble
from dagfs.errors import ExitCode
from dagfs.model.schedule import START
from dagfs.model.timespan import ago
from dagfs.scheduler.forecast import note
from dagfs.scheduler.pulse import standing
from dagfs.scheduler.service import Service
from dagfs.store.files import Disk
from dagfs.store.ledger import Ledger

EXAMPLES = """
examples:
  dagfs scheduler                        until ^C; runs that go on are left running
  dagfs scheduler --status               is one at work, what comes next, what is wrong
  dagfs scheduler --log 50               what it did last
  dagfs systemd --user                   a unit file to have it always at work

SIGTERM and ^C end it, SIGHUP reads dagfs.yaml and all DAG files again.
exit codes: 0 ended as asked; with --status 0 at work, 1 not
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stop-runs", action="store_true", help="at its end, stop the runs that go on")
    parser.add_argument("--status", action="store_true", help="say how the scheduler is, and do nothing")
    parser.add_argument("--log", type=at_least(1), metavar="N", help="print the last N lines of its log")
    # How the scheduler has notifiers told of what no run can tell of, in a process of its own.
    parser.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)
    add_json(parser, "with --status or --log print JSON")


def run(command: Command) -> int:
    if command.options.status:
        return _status(command)
    if command.options.log is not None:
        return _log(command, command.options.log)

    if command.options.tell:
        return _tell(command)

    def say(line: str) -> None:
        command.output.say(visible(line))

    Service(opened(command), say, stop_runs=command.options.stop_runs).run()
    return ExitCode.DONE


def _tell(command: Command) -> int:
    """The trouble comes on standard input; what notifiers could not do goes into the scheduler's log."""
    complaints = tell_trouble(opened(command), decode_trouble(sys.stdin.buffer.read()))
    for complaint in complaints:
        command.output.say(visible(complaint))
    return ExitCode.RUN_NOT_SUCCEEDED if complaints else ExitCode.DONE


def _ledger(command: Command) -> Ledger:
    return Ledger(Disk(), reading(command).paths.scheduler, now)


def _log(command: Command, count: int) -> int:
    lines = list(_ledger(command).notes())[-count:]
    for line in lines:
        if command.options.json:
            command.output.json(line, indent=False)
        else:
            said = [f"{key}={value}" for key, value in line.items() if key not in ("time", "event")]
            command.output.line(visible(f"{line.get('time')}  {line.get('event')}  {' '.join(said)}"))
    return ExitCode.DONE


def _status(command: Command) -> int:
    found = standing(_ledger(command), now())
    alive = bool(found["alive"])
    if command.options.json:
        command.output.json(found)
    else:
        _show(command, found, alive, sorted(found["paused"]))
    return ExitCode.DONE if alive else ExitCode.RUN_NOT_SUCCEEDED


def _show(command: Command, status: dict[str, Any], alive: bool, paused: list[str]) -> None:
    output = command.output
    if "tick" not in status:
        output.line("no scheduler has ever been at work here")
        return
    word = "at work" if alive else "ended" if status.get("stopped") else "NOT at work"
    who = f"process {status.get('pid')} on {status.get('host')}"
    tick = ago(str(status.get("tick")), now())
    output.line(f"{word}: {who}, last sign of life {tick}", style="green" if alive else "yellow")
    output.line(
        f"{status.get('dags', 0)} DAG files, {status.get('schedules', 0)} schedules, "
        f"{status.get('running', 0)} runs go on, {status.get('queued', 0)} queued, "
        f"{status.get('set_aside', 0)} set aside; last start {status.get('lag_sec', 0)} s late"
    )
    if paused:
        output.line(f"paused: {visible(', '.join(paused))}")
    for word, key in (("error", "error"), ("not watching", "problem")):
        if status.get(key):
            output.line(f"{word}: {visible(str(status[key]))}", style="red")
    for kind in ("errors", "not_started"):
        for name, error in dict(status.get(kind, {})).items():
            output.line(visible(f"{name}: {error}"), style="red")
    rows = [
        [
            f"  {_shown(each['due'])}",
            visible(str(each["dag"])),
            note(each.get("actions", [START]), each["dag"] in paused),
        ]
        for each in status.get("next", [])[:10]
    ]
    if rows:
        output.line("next:", style="bold")
        output.table(rows)


def _shown(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%SZ")
