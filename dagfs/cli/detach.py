"""Lets a command go on in the background, free of the terminal, once its run exists."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from dagfs.cli.output import Output

Report = Callable[[str], None]

_answers: list[Callable[[], None]] = []


def is_in_background(answer: Callable[[], None]) -> None:
    """Say of this process that it has no terminal: to detach it, `answer` is called when its run exists."""
    _answers.append(answer)


def detach(output: Output) -> Report | int:
    """Fork, unless it is in the background already.

    The child gets a function to call with the run's id; the parent, an exit code. Until the child reports,
    its errors still reach the terminal; from then on it has none.
    """
    if _answers:
        return _report_in_background(output, _answers.pop())
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as report:
            run = report.read().strip()
        if not run:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.line(run)
        return 0
    os.close(reader)
    os.setsid()

    def report_run(run: str) -> None:
        os.write(writer, run.encode())
        os.close(writer)
        _leave_streams()

    return report_run


def _report_in_background(output: Output, answer: Callable[[], None]) -> Report:
    def report_run(run: str) -> None:
        output.line(run)
        sys.stdout.flush()
        answer()
        _leave_streams()

    return report_run


def _leave_streams() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
