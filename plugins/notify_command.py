"""An observer: tells a program of yours how each attempt ended.

Put an executable file called `notify` into the home, beside dagfs.yaml. Its standard input is one JSON
object, `{"run": …, "dag": …, "state": …, "reason": …, "attempt_finished": …}`. To post that somewhere:

    #!/bin/sh
    curl -fsS --json @- https://chat.example/hooks/dagfs

It has ten seconds. Whatever it does, the run has ended before it is called; what goes wrong becomes a
notice in the journal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from dagfs.hooks import hookimpl
from dagfs.model.event import ATTEMPT_FINISHED, Event
from dagfs.model.run import RunHeader

__version__ = "1"
PROGRAM = Path(__file__).resolve().parent.parent / "notify"
LIMIT_SEC = 10.0


@hookimpl
def on_event(run: RunHeader, event: Event) -> None:
    if event.name == ATTEMPT_FINISHED and os.access(PROGRAM, os.X_OK):
        _tell(
            {
                "run": run.id,
                "dag": run.dag,
                "state": event.data["state"],
                "reason": event.data.get("reason", ""),
                "attempt_finished": event.time,
            }
        )


def _tell(message: dict[str, str]) -> None:
    # What it prints goes nowhere: standard output may be a stream of JSON that somebody reads.
    with subprocess.Popen(
        [str(PROGRAM)],
        cwd=PROGRAM.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.communicate(json.dumps(message).encode(), timeout=LIMIT_SEC)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError(f"{PROGRAM.name} took longer than {LIMIT_SEC:g} s and was killed") from None
    if process.returncode:
        raise ChildProcessError(f"{PROGRAM.name} ended with {process.returncode}")
