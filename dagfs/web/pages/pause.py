"""`/pause` and `/resume`: whether a DAG is started by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.errors import NotFound
from dagfs.web.actions import Actions, actions_of
from dagfs.web.address import inside
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.shelf import DagFact
from dagfs.web.stock import stock_of


async def pause(request: Request) -> Response:
    """Start nothing of it by itself from now on."""
    return await _switched(
        request, lambda actions, dag, form: actions.pause(dag.path, str(form.get("reason", "")))
    )


async def resume(request: Request) -> Response:
    """Start it by itself again."""
    return await _switched(request, lambda actions, dag, _: actions.resume(dag.name))


async def _switched(
    request: Request, switch: Callable[[Actions, DagFact, FormData], Awaitable[None]]
) -> Response:
    form = await request.form()
    word = str(form.get("dag", ""))
    fact = await run_in_threadpool(stock_of(request).dags.find, word)
    if fact is None:
        raise NotFound(f"there is no DAG {word!r}", hint="all there are stand at /")
    await switch(actions_of(request), fact, form)
    return RedirectResponse(inside(str(form.get("next", "/"))), 303)


ROUTES = (
    Route("POST", "/pause", pause, Role.EDIT),
    Route("POST", "/resume", resume, Role.EDIT),
)
