"""W7: a scheduler with 1,000 DAG files: what it costs idle, how soon it sees a change, how late it starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FILES, AT_ONCE, IDLE_SEC, PATIENCE_SEC = 1000, 20, 20.0, 120.0
_STEPS = "steps:\n  - name: a\n    command: 'true'\n"
_DAGU_STEPS = 'steps:\n  - name: a\n    command: "true"\n'


@dataclass(frozen=True, slots=True)
class Figures:
    """What one scheduler needed. Seconds, per cent of one processor, megabytes."""

    idle_percent: float
    memory_mb: float
    seen_sec: float | None = None
    late_sec: float | None = None
    """How late the last of twenty starts was that were due at once."""


def measure(dagfs: str, folder: Path) -> Figures:
    """A `dagfs scheduler` in a new home."""
    (folder / "dags").mkdir(parents=True)
    (folder / "dagfs.yaml").write_text("dialect: auto\n")
    for n in range(FILES):
        (folder / f"dags/d{n}.yaml").write_text(f"schedule: '{n % 60} {n % 24} 1 1 *'\n{_STEPS}")
    process = _start([dagfs, "scheduler"], folder, {})
    try:
        _until(lambda: _status(folder).get("schedules") == FILES)
        idle, memory = _idle(process.pid)
        began = time.monotonic()
        (folder / "dags/new.yaml").write_text(f"schedule: '0 0 1 1 *'\n{_STEPS}")
        _until(lambda: _status(folder).get("schedules") == FILES + 1)
        return Figures(idle, memory, time.monotonic() - began, _lateness(folder))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def measure_dagu(dagu: str, folder: Path) -> Figures:
    """Dagu's scheduler with as many files: its cost while idle."""
    dags = folder / "home/dags"
    dags.mkdir(parents=True)
    for n in range(FILES):
        (dags / f"d{n}.yaml").write_text(f"schedule: '{n % 60} {n % 24} 1 1 *'\n{_DAGU_STEPS}")
    env = {"DAGU_HOME": str(folder / "home"), "HOME": str(folder)}
    process = _start([dagu, "scheduler", "--dags", str(dags)], folder, env)
    try:
        time.sleep(10)
        return Figures(*_idle(process.pid))
    finally:
        process.kill()
        process.wait()


def _start(words: list[str], folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    where = subprocess.DEVNULL
    return subprocess.Popen(
        words, cwd=folder, env={**os.environ, **env}, stdin=where, stdout=where, stderr=where
    )


def _status(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "runs/.scheduler/status.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SEC
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError("the scheduler did not get there")
        time.sleep(0.02)


def _idle(pid: int) -> tuple[float, float]:
    time.sleep(3)
    before = _ticks(pid)
    time.sleep(IDLE_SEC)
    percent = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / IDLE_SEC * 100
    # With what it starts runs from.
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in (pid, *children))
    return percent, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _lateness(folder: Path) -> float:
    due = (datetime.now(UTC) + timedelta(seconds=10)).replace(microsecond=0)
    for n in range(AT_ONCE):
        (folder / f"dags/at{n}.yaml").write_text(f"schedule: {{at: '{due.isoformat()}'}}\n{_STEPS}")
    runs = folder / "runs"
    _until(lambda: len(list(runs.glob("at*/run.json"))) == AT_ONCE)
    made = [json.loads(path.read_bytes())["created"] for path in runs.glob("at*/run.json")]
    return max((datetime.fromisoformat(each) - due).total_seconds() for each in made)


def figures_table(rows: dict[str, Figures]) -> str:
    """A Markdown table."""
    lines = [
        f"| scheduler with {FILES:,} DAG files | idle | memory | a change is known after "
        f"| the last of {AT_ONCE} at once is late by |",
        "|---|---|---|---|---|",
    ]
    for tool, row in rows.items():
        seen = f"{row.seen_sec:.2f} s" if row.seen_sec is not None else ""
        late = f"{row.late_sec:.2f} s" if row.late_sec is not None else ""
        lines.append(f"| {tool} | {row.idle_percent:.2f} % | {row.memory_mb:.0f} MB | {seen} | {late} |")
    return "\n".join(lines) + "\n"


def w7(folder: Path, dagfs: str, dagu: str | None) -> str:
    """Both schedulers, one after the other, as a table."""
    rows = {"dagfs": measure(dagfs, folder / "dagfs")}
    if dagu:
        rows["dagu"] = measure_dagu(dagu, folder / "dagu")
        shutil.rmtree(folder / "dagu", ignore_errors=True)
    return figures_table(rows)
