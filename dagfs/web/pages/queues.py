"""`/queues`: what waits to be started, in order; taking it out, holding a queue and letting it go on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.location import now
from dagfs.scheduler.pulse import is_alive
from dagfs.web.actions import actions_of
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import page, site_of
from dagfs.web.stock import stock_of
from dagfs.web.views.pauses import pauses
from dagfs.web.views.queues import Aside, lanes, params_text, running


def show(request: Request) -> Response:
    """All queues."""
    stock, home = stock_of(request), site_of(request).home
    stock.runs.refresh()
    entries, unreadable = stock.queue.survey()
    aside = [Aside(*each) for each in stock.queue.put_aside()]
    paused = pauses(stock.ledger.paused())
    alive = is_alive(stock.ledger.status(), now())
    etag = stock.etag(entries, unreadable, aside, sorted(paused), alive)
    return page(
        request,
        "queues.html",
        etag=etag,
        lanes=lanes(entries, paused, dict(home.settings.queues)),
        aside=aside,
        unreadable=unreadable,
        paused=paused,
        params={each.id: params_text(each) for each in entries},
        alive=alive,
        running=running(stock.runs.all()),
        limit=home.settings.max_active_runs,
    )


async def remove(request: Request) -> Response:
    """Take a run out of its queue, or forget one that was set aside."""
    form = await request.form()
    await actions_of(request).dequeue(str(form.get("run", "")))
    return RedirectResponse("/queues", 303)


async def hold(request: Request) -> Response:
    """Start nothing from a queue."""
    form = await request.form()
    await actions_of(request).hold_queue(str(form.get("queue", "")))
    return RedirectResponse("/queues", 303)


async def release(request: Request) -> Response:
    """Start from it again."""
    form = await request.form()
    await actions_of(request).release_queue(str(form.get("queue", "")))
    return RedirectResponse("/queues", 303)


ROUTES = (
    Route("GET", "/queues", show),
    Route("POST", "/queues/remove", remove, Role.RUN),
    Route("POST", "/queues/hold", hold, Role.EDIT),
    Route("POST", "/queues/release", release, Role.EDIT),
)
