"""Every error dagfs raises on purpose, and the exit code each one ends a command with.

    DagfsError
    ├── UsageError          2    the command line is wrong
    ├── SpecError           3    a spec or dagfs.yaml has problems (all, with their places)
    ├── NotFound            4    no such run, DAG, step, file
    ├── Refused             5    a rule refuses, or a question is unanswered
    │   └── TimedOut        124  it has not come about in the time that was given
    ├── NothingToDo         7    there is nothing to run again
    ├── PlanMoved           8    the run is not what the plan was made for
    ├── StoreError          74   the disk refused: full, read-only, not ours
    │   ├── Damaged         74   records do not check out
    │   └── NewerFormat     74   written by a newer dagfs
    ├── Busy                75   another engine owns the run
    └── LostOwnership       76   this engine no longer owns the run

Each has a one-line message and, where there is one, a `hint`: what to do about it. Only
`dagfs.cli.main` turns errors into text; a traceback shown to a user is a bug (exit code 70).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What a `dagfs` command exits with; the same table is `dagfs help exit-codes`."""

    DONE = 0
    RUN_NOT_SUCCEEDED = 1
    USAGE = 2
    SPEC_INVALID = 3
    NOT_FOUND = 4
    REFUSED = 5
    WAITING = 6
    NOTHING_TO_DO = 7
    PLAN_MOVED = 8
    BUG = 70
    IO_ERROR = 74
    BUSY = 75
    LOST_OWNERSHIP = 76
    TIMED_OUT = 124
    INTERRUPTED = 130
    TERMINATED = 143


class DagfsError(Exception):
    """What went wrong, in one line; `hint` says what to do."""

    exit_code = ExitCode.RUN_NOT_SUCCEEDED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DagfsError):
    """A command line or an environment variable that cannot be obeyed."""

    exit_code = ExitCode.USAGE


class Problem(NamedTuple):
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    source: str = ""
    """The text of that line, without its newline, for the caret under it."""
    severity: str = "error"
    """`error` or `warning`; warnings never make a spec invalid."""

    def where(self) -> str:
        """`file:line:column`, as far as it is known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.where()}: {self.severity}: {self.message}"


class SpecError(DagfsError):
    """A spec that cannot be used; `problems` lists everything found, in file order."""

    exit_code = ExitCode.SPEC_INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = str(self.problems[0]) if self.problems else "invalid spec"
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(first + more, hint=self.problems[0].hint if self.problems else None)


class NotFound(DagfsError):
    """A run, DAG, step, attempt or file that is not there."""

    exit_code = ExitCode.NOT_FOUND


class Refused(DagfsError):
    """A rule refuses, or asks something that was not answered. Nothing has changed."""

    exit_code = ExitCode.REFUSED


class TimedOut(Refused):
    """What was asked for goes on, but has not come about in the time that was given."""

    exit_code = ExitCode.TIMED_OUT


class NothingToDo(DagfsError):
    """Every step is kept, so there is nothing to run and no attempt is made."""

    exit_code = ExitCode.NOTHING_TO_DO


class PlanMoved(DagfsError):
    """The run, its spec or the rules are no longer what the plan was made for."""

    exit_code = ExitCode.PLAN_MOVED


class StoreError(DagfsError):
    """The file system refused something; the message names the path."""

    exit_code = ExitCode.IO_ERROR


class Damaged(StoreError):
    """A record in the store does not check out; it is never used silently."""


class NewerFormat(StoreError):
    """A record was written in a format this dagfs does not know."""


class Busy(DagfsError):
    """Another engine owns the run; the message names it."""

    exit_code = ExitCode.BUSY


class LostOwnership(DagfsError):
    """This engine found that it no longer owns the run and stopped committing."""

    exit_code = ExitCode.LOST_OWNERSHIP
