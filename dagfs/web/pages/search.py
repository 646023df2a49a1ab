"""`/search?q=`: in specs and logs, the newest runs first."""

from __future__ import annotations

import threading

from starlette.requests import Request
from starlette.responses import Response

from dagfs.model.pattern import BadPattern
from dagfs.web.route import Route
from dagfs.web.search import Search
from dagfs.web.site import page, site_of
from dagfs.web.stock import stock_of
from dagfs.web.views.finding import Needle

_LONGEST = 500
_at_work = threading.BoundedSemaphore(2)
"""So many searches go on at once: they are work for a processor."""


def show(request: Request) -> Response:
    """The form, and what was found."""
    query = request.query_params
    text = query.get("q", "")
    where = [each for each in query.getlist("in") if each in ("specs", "logs")] or ["specs", "logs"]
    dag, is_pattern = query.get("dag", "").strip(), query.get("re") == "1"
    search, wrong = None, ""
    if len(text) > _LONGEST:
        wrong = f"a search has at most {_LONGEST} characters"
    elif text.strip():
        search, wrong = searched(request, text, where, dag, is_pattern=is_pattern)
    status = 422 if wrong else 200
    return page(
        request,
        "search.html",
        status=status,
        search=search,
        wrong=wrong,
        q=text[:_LONGEST],
        where=where,
        dag=dag,
        is_pattern=is_pattern,
    )


def searched(
    request: Request, text: str, where: list[str], dag: str, *, is_pattern: bool
) -> tuple[Search | None, str]:
    """What was found, or why nothing was looked for."""
    try:
        needle = Needle(text, is_pattern)
    except BadPattern as error:
        return None, f"this is no regular expression: {error}"
    if not _at_work.acquire(timeout=5):
        return None, "two other searches are going on: try again in a moment"
    try:
        stock = stock_of(request)
        stock.runs.refresh()
        search = Search(needle)
        search.look(site_of(request).home.paths, stock.runs.all(), where, dag)
        return search, ""
    finally:
        _at_work.release()


ROUTES = (Route("GET", "/search", show),)
