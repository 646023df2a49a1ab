"""`dagfs wait`: until runs are over."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

from dagfs.cli.command import Command, add_json
from dagfs.cli.mirror import code_of, worst
from dagfs.cli.place import queue_of, reading
from dagfs.cli.span import seconds_of
from dagfs.engine.location import Reading
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode
from dagfs.store.owner import holder
from dagfs.store.runs import RunStore

EXAMPLES = """
examples:
  dagfs wait @ && echo fine
  dagfs wait nightly-import hourly-import --timeout 1h
  for dag in a b c; do dagfs run $dag -d; done | xargs dagfs wait
  dagfs wait @ --json | jq -r '.[].state'

A run whose engine has died is over: `interrupted`.
exit codes: the worst run's: 0 succeeded, 1 not, 6 it waits for an approval, 124 the time was over first
"""
_POLL_SEC = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="runs, named as everywhere")
    parser.add_argument("--timeout", metavar="SPAN", help="wait no longer: 90, 45s, 10m, 1h or 2d [no limit]")
    add_json(parser, "print an array of run, state and reason, when all are over")


def run(command: Command) -> int:
    options, home = command.options, reading(command)
    limit = seconds_of(options.timeout, "--timeout") if options.timeout else None
    is_time_left = _clock(limit)
    queued = _await_begin(home, options.runs, is_time_left)
    wanted = list(dict.fromkeys(home.store.find(each) for each in options.runs if each not in queued))
    found: dict[str, View] = {}
    for run_id, view in endings(home.store, wanted, is_time_left):
        found[run_id] = view
        if not options.json:
            command.output.line(f"{run_id}  {command.output.state(view.state, view.run.last.reason)}")
    late = [run_id for run_id in wanted if run_id not in found]
    if options.json:
        for run_id in late:
            found[run_id] = view_run(home.store, run_id)
        documents = [_document(found[run_id], run_id in late) for run_id in wanted]
        waiting = queue_of(home)
        documents += [{**waiting.read(each).document(), "timed_out": True} for each in queued]
        command.output.json(documents)
    elif late or queued:
        command.output.say(f"not over after {options.timeout}: {', '.join((*late, *queued))}")
    if late or queued:
        return ExitCode.TIMED_OUT
    return worst(code_of(view.state) for view in found.values())


def _clock(limit: float | None) -> Callable[[], bool]:
    """Says whether there is time left."""
    end = None if limit is None else time.monotonic() + limit
    return lambda: end is None or time.monotonic() < end


def _await_begin(home: Reading, runs: list[str], is_time_left: Callable[[], bool]) -> list[str]:
    """Wait until none of them waits in a queue; those that still do when no time is left."""
    while queued := [each for each in dict.fromkeys(runs) if home.paths.scheduler.is_waiting(each)]:
        if not is_time_left():
            return queued
        time.sleep(_POLL_SEC)
    return []


def endings(
    store: RunStore, runs: list[str], is_time_left: Callable[[], bool] = lambda: True
) -> Iterator[tuple[str, View]]:
    """Each run with how it ended, as it ends, while time is left."""
    left = list(runs)
    while True:
        # An engine lets go of its run when all is on record; before that there is nothing to read. One that
        # is at work on a family lets go of all of it at once, but a child may be over before.
        for run_id in [each for each in left if "/" in each or holder(store.paths(each)) is None]:
            view = view_run(store, run_id)
            if view.owner is None:
                left.remove(run_id)
                yield run_id, view
        if not left or not is_time_left():
            return
        time.sleep(_POLL_SEC)


def _document(view: View, late: bool) -> dict[str, object]:
    last = view.run.last
    return {"run": view.run.id, "state": str(view.state), "reason": last.reason, "timed_out": late}
