"""Starts engines: each is a `dagfs` process in a session of its own, which nothing ties to the scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from dagfs.scheduler.job import Job, Started

_ERROR_BYTES = 4096


class Processes:
    """Starts runs with `dagfs run --detach`, which ends as soon as the run exists."""

    def __init__(self, home: Path, *, plugins: bool = True) -> None:
        self._base = [
            sys.executable,
            "-m",
            "dagfs.cli",
            "-C",
            str(home),
            *([] if plugins else ["--no-plugins"]),
        ]
        self._starting: list[tuple[Job, subprocess.Popen[bytes], int]] = []
        self._stopping: list[subprocess.Popen[bytes]] = []

    def start(self, job: Job) -> None:
        """Begin to start a run; `ended` tells what came of it."""
        errors = os.memfd_create("errors")
        text = os.memfd_create("spec")
        try:
            os.write(text, job.text)
            os.lseek(text, 0, os.SEEK_SET)
            words = retry_words(job) if job.retry else run_words(job)
            process = subprocess.Popen(
                [*self._base, *words],
                stdin=text,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            os.write(errors, str(error).encode())
            process = subprocess.Popen(["false"], stdin=subprocess.DEVNULL)
        finally:
            os.close(text)
        self._starting.append((job, process, errors))

    def stop(self, runs: Iterable[str]) -> None:
        """Ask runs to stop; that goes on by itself."""
        for run in runs:
            self._stopping.append(
                subprocess.Popen(
                    [*self._base, "stop", run],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of another child, sooner or later."""
        self._stopping.append(process)

    def ended(self) -> list[Started]:
        """Starts that have succeeded or failed since the last call."""
        self._stopping = [each for each in self._stopping if each.poll() is None]
        found, going = [], []
        for job, process, errors in self._starting:
            code = process.poll()
            if code is None:
                going.append((job, process, errors))
            else:
                found.append(Started(job, code, _first_error(errors)))
        self._starting = going
        return found


def run_words(job: Job) -> list[str]:
    """The command line that makes the run of a job; the spec comes on standard input."""
    named = [word for name, value in job.params if not name.isdigit() for word in ("-p", f"{name}={value}")]
    by_place = [value for name, value in job.params if name.isdigit()]
    why = ["--reason", job.reason] if job.reason else []
    words = ["run", "--detach", "--id", job.run, "--name", job.dag, "--trigger", job.trigger, "--captured"]
    return [*words, *why, *named, "--", job.source, *by_place]


def retry_words(job: Job) -> list[str]:
    """The command line that goes on with the run of a job."""
    return ["retry", "--detach", "--via", "scheduler", "--reason", job.reason, job.run]


def _first_error(fd: int) -> str:
    """The first line of an error, as people see it."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        lines = os.read(fd, _ERROR_BYTES).decode("utf-8", "replace").splitlines()
    finally:
        os.close(fd)
    errors = [line.removeprefix("dagfs: ") for line in lines if line and not line.startswith("  ")]
    return next((line for line in errors if "warning" not in line), "")
