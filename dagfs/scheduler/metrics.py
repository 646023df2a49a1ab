"""Figures about a home in the text form that Prometheus reads. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from dagfs.scheduler.census import Counted
from dagfs.scheduler.pulse import is_alive


def exposition(
    runs: Iterable[Counted], status: Mapping[str, Any], queued: Mapping[str, int], now: datetime
) -> Iterator[str]:
    """The lines, without their newlines."""
    counts = Counter((run.dag, run.state) for run in runs)
    yield from _metric(
        "dagfs_runs",
        "gauge",
        "Runs in the store, by DAG and state.",
        [({"dag": dag, "state": state}, count) for (dag, state), count in sorted(counts.items())],
    )
    yield from _metric(
        "dagfs_queued_runs",
        "gauge",
        "Runs that wait, by queue.",
        [({"queue": name}, count) for name, count in sorted(queued.items())],
    )
    alive = is_alive(status, now)
    figures: dict[str, tuple[str, float]] = {
        "dagfs_scheduler_up": ("Whether a scheduler is at work.", int(alive)),
        "dagfs_dag_files": ("DAG files that the scheduler watches.", status.get("dags", 0)),
        "dagfs_schedules": ("DAGs with a schedule.", status.get("schedules", 0)),
        "dagfs_dag_errors": ("DAG files that cannot be read.", len(status.get("errors", {}))),
        "dagfs_runs_set_aside": ("Queued runs that could not be started.", status.get("set_aside", 0)),
        "dagfs_scheduler_lag_seconds": ("How late the last start was.", status.get("lag_sec", 0)),
    }
    if tick := status.get("tick"):
        seconds = datetime.fromisoformat(str(tick)).timestamp()
        figures["dagfs_scheduler_last_tick_timestamp_seconds"] = ("Its last sign of life.", seconds)
    for name, (about, value) in figures.items():
        yield from _metric(name, "gauge", about, [({}, value)])


def _metric(
    name: str, kind: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{said}}} {value}" if said else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
