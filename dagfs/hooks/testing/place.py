"""Where a plugin is tried out: a process, a home with the `dagfs` command, a clock that is set by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagfs.hooks.executor import Process
from dagfs.model.value import frozen

PATIENCE_SEC = 60.0


@frozen
class Outcome:
    """What a process left."""

    code: int
    out: str
    err: str


def run(process: Process, folder: Path) -> Outcome:
    """Run what an executor or a notifier says; `folder` is the request's. Its files are written first."""
    for name, text in process.files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        path.chmod(0o700)
    done = subprocess.run(
        list(process.argv),
        env=dict(process.env),
        cwd=process.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE_SEC,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class TemporaryHome:
    """A dagfs home in a folder of a test, with the plugins it is given."""

    def __init__(self, path: Path, settings: str = "") -> None:
        """`path` is made; `settings` is the text of its dagfs.yaml."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        (path / "dagfs.yaml").write_text(settings)
        (path / "plugins").mkdir(mode=0o700, exist_ok=True)

    def plugin(self, source: Path) -> Path:
        """Drop a plugin in: a file, whose name is kept."""
        target = self.path / "plugins" / source.name
        target.write_bytes(source.read_bytes())
        target.chmod(0o600)
        return target

    def dag(self, name: str, text: str) -> Path:
        """Write `dags/NAME.yaml`."""
        path = self.path / "dags" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def dagfs(self, *words: str, env: Mapping[str, str] | None = None) -> Outcome:
        """Call the `dagfs` of this Python in the home, and wait for its end."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        process = Process(
            [sys.executable, "-m", "dagfs.cli", *words],
            {**kept, "HOME": str(self.path), **(env or {})},
            str(self.path),
        )
        return run(process, self.path)

    def log(self, step: str) -> str:
        """The standard output of a step in the newest attempt of the only run."""
        found = sorted(self.path.glob(f"runs/*/attempts/*/steps/{step}/stdout.log"))
        return found[-1].read_text() if found else ""


class Clock:
    """A clock that goes only when it is told to. Times in seconds."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._began = self._now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._began).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Passes at once, and the time with it."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
