"""Times whole commands, in turn, so that a machine that drifts drifts for all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Contender:
    """One tool at one piece of work."""

    tool: str
    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    """Done before each run, not timed."""
    seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def run(self) -> float:
        """One run: wall seconds."""
        self.before()
        began = time.perf_counter()
        with subprocess.Popen(
            self.command,
            cwd=self.cwd,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)
        return time.perf_counter() - began


def race(contenders: Sequence[Contender], rounds: int) -> None:
    """Run each once unmeasured, then all in turn, `rounds` times."""
    for contender in contenders:
        contender.run()
    for n in range(rounds):
        for contender in contenders:
            contender.seconds.append(contender.run())
        print(f"  round {n + 1} of {rounds}", file=sys.stderr, flush=True)


def spawn_limit(count: int, jobs: int) -> float:
    """Seconds to start `sh -c true` so often, so many at once, from a loop that does nothing else."""
    began = time.perf_counter()
    running = started = 0
    while started < count or running:
        while started < count and running < jobs:
            os.posix_spawn("/bin/sh", ["sh", "-c", "true"], os.environ)
            started += 1
            running += 1
        os.wait()
        running -= 1
    return time.perf_counter() - began
