"""`dagfs stop`: stop a run and all its processes."""

from __future__ import annotations

import argparse

from dagfs.cli.command import Command, add_json, add_run
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_root
from dagfs.engine.stopping import stop_run
from dagfs.errors import ExitCode

EXAMPLES = """
examples:
  dagfs stop @               ask its steps to end, wait, then kill what is left
  dagfs stop @ --kill        kill at once
  dagfs stop @ --timeout 60

exit codes: 0 stopped, 7 it was over already, 124 the time was over first
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, default=None)
    parser.add_argument("--kill", action="store_true", help="do not wait for steps to end by themselves")
    parser.add_argument(
        "--timeout", type=float, default=0, metavar="S", help="wait at most S seconds [no limit]"
    )
    add_json(parser)


def run(command: Command) -> int:
    engine = opened(command)
    run_id = wanted_root(command, engine.home)
    state = stop_run(engine, run_id, kill=command.options.kill, timeout=command.options.timeout)
    if command.options.json:
        command.output.json({"run": run_id, "state": state})
    else:
        command.output.line(f"{run_id}  {command.output.state(state)}")
    return ExitCode.DONE
