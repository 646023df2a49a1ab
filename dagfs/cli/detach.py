"""Lets a command go on in the background, free of the terminal, once its run exists."""

from __future__ import annotations

import os
from collections.abc import Callable

from dagfs.cli.output import Output

Report = Callable[[str], None]


def detach(output: Output) -> Report | int:
    """Fork. The child gets a function to call with the run's id; the parent, an exit code.

    Until the child reports, its errors still reach the terminal; from then on it has none.
    """
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
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)

    return report_run
