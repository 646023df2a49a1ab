"""Starts engines: each is a `dagfs` process in a session of its own, which nothing ties to the scheduler."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from dagfs.engine.configuration import config_files
from dagfs.errors import ExitCode
from dagfs.scheduler.job import Job, Started
from dagfs.scheduler.spawner import Spawner
from dagfs.store.layout import HomePaths

AT_ONCE = max(32, 4 * (os.cpu_count() or 1))
"""So many commands begin at once; what is due beside them follows as soon as one of them has begun."""
_SLOW_SEC = 3.0
_WELL = (ExitCode.DONE, ExitCode.NOTHING_TO_DO)


class Processes:
    """Starts runs with `dagfs run --detach`, which ends as soon as the run exists."""

    def __init__(self, home: Path, *, plugins: bool = True) -> None:
        self._base = ("-C", str(home), *(() if plugins else ("--no-plugins",)))
        files = [str(file) for file in (*config_files(home, os.environ), HomePaths(home).base)]
        # As errors show them: what lies below the folder one is in, from there.
        self._home_files = [*files, *map(os.path.relpath, files)]
        self._spawner = Spawner()
        self._wanted: deque[Job] = deque()
        self._going: dict[int, tuple[Job, float]] = {}
        self._refused: list[Started] = []
        self._commands: dict[int, str] = {}
        self._left: deque[tuple[Sequence[str], bytes]] = deque()
        """Commands that are still to be asked for."""
        self._failed: list[tuple[str, str]] = []

    def start(self, job: Job) -> None:
        """Begin to start a run; `ended` tells what came of it."""
        self._wanted.append(job)
        self._ask()

    def stop(self, runs: Iterable[str]) -> None:
        """Ask runs to stop; that goes on by itself."""
        for run in runs:
            self.command("stop", run)

    def command(self, *words: str, text: bytes = b"") -> None:
        """Have another command of this home run, with `text` on its standard input; nobody waits for it."""
        self._left.append((words, text))
        self._command()

    def _command(self) -> None:
        """A few at a time: each takes descriptors."""
        while self._left and len(self._commands) < AT_ONCE:
            words, text = self._left.popleft()
            try:
                ticket = self._spawner.ask([*self._base, *words], text)
                self._commands[ticket] = " ".join(words)
            except OSError as error:
                self._failed.append((" ".join(words), f"cannot start: {error.strerror}"))

    def ended(self) -> list[Started]:
        """Starts that have succeeded or failed since the last call."""
        self._spawner.keep_ready()
        found, self._refused = self._refused, []
        for each in self._spawner.ended():
            if each.ticket in self._going:
                job, _ = self._going.pop(each.ticket)
                # That is no fault of the DAG: it will start once somebody has mended the settings.
                code = ExitCode.IO_ERROR if each.code and self._is_of_home(each.error) else each.code
                found.append(Started(job, code, each.error))
            command = self._commands.pop(each.ticket, "")
            if command and each.code not in _WELL:
                self._failed.append((command, each.error or f"it ended with {each.code}"))
        self._ask()
        self._command()
        return found

    def _is_of_home(self, error: str) -> bool:
        """A command came to nothing over a file of the home, and would for every DAG."""
        return any(error.startswith((f"{file}:", f"cannot read {file}:")) for file in self._home_files)

    def failed(self) -> list[tuple[str, str]]:
        """Other commands that came to nothing since the last call, and why."""
        found, self._failed = self._failed, []
        return found

    def _ask(self) -> None:
        while self._wanted and self._beginning() < AT_ONCE:
            job = self._wanted.popleft()
            words = retry_words(job) if job.retry else run_words(job)
            try:
                ticket = self._spawner.ask([*self._base, *words], job.text)
            except OSError as error:
                self._refused.append(Started(job, ExitCode.IO_ERROR, f"cannot start: {error.strerror}"))
            else:
                self._going[ticket] = job, time.monotonic()

    def _beginning(self) -> int:
        """How many are on their way. One that takes long, over its params say, holds up nobody."""
        young = time.monotonic() - _SLOW_SEC
        return sum(since >= young for _, since in self._going.values())

    # -- the process behind it ----------------------------------------------------------------

    def prepare(self) -> None:
        """Have it ready before something is due."""
        self._spawner.keep_ready()

    def expect(self, count: int) -> None:
        """Have it ready for so many starts within seconds."""
        self._spawner.expect(min(count, AT_ONCE))

    def fileno(self) -> int:
        """Readable once `ended` has something to tell; -1 for never."""
        return self._spawner.fileno()

    def renew(self) -> None:
        """Have whatever is started from now on begin with the programs as they are now on disk."""
        self._spawner.renew()

    def close(self, patience: float) -> None:
        """Start nothing more. What was begun goes on; commands have so many seconds to begin."""
        self._wanted.clear()
        deadline = time.monotonic() + patience
        while self._left and self.fileno() >= 0 and time.monotonic() < deadline:
            poller = select.poll()
            poller.register(self.fileno(), select.POLLIN)
            poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
            self.ended()
        self._going.clear()
        self._commands.clear()
        self._spawner.close(patience)


def run_words(job: Job) -> list[str]:
    """The command line that makes the run of a job; the spec comes on standard input."""
    # In one word each: a value may begin with a dash.
    named = [f"--param={name}={value}" for name, value in job.params if not name.isdigit()]
    by_place = [value for name, value in job.params if name.isdigit()]
    why = [f"--reason={job.reason}"] if job.reason else []
    queue = [f"--queue={job.queue}"] if job.queue else []
    queue += [f"--profile={job.profile}"] if job.profile else []
    words = ["run", "--detach", "--id", job.run, f"--name={job.dag}", "--trigger", job.trigger, "--captured"]
    return [*words, *why, *queue, *named, "--", job.source, *by_place]


def retry_words(job: Job) -> list[str]:
    """The command line that goes on with the run of a job."""
    place = [f"--profile={job.profile}"] if job.profile else []
    return ["retry", "--detach", "--via", "scheduler", f"--reason={job.reason}", *place, job.run]
