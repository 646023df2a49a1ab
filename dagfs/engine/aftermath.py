"""Ends what outlives a step's process elsewhere, by the command that its executor gave for that."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dagfs.engine.launch import Launch
from dagfs.engine.spawn import Unstartable, spawn
from dagfs.model.value import replace

PATIENCE_SEC = 60.0


def clean_up_in_shim(launch: Launch) -> None:
    """Run the launch's cleanup as a child and wait for it; what it says goes into the log of errors."""
    try:
        log = os.open(
            launch.stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        pid = spawn(replace(launch, argv=launch.cleanup), log, log)
        _wait(pid)
    except Unstartable as error:
        with suppress(OSError):
            os.write(log, f"dagfs: {error.message}\n".encode())
    os.close(log)


def _wait(pid: int) -> None:
    """Wait for a child, but not for ever."""
    watch = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(watch, select.POLLIN)
    done = poller.poll(PATIENCE_SEC * 1000)
    os.close(watch)
    if not done:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def clean_up(words: Sequence[str], env: Mapping[str, str]) -> str:
    """Run a cleanup command from here; what it said where it did not do its work, or `""`."""
    try:
        done = subprocess.run(
            list(words),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SEC,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"cleaning up took more than {PATIENCE_SEC:g} s"
    except OSError as error:
        return f"cannot start {words[0]}: {error.strerror}"
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    return (said or f"cleaning up ended with {done.returncode}") if done.returncode else ""
