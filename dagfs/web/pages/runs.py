"""`/runs`: all runs, newest first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dagfs.engine.location import now
from dagfs.engine.moment import since_text
from dagfs.errors import UsageError
from dagfs.model.state import RunState
from dagfs.planning.lineage import families
from dagfs.web.address import here
from dagfs.web.route import Route
from dagfs.web.shelf import tags_of
from dagfs.web.site import page, unchanged
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.runs import Filter, Page, RunFact, cut, documents

PAGE = 50
"""Runs of one page."""
_STATES = (*map(str, RunState), "damaged")
_SINCE = {"": "at any time", "1h": "last hour", "24h": "last day", "7d": "last week", "30d": "last 30 days"}


def show(request: Request) -> Response:
    """The list, or the part of it that the address asks for."""
    stock, query = stock_of(request), request.query_params
    stock.refresh()
    wanted, wrong = _filter(request, stock)
    part = cut(stock.runs.all(), wanted, query.get("before", ""), PAGE)
    # What is shown is as new as can be; all others may be some seconds old.
    version = stock.runs.version
    stock.runs.refresh([each.run for each in part.facts])
    if stock.runs.version != version:
        part = cut(stock.runs.all(), wanted, query.get("before", ""), PAGE)
    etag = stock.etag()
    if known := unchanged(request, etag):
        return known
    is_tree = query.get("tree") == "1"
    facts, branches = _arranged(part, is_tree=is_tree)
    return page(
        request,
        "runs.html",
        etag=etag,
        facts=facts,
        branches=branches,
        is_tree=is_tree,
        wanted=wanted,
        wrong=wrong,
        since=query.get("since", ""),
        sinces=_SINCE,
        tag=query.get("tag", ""),
        tags=list(tags_of(stock.dags.all()))[:200],
        states=_STATES,
        total=len(stock.runs.all()),
        unread=stock.runs.unread,
        busy=stock.runs.unread or any(not each.is_over for each in facts),
        is_first="before" not in query,
        is_filtered=any(query.get(name) for name in ("dag", "status", "since", "q", "tag")),
        older_url=here(request, before=part.older) if part.older else "",
        newest_url=here(request, before=None),
        tree_url=here(request, tree=None if is_tree else 1),
    )


def _filter(request: Request, stock: Stock) -> tuple[Filter, str]:
    """What the query asks for, and what of it makes no sense."""
    query, wrong, since = request.query_params, "", ""
    try:
        since = since_text(query["since"], now()) if query.get("since") else ""
    except UsageError as error:
        wrong = error.message
    tag = query.get("tag", "")
    names = frozenset(each.name for each in stock.dags.all() if tag in each.tags) if tag else None
    states = tuple(each for each in query.getlist("status") if each in _STATES)
    return Filter(query.get("dag", ""), states, since, query.get("q", "")[:200].strip(), names), wrong


def _arranged(part: Page, *, is_tree: bool) -> tuple[list[RunFact], dict[str, str]]:
    """The runs in the order of a printed tree, with the branch before each, or as they are."""
    if not is_tree:
        return list(part.facts), {}
    by_run = {each.run: each for each in part.facts}
    order, branches = families(list(documents(part.facts)))
    return [by_run[each["run"]] for each in order], branches


ROUTES = (Route("GET", "/runs", show),)
