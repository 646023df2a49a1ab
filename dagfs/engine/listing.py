"""The DAGs of a home as data: `dagfs ls --json`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from dagfs.engine.home import Home
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError
from dagfs.model.dag import Dag
from dagfs.spec.parse import parse
from dagfs.store import dags


def dag_reader(home: Home, label: Callable[[Path], str] = str) -> Callable[[Path], dict[str, Any]]:
    """Reads one DAG file as a row; one that is wrong has its first `error`. `label` names files in it."""
    options = reading_options(home)

    def read(path: Path) -> dict[str, Any]:
        try:
            reading = parse(dags.read(path), label(path), options=options)
        except DagfsError as error:
            return _row(path, None, str(error).splitlines()[0])
        return _row(path, reading.dag, str(reading.errors[0]) if reading.errors else None)

    return read


def _row(path: Path, dag: Dag | None, error: str | None) -> dict[str, Any]:
    return {
        "name": dag.name if dag else path.stem,
        "file": str(path),
        "description": dag.description if dag else "",
        "tags": list(dag.tags) if dag else [],
        "steps": len(dag.steps) if dag else 0,
        "error": error,
        "last": None,
    }


def nothing_readable(paths: Collection[Path], unread: Collection[str]) -> bool:
    """Whether there is something, and none of it may be read. `unread` are folders that cannot be listed."""
    return bool(paths or unread) and not any(os.access(path, os.R_OK) for path in paths)


def add_last_runs(home: Home, rows: Iterable[dict[str, Any]]) -> None:
    """Put each DAG's newest run in, from one listing."""
    named = {each["name"]: each for each in rows}
    for name, summary in home.store.newest_of(named).items():
        named[name]["last"] = {key: summary.get(key) for key in ("run", "state", "created")}
