"""How a command that ran an attempt ends: its last lines and its exit code."""

from __future__ import annotations

import signal

from dagfs.cli.advice import what_next
from dagfs.cli.command import Command, shown
from dagfs.cli.mirror import code_of
from dagfs.cli.output import next_commands
from dagfs.engine.carriage import Result
from dagfs.engine.home import Home
from dagfs.errors import ExitCode
from dagfs.model.state import RunState


def conclude(command: Command, home: Home, result: Result) -> int:
    """Say how it ended, what to type next, and give the exit code."""
    if not command.options.json:
        path = shown(home.paths.run(result.run).root)
        command.output.line(f"{path}  {command.output.state(str(result.state), result.reason)}")
        if result.state is not RunState.SUCCEEDED:
            next_commands(command.output, what_next(result.run, result.state))
    if result.signal == signal.SIGINT:
        return ExitCode.INTERRUPTED
    if result.signal in (signal.SIGTERM, signal.SIGHUP):
        return ExitCode.TERMINATED
    return code_of(result.state)
