"""`/`: all DAGs."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from dagfs.web.address import here, request_number
from dagfs.web.route import Route
from dagfs.web.shelf import DagFact, tags_of
from dagfs.web.site import page, site_of, unchanged
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.dags import SORTS, STATUSES, DagFilter, Row, ordered, row
from dagfs.web.views.pauses import pauses

PAGE = 100
"""DAGs of one page."""


def show(request: Request) -> Response:
    """The list."""
    stock, query = stock_of(request), request.query_params
    stock.refresh()
    wanted = DagFilter(query.get("q", "")[:200].strip(), query.get("tag", ""), query.get("status", ""))
    sort = query.get("sort", "") if query.get("sort", "") in SORTS else "name"
    start = request_number(request, "start", 0)
    paused = pauses(stock.ledger.paused())
    etag = stock.etag(stock.dags.unread, sorted(paused))
    if known := unchanged(request, etag):
        return known
    facts = stock.dags.all()
    found = _found(stock, facts, wanted, sort, frozenset(paused))
    zone = site_of(request).home.settings.timezone
    by_dag = stock.runs.by_dag()
    rows = [
        row(each, zone, stock.dags.next_start(each), by_dag.get(each.name, ()), paused.get(each.name))
        for each in found[start : start + PAGE]
    ]
    return page(
        request,
        "dags.html",
        etag=etag,
        rows=rows,
        broken=[each for each in facts if each.problems],
        wanted=wanted,
        sort=sort,
        sorts=SORTS,
        statuses=STATUSES,
        tags=list(tags_of(facts))[:200],
        total=len(facts),
        count=len(found),
        start=start,
        here=here(request),
        before_url=here(request, start=max(0, start - PAGE)) if start else "",
        more_url=here(request, start=start + PAGE) if len(found) > start + PAGE else "",
        unread=stock.dags.unread,
        runs_unread=stock.runs.unread,
        busy=_is_busy(rows) or bool(stock.dags.unread or stock.runs.unread),
        dags_path=str(site_of(request).home.paths.dags),
    )


def _found(
    stock: Stock, facts: Sequence[DagFact], wanted: DagFilter, sort: str, paused: frozenset[str]
) -> list[DagFact]:
    runs = stock.runs.by_dag()
    taken = [
        each
        for each in facts
        if wanted.takes(each, next(iter(runs.get(each.name, ())), None), paused=each.name in paused)
    ]
    following = {each.key: stock.dags.next_start(each) for each in taken} if sort == "next" else {}
    return ordered(taken, sort, runs, following)


def _is_busy(rows: list[Row]) -> bool:
    return any(each.last is not None and not each.last.is_over for each in rows)


ROUTES = (Route("GET", "/", show),)
