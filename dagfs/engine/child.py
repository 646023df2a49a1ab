"""A `dagfs` verb in a process of its own: its events as they happen, and its errors as they were raised."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from dagfs.errors import (
    Busy,
    DagfsError,
    ExitCode,
    LostOwnership,
    NotFound,
    NothingToDo,
    PlanMoved,
    Problem,
    Refused,
    SpecError,
    StoreError,
    UsageError,
)
from dagfs.model.event import ATTEMPT_FINISHED, ATTEMPT_WAITING, STOP_REQUESTED, Event

_KINDS: Mapping[int, type[DagfsError]] = {
    ExitCode.USAGE: UsageError,
    ExitCode.NOT_FOUND: NotFound,
    ExitCode.REFUSED: Refused,
    ExitCode.NOTHING_TO_DO: NothingToDo,
    ExitCode.PLAN_MOVED: PlanMoved,
    ExitCode.IO_ERROR: StoreError,
    ExitCode.BUSY: Busy,
    ExitCode.LOST_OWNERSHIP: LostOwnership,
}
_PROBLEM = re.compile(
    r"(?P<file>.*?)(?::(?P<line>\d+):(?P<column>\d+))?: (?P<severity>error|warning): (?P<text>.*)"
)
_HINT = "  hint: "


class Child:
    """One verb at work that prints its events as JSON."""

    def __init__(self, home: Path, words: Sequence[str], stdin: bytes = b"") -> None:
        """Start `dagfs words`; the first word is the verb. StoreError where no process can be had."""
        self._finished = False
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        try:
            with tempfile.TemporaryFile() as given:
                given.write(stdin)
                given.seek(0)
                self._process = _launch(home, words, given, self._errors)
        except BaseException:
            self._errors.close()
            raise
        assert self._process.stdout is not None
        self._events = self._process.stdout

    def next_event(self) -> Event | None:
        """The next event; None at the end, once the process is gone.

        Raises what ended it before the attempt did. One that was killed left a run that is interrupted,
        which is an answer and no error.
        """
        if self._events.closed:
            return None
        line = self._events.readline()
        # A killed process may leave a part of a line.
        if line.endswith(b"\n"):
            event = Event.from_data(json.loads(line))
            self._finished = self._finished or event.name in (ATTEMPT_FINISHED, ATTEMPT_WAITING)
            return event
        self._events.close()
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace")
        self._errors.close()
        if code > 0 and not self._finished:
            raise error_from(code, said)
        return None

    def stop(self, *, kill: bool = False) -> None:
        """Ask it to stop, with `kill` a second time, and wait until it has."""
        self._ask()
        while event := self.next_event():
            # The first request must have arrived before the second means more than the first.
            if kill and event.name == STOP_REQUESTED:
                self._ask()
                kill = False

    def _ask(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)


def _launch(home: Path, words: Sequence[str], stdin: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    # -P: a file of the user's that happens to be called json.py is not ours to import.
    python = [sys.executable, "-P", "-m", "dagfs.cli", "-C", str(home), "--color", "never"]
    verb, *rest = words
    try:
        return subprocess.Popen(
            [*python, verb, "--json", "--via", "api", *rest],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot start {sys.executable or 'python'}: {error}") from error


def error_from(code: int, said: str) -> DagfsError:
    """The error that a command ended with, from its exit code and what it printed."""
    if code == ExitCode.SPEC_INVALID and (problems := _problems(said)):
        return SpecError(problems)
    message, hint = said.strip() or f"dagfs ended with {code}", None
    for line in said.splitlines():
        if line.startswith("dagfs: "):
            message, hint = line.removeprefix("dagfs: "), None
        elif line.startswith(_HINT):
            hint = line.removeprefix(_HINT)
    return _KINDS.get(code, DagfsError)(message, hint=hint)


def _problems(said: str) -> list[Problem]:
    found: list[Problem] = []
    for line in said.splitlines():
        match = _PROBLEM.fullmatch(line)
        if match:
            place = int(match["line"] or 0), int(match["column"] or 0)
            found.append(Problem(match["file"], *place, match["text"], severity=match["severity"]))
        elif line.startswith(_HINT) and found:
            found[-1] = found[-1]._replace(hint=line.removeprefix(_HINT))
    return found
