"""The scheduler: how it is, what it did, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagfs.engine.home import Home
from dagfs.engine.location import now
from dagfs.engine.moment import moment_of
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError
from dagfs.model.dag import Dag
from dagfs.scheduler.forecast import coming
from dagfs.scheduler.pulse import standing
from dagfs.spec.parse import read
from dagfs.store import dags
from dagfs.store.ledger import Ledger
from dagfs.web.api.operation import Answer, Call, Parameter, get
from dagfs.web.api.place import LIMIT, dag_of
from dagfs.web.api.shapes import FLAG, TEXT, WHOLE, having, list_of, ref


def get_scheduler(call: Call) -> Any:
    return standing(_ledger(call.site.home), now())


def _ledger(home: Home) -> Ledger:
    return Ledger(home.disk, home.paths.scheduler, now)


def list_notes(call: Call) -> Any:
    return list(_ledger(call.site.home).notes())[-call["limit"] :]


def list_coming(call: Call) -> Any:
    home = call.site.home
    paused = _ledger(home).paused()
    since = now() if call["from"] is None else moment_of(call["from"], "from")
    rows = coming(home, _wanted(call), since, call["limit"])
    return [row.as_data(paused) for row in rows]


def _wanted(call: Call) -> Iterator[tuple[Path, Dag]]:
    """The DAG that is named, or all that can be read."""
    home = call.site.home
    options = reading_options(home)
    chosen = [dag_of(call, call["dag"])] if call["dag"] else dags.names(home.paths)
    for path in chosen:
        try:
            dag = read(dags.read(path), str(path), options=options)
        except DagfsError:
            if call["dag"]:
                raise
        else:
            yield path, dag


_INSTANT = {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{2,15}(Z|[+-][0-9:]{2,5})?)?$",
}
OPERATIONS = (
    get(
        "/scheduler",
        get_scheduler,
        "How the scheduler is",
        Answer(
            "What it said last, and whether it is at work.", having({"alive": FLAG, "paused": list_of(TEXT)})
        ),
        shell="dagfs scheduler --status --json",
    ),
    get(
        "/scheduler/log",
        list_notes,
        "What the scheduler did last",
        Answer("Lines of its log, oldest first.", list_of(having({"time": TEXT, "event": TEXT}))),
        LIMIT,
        shell="dagfs scheduler --log 100 --json",
    ),
    get(
        "/next",
        list_coming,
        "When scheduled runs come next",
        Answer("The next starts, earliest first.", list_of(ref("Coming"))),
        Parameter("dag", "Only of that DAG.", TEXT, example="nightly-import"),
        Parameter("from", "From that instant on, in place of now.", _INSTANT, example="2026-03-28T12:00Z"),
        Parameter("limit", "At most so many.", {**WHOLE, "minimum": 1, "maximum": 1000, "default": 10}),
        errors=("spec_invalid",),
        shell="dagfs next --json",
    ),
)
