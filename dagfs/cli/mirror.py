"""The exit code that mirrors how runs stand."""

from __future__ import annotations

from collections.abc import Iterable

from dagfs.errors import ExitCode
from dagfs.model.state import RunState

_CODES = {
    RunState.SUCCEEDED: ExitCode.DONE,
    RunState.WAITING: ExitCode.WAITING,
}
_BADNESS = (ExitCode.DONE, ExitCode.WAITING, ExitCode.RUN_NOT_SUCCEEDED)


def code_of(state: RunState) -> ExitCode:
    """What a command exits with that mirrors a run in this state."""
    return _CODES.get(state, ExitCode.RUN_NOT_SUCCEEDED)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code to exit with for several runs: one that failed counts more than one that waits."""
    return max(codes, key=_BADNESS.index, default=ExitCode.DONE)
