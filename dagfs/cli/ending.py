"""How a command that ran an attempt ends: its last lines and its exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from dagfs.cli.advice import what_next
from dagfs.cli.command import Command, shown
from dagfs.cli.output import next_commands
from dagfs.engine.home import Home
from dagfs.engine.operations import Result
from dagfs.errors import ExitCode
from dagfs.model.state import RunState

_CODES = {
    RunState.SUCCEEDED: ExitCode.DONE,
    RunState.WAITING: ExitCode.WAITING,
}
_BADNESS = (ExitCode.DONE, ExitCode.WAITING, ExitCode.RUN_NOT_SUCCEEDED)


def conclude(command: Command, home: Home, result: Result) -> int:
    """Say how it ended, what to type next, and give the exit code."""
    if not command.options.json:
        path = shown(home.paths.run(result.run).root)
        command.output.line(f"{path}  {command.output.state(str(result.state), result.reason)}")
        if result.state in (RunState.FAILED, RunState.PARTIALLY_SUCCEEDED, RunState.ABORTED):
            next_commands(command.output, what_next(result.run, result.state))
    if result.signal == signal.SIGINT:
        return ExitCode.INTERRUPTED
    if result.signal in (signal.SIGTERM, signal.SIGHUP):
        return ExitCode.TERMINATED
    return code_of(result.state)


def code_of(state: RunState) -> ExitCode:
    """What a command exits with that mirrors a run in this state."""
    return _CODES.get(state, ExitCode.RUN_NOT_SUCCEEDED)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code to exit with for several runs: one that failed counts more than one that waits."""
    return max(codes, key=_BADNESS.index, default=ExitCode.DONE)
