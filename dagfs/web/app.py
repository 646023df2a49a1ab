"""The application: its routes, the guard around them, and how errors are told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Matcher

from dagfs.errors import DagfsError, NotFound, SpecError
from dagfs.web.api import routes as api
from dagfs.web.guard import Gate, Guard
from dagfs.web.pages import (
    act,
    artifact,
    dag,
    dags,
    edit,
    events,
    health,
    inbox,
    log,
    login,
    pause,
    plugin_page,
    plugins,
    queues,
    retry,
    rules,
    run,
    runs,
    search,
    specs,
    start,
    static,
)
from dagfs.web.plugins import has_any
from dagfs.web.problem import error_data, status_of
from dagfs.web.route import Route
from dagfs.web.site import Site, page

PAGES = (
    api,
    login,
    static,
    dags,
    edit,
    retry,
    rules,
    specs,
    dag,
    health,
    inbox,
    pause,
    plugin_page,
    plugins,
    queues,
    runs,
    search,
    start,
    run,
    act,
    log,
    artifact,
    events,
)
"""The modules that have routes; each has them as `ROUTES`."""
_log = logging.getLogger("dagfs.web")


def routes() -> list[Route]:
    """Every route there is."""
    return [route for module in PAGES for route in module.ROUTES]


def build(site: Site, gate: Gate) -> Guard:
    """The application behind its guard."""
    known = routes()

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        if has_any(site.home):
            site.plugin_pages.begin(site.commands, site.templates)
        yield
        site.commands.close()

    matchers = [Matcher(each.path, each.endpoint, methods=[each.method]) for each in known]
    app = Starlette(
        routes=matchers,
        exception_handlers={DagfsError: _told, HTTPException: _http_error, Exception: _bug},  # type: ignore[dict-item]
        lifespan=life,
    )
    app.state.site = site
    return Guard(app, gate, known)


def is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


async def _told(request: Request, error: DagfsError) -> Response:
    status = status_of(error)
    if is_api(request):
        return JSONResponse(error_data(error), status)
    problems = error.problems if isinstance(error, SpecError) else ()
    return page(request, "error.html", status=status, code=status, error=error, problems=problems)


async def _http_error(request: Request, error: HTTPException) -> Response:
    """What Starlette itself says: no such path, or a method that the path does not take."""
    if error.status_code == 404:
        return await _told(request, NotFound(f"there is no page {request.url.path}", hint="begin at /"))
    told = DagfsError(str(error.detail))
    if is_api(request):
        code = "method_not_allowed" if error.status_code == 405 else "bad_request"
        return JSONResponse(error_data(told, code), error.status_code, headers=error.headers)
    return page(
        request, "error.html", status=error.status_code, code=error.status_code, error=told, problems=()
    )


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("a bug in dagfs, at %s %s", request.method, request.url.path, exc_info=error)
    told = DagfsError(
        "this is a bug in dagfs", hint="the log of `dagfs serve` has the traceback: please report it"
    )
    if is_api(request):
        return JSONResponse(error_data(told, "bug"), 500)
    return page(request, "error.html", status=500, code=500, error=told, problems=())
