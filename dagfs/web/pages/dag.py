"""`/dags/NAME`: one DAG, as its file is now and as its runs went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.home import Home
from dagfs.engine.location import now
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, NotFound, Problem, SpecError
from dagfs.model.dag import Dag
from dagfs.planning.picture import Sketch
from dagfs.scheduler.instants import delay, occurrences, zone_at, zone_named
from dagfs.spec.parse import Options, parse
from dagfs.store import dags
from dagfs.web.graph import drawing
from dagfs.web.route import Route
from dagfs.web.shelf import DagFact, Stamp
from dagfs.web.site import page, site_of, unchanged
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.dags import row
from dagfs.web.views.history import MOST_RUNS, History, history
from dagfs.web.views.lines import Line, numbered
from dagfs.web.views.params import field_of
from dagfs.web.views.pauses import Pause, pauses
from dagfs.web.views.runs import RunFact

_NEXT = 5


@dataclass(frozen=True, slots=True)
class _File:
    """A DAG file as it is now."""

    size: int
    dag: Dag | None
    problems: tuple[Problem, ...]
    lines: Sequence[Line]
    picture: Markup


def show(request: Request) -> Response:
    """The page."""
    stock, home = stock_of(request), site_of(request).home
    stock.refresh()
    word = request.path_params["name"]
    fact = stock.dags.find(word)
    if fact is None:
        return _without_file(stock, word)
    stock.runs.refresh([each.run for each in stock.runs.by_dag().get(fact.name, ())[:MOST_RUNS]])
    waiting = [each for each in stock.queue.entries() if each.dag == fact.name]
    paused = pauses(stock.ledger.paused())
    etag = stock.etag(fact.stamp, [each.id for each in waiting], sorted(paused))
    if known := unchanged(request, etag):
        return known
    return page(
        request,
        "dag.html",
        etag=etag,
        fact=fact,
        waiting=waiting,
        queue_held=f"queue:{fact.queue or fact.name}" in paused,
        namesakes=[each.key for each in stock.dags.all() if each.name == fact.name and each.key != fact.key],
        here=request.url.path,
        **_of_file(home, fact),
        **_of_runs(home, stock, fact, paused.get(fact.name)),
    )


def _of_file(home: Home, fact: DagFact) -> dict[str, Any]:
    """What its file says, as it is now."""
    file = _read(fact.path, fact.stamp, reading_options(home))
    return {
        "dag": file.dag,
        "problems": file.problems,
        "lines": file.lines,
        "size": file.size,
        "picture": file.picture,
        "params": [field_of(each) for each in file.dag.params] if file.dag else [],
    }


def _of_runs(home: Home, stock: Stock, fact: DagFact, paused: Pause | None) -> dict[str, Any]:
    """How its runs went, and when the next ones come."""
    runs, zone = stock.runs.by_dag().get(fact.name, ()), home.settings.timezone
    return {
        "row": row(fact, zone, stock.dags.next_start(fact), runs, paused),
        "runs": len(runs),
        "history": _history(home, runs, fact),
        "instants": _instants(fact, zone),
        "zone": fact.schedule.timezone or zone,
        "busy": any(not each.is_over for each in runs[:MOST_RUNS]),
    }


def _without_file(stock: Stock, word: str) -> Response:
    """A DAG whose file has gone still has its runs."""
    if stock.runs.by_dag().get(word):
        return RedirectResponse(f"/runs?dag={quote(word, safe='')}", 303)
    raise NotFound(f"there is no DAG {word!r}", hint="all there are stand at /")


@lru_cache(maxsize=4)
def _read(path: str, stamp: Stamp, options: Options) -> _File:  # noqa: ARG001 - another stamp is another file
    """A file of a thousand steps takes half a second, and its page is asked for again and again."""
    data, dag, problems = _parsed(path, options)
    return _File(len(data), dag, problems, numbered(data, problems), _picture(dag) if dag else Markup())


def _parsed(path: str, options: Options) -> tuple[bytes, Dag | None, tuple[Problem, ...]]:
    try:
        data = dags.read(Path(path))
    except SpecError as error:
        return b"", None, error.problems
    except (DagfsError, OSError) as error:
        return b"", None, (Problem(path, 0, 0, str(error)),)
    reading = parse(data, path, options=options)
    return data, reading.dag, reading.problems


def _picture(dag: Dag) -> Markup:
    notes = {step.name: step.description for step in dag.steps if step.description}
    return drawing(Sketch(dag.name, dag.depends, {}, notes))


def _history(home: Home, runs: Sequence[RunFact], fact: DagFact) -> History:
    dag = _read(fact.path, fact.stamp, reading_options(home)).dag
    shown = [each.run for each in runs[:MOST_RUNS]]
    documents = {str(each["run"]): each for each in home.store.summaries_of(shown)}
    return history(runs, documents, list(dag.depends) if dag else [])


def _instants(fact: DagFact, zone: str) -> list[tuple[datetime, datetime, str, str]]:
    """When it is started next: in UTC, in its own zone, which, and what for."""
    if fact.schedule.suspend:
        return []
    late = delay(fact.key, fact.schedule)
    rows = []
    for moment, actions in islice(occurrences(fact.schedule, zone, now() - late), _NEXT):
        own = zone_at(fact.schedule, zone, moment)
        start = moment + late
        rows.append((start, start.astimezone(zone_named(own)), own, " ".join(sorted(actions))))
    return rows


ROUTES = (Route("GET", "/dags/{name:path}", show),)
