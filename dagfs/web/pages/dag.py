"""`/dags/NAME`: one DAG, as its file is now and as its runs went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from dagfs.scheduler.instants import delay, occurrences, zone_named
from dagfs.spec.parse import parse
from dagfs.store import dags
from dagfs.web.graph import drawing
from dagfs.web.route import Route
from dagfs.web.shelf import DagFact
from dagfs.web.site import page, site_of, unchanged
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.dags import row
from dagfs.web.views.history import MOST_RUNS, History, history
from dagfs.web.views.lines import numbered
from dagfs.web.views.params import field_of
from dagfs.web.views.pauses import pauses

_NEXT = 5


@dataclass(frozen=True, slots=True)
class _File:
    """A DAG file as it is now."""

    data: bytes
    dag: Dag | None
    problems: tuple[Problem, ...]


def show(request: Request) -> Response:
    """The page."""
    stock, home = stock_of(request), site_of(request).home
    stock.refresh()
    word = request.path_params["name"]
    fact = stock.dags.find(word)
    if fact is None:
        return _without_file(stock, word)
    runs = stock.runs.by_dag().get(fact.name, ())
    stock.runs.refresh([each.run for each in runs[:MOST_RUNS]])
    runs = stock.runs.by_dag().get(fact.name, ())
    paused = pauses(stock.ledger.paused())
    waiting = [each for each in stock.queue.entries() if each.dag == fact.name]
    etag = stock.etag(fact.stamp, [each.id for each in waiting], sorted(paused))
    if known := unchanged(request, etag):
        return known
    file = _read(home, fact)
    dag = file.dag
    zone = home.settings.timezone
    return page(
        request,
        "dag.html",
        etag=etag,
        fact=fact,
        dag=dag,
        problems=file.problems,
        lines=numbered(file.data, file.problems),
        size=len(file.data),
        row=row(fact, zone, stock.dags.next_start(fact), runs, paused.get(fact.name)),
        runs=len(runs),
        params=[field_of(each) for each in dag.params] if dag else [],
        history=_history(home, runs, list(dag.depends) if dag else []),
        picture=_picture(dag) if dag else "",
        instants=_instants(home, fact, zone),
        zone=fact.schedule.timezone or zone,
        waiting=waiting,
        queue_held=f"queue:{fact.queue or fact.name}" in paused,
        namesakes=[each.key for each in stock.dags.all() if each.name == fact.name and each.key != fact.key],
        busy=any(not each.is_over for each in runs[:MOST_RUNS]),
        here=request.url.path,
    )


def _without_file(stock: Stock, word: str) -> Response:
    """A DAG whose file has gone still has its runs."""
    if stock.runs.by_dag().get(word):
        return RedirectResponse(f"/runs?dag={quote(word, safe='')}", 303)
    raise NotFound(f"there is no DAG {word!r}", hint="all there are stand at /")


def _read(home: Home, fact: DagFact) -> _File:
    path = Path(fact.path)
    try:
        data = dags.read(path)
        reading = parse(data, str(path), options=reading_options(home))
    except SpecError as error:
        return _File(b"", None, error.problems)
    except (DagfsError, OSError) as error:
        return _File(b"", None, (Problem(fact.path, 0, 0, str(error)),))
    return _File(data, reading.dag, reading.problems)


def _picture(dag: Dag) -> Markup:
    notes = {step.name: step.description for step in dag.steps if step.description}
    return drawing(Sketch(dag.name, dag.depends, {}, notes))


def _history(home: Home, runs: Sequence[Any], steps: Sequence[str]) -> History:
    shown = [each.run for each in runs[:MOST_RUNS]]
    documents: Mapping[str, Mapping[str, Any]] = {
        str(each["run"]): each for each in home.store.summaries_of(shown)
    }
    return history(runs, documents, steps)


def _instants(home: Home, fact: DagFact, zone: str) -> list[tuple[datetime, datetime, str]]:
    """When it is started next: in UTC, in its own zone, and what for."""
    if fact.schedule.suspend:
        return []
    late = delay(fact.key, fact.schedule)
    local = zone_named(fact.schedule.timezone or zone)
    found = islice(occurrences(fact.schedule, home.settings.timezone, now() - late), _NEXT)
    return [
        (moment + late, (moment + late).astimezone(local), " ".join(sorted(actions)))
        for moment, actions in found
    ]


ROUTES = (Route("GET", "/dags/{name:path}", show),)
