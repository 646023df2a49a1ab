"""`dagfs watch`: follow a run from outside. It may come and go; the run does not care."""

from __future__ import annotations

import argparse
import time

from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.mirror import code_of
from dagfs.cli.place import reading, wanted_run
from dagfs.cli.telling import Teller, add_plain, telling
from dagfs.engine.location import Reading
from dagfs.engine.view import view_run
from dagfs.errors import Damaged, ExitCode
from dagfs.model import event as ev
from dagfs.store.journal import tail
from dagfs.store.layout import RunPaths
from dagfs.store.owner import holder

EXAMPLES = """
examples:
  dagfs run nightly-import -d && dagfs watch @
  dagfs watch @ --plain                            a line for each change, as in a pipe
  dagfs watch @ --json | jq -r 'select(.event == "step_finished") | .step'

^C ends the watching, never the run.
exit codes: the run's: 0 succeeded, 1 not, 6 it waits for an approval; 130 ended by ^C
"""
_POLL_SEC = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")


def run(command: Command) -> int:
    home = reading(command)
    run_id = wanted_run(command, home)
    footer = "^C leaves; the run goes on"
    try:
        with telling(command, home.store.load, as_data=True, footer=footer) as teller:
            _follow(home.store.paths(run_id), run_id, teller)
    except KeyboardInterrupt:
        command.output.say(f"the run goes on; `dagfs stop {run_id}` stops it")
        return ExitCode.INTERRUPTED
    return _conclude(command, home, run_id)


def _follow(paths: RunPaths, run_id: str, teller: Teller) -> None:
    """Tell all events of the newest attempt, and of one that takes it over, until no engine is at work."""
    number = offset = 0
    over = False
    while True:
        # Asked first: what a dead engine wrote last is then read all the same.
        alive = holder(paths) is not None
        newest = max(paths.attempt_numbers(), default=1)
        if newest != number and not over:
            number, offset = newest, 0
            teller.begin(run_id, f"{shown(paths.root)}  attempt {number}")
        try:
            events, offset = tail(paths.attempt(number).journal, offset)
            for event in events:
                teller(event)
                over = over or event.name == ev.ATTEMPT_FINISHED
        except FileNotFoundError:
            raise Damaged(f"{paths.attempt(number).journal} is missing", hint="run `dagfs fsck`") from None
        except ValueError as error:
            raise Damaged(
                f"{paths.attempt(number).journal} is damaged: {error}", hint="`dagfs fsck`"
            ) from error
        if over or not alive:
            return
        time.sleep(_POLL_SEC)


def _conclude(command: Command, home: Reading, run_id: str) -> int:
    view = view_run(home.store, run_id)
    if not command.options.json:
        path = shown(home.paths.run(run_id).root)
        command.output.line(f"{path}  {command.output.state(view.state, view.run.last.reason)}")
    return code_of(view.state)
