"""A home of Dagu as it lies on disk: DAG files, base.yaml, suspend flags, past runs. Nothing is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError, NotFound
from dagfs.model.value import frozen
from dagfs.store.dags import is_dag_name, is_file
from dagfs.store.files import read_bytes

STATES = (
    *("not_started", "running", "failed", "aborted", "succeeded", "queued", "partially_succeeded"),
    *("waiting", "rejected"),
)
"""Dagu's numbers for the states of a run."""
_LARGEST_STATUS = 16 << 20
_ODD = re.compile(r'[<>:"/\\|?*\x00-\x1f ]')


@frozen
class PastRun:
    """One run as Dagu recorded it."""

    dag: str
    run: str
    state: str
    """In Dagu's words; `unreadable` where its record is."""
    started: str = ""
    finished: str = ""
    """RFC 3339, UTC; empty where there is none."""
    params: str = ""
    path: str = ""
    """The record."""


@frozen
class DaguHome:
    """Where the parts are: a folder that Dagu was started with, or its folder of DAGs alone."""

    root: Path
    dags: Path
    base: Path | None = None
    flags: Path | None = None
    """The folder of suspend flags."""
    records: Path | None = None
    """The folder of past runs."""

    def files(self) -> list[Path]:
        """Every DAG file, sorted, also in sub-folders; hidden ones and editors' files are left out."""
        return [path for path in self._everything() if is_dag_name(path.name)]

    def companions(self) -> list[Path]:
        """The other files beside the DAGs, which these may use: scripts, data, `.env`."""
        return [path for path in self._everything() if not is_dag_name(path.name)]

    def _everything(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self.dags):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                own = name == ".env" or not name.startswith((".", "#", "~"))
                if own and not name.endswith("~") and path != self.base and is_file(path):
                    yield path

    def is_suspended(self, file: Path, name: str) -> bool:
        """Whether Dagu's scheduler leaves a DAG alone; it goes by the file's name."""
        if self.flags is None:
            return False
        return any((self.flags / f"{_ODD.sub('-', word)}.suspend").exists() for word in (file.stem, name))

    def past_runs(self) -> list[PastRun]:
        """Every run on record, newest first; of one that was retried its newest attempt."""
        found = [_past_run(folder) for folder in self._run_folders()]
        return sorted(found, key=lambda run: (run.started, run.run), reverse=True)

    def _run_folders(self) -> Iterator[Path]:
        """`NAME/dag-runs/YEAR/MONTH/DAY/dag-run_…`; those of sub-DAGs lie deeper."""
        if self.records is not None:
            yield from sorted(self.records.glob("*/dag-runs/*/*/*/dag-run_*"))


def dagu_home(folder: Path) -> DaguHome:
    """The parts of a home of Dagu, found by their names. NotFound where there is no DAG file."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    dags = next((each for each in (folder / "dags", folder) if each.is_dir()), folder)
    around = (folder, folder.parent) if dags == folder else (folder,)
    found = DaguHome(
        folder,
        dags,
        _first(is_file, (place / "base.yaml" for place in around)),
        _first(Path.is_dir, (place / name for place in around for name in ("suspend", "data/suspend"))),
        _first(Path.is_dir, (place / name for place in around for name in ("data/dag-runs", "dag-runs"))),
    )
    if not found.files() and found.records is None:
        hint = "give the folder that holds dags/, or the one with the DAG files themselves"
        raise NotFound(f"there are no DAG files in {dags}", hint=hint)
    return found


def _first(is_there: Any, places: Iterator[Path]) -> Path | None:
    return next((place for place in places if is_there(place)), None)


def _past_run(folder: Path) -> PastRun:
    """A run from the last line of its newest attempt's status.jsonl that can be read."""
    dag, name = folder.parents[4].name, folder.name.removeprefix("dag-run_").partition("_")
    run = name[2].partition("_")[2] or name[2] or name[0]
    for record in sorted(folder.glob("attempt_*/status.jsonl"), reverse=True):
        status = _last_status(record)
        if status is not None:
            return PastRun(
                str(status.get("name") or dag),
                str(status.get("dagRunId") or run),
                _state(status.get("status")),
                _time(status.get("startedAt")),
                _time(status.get("finishedAt")),
                str(status.get("params") or ""),
                str(record),
            )
    return PastRun(dag, run, "unreadable", path=str(folder))


def _last_status(record: Path) -> Mapping[str, Any] | None:
    try:
        if record.stat().st_size > _LARGEST_STATUS:
            return None
        lines = read_bytes(record).splitlines()
    except (OSError, DagfsError):
        return None
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None


def _state(number: Any) -> str:
    known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(STATES)
    return STATES[number] if known else "unreadable"


def _time(text: Any) -> str:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return ""
