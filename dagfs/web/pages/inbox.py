"""`/inbox`: every step that waits for somebody's word, and the forms to give it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.answering import waiting_steps
from dagfs.errors import DagfsError, ExitCode
from dagfs.store.runs import RunStore
from dagfs.web.actions import actions_of
from dagfs.web.address import inside
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import page, site_of
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.inbox import Ask, ask_of, inputs_of

_MOST = 200
_LONGEST_SEC = 1.0
_STATUS = {ExitCode.USAGE: 422, ExitCode.NOT_FOUND: 404, ExitCode.REFUSED: 409}


def show(request: Request) -> Response:
    """The list."""
    stock = stock_of(request)
    stock.refresh()
    return _page(request, stock)


def _page(
    request: Request,
    stock: Stock,
    *,
    status: int = 200,
    wrong: DagfsError | None = None,
    filled: Mapping[str, str] | None = None,
) -> Response:
    asks = list(_asks(site_of(request).home.store, stock))
    etag = stock.etag([each.key for each in asks]) if status == 200 else ""
    return page(
        request,
        "inbox.html",
        status=status,
        etag=etag,
        asks=asks[:_MOST],
        more=max(0, len(asks) - _MOST),
        wrong=wrong,
        filled=filled or {},
        commands={each.key: _command(each) for each in asks[:_MOST]},
    )


def _asks(store: RunStore, stock: Stock) -> Iterator[Ask]:
    """All that waits, as far as it can be found in a second: those that say so themselves first."""
    until = time.monotonic() + _LONGEST_SEC
    facts = [each for each in stock.runs.all() if each.waits or each.state in ("waiting", "running")]
    # Where other branches of a run go on, or where it is a child that waits, it is running all the same.
    for fact in sorted(facts, key=lambda each: not each.waits):
        if time.monotonic() > until:
            return
        with suppress(DagfsError):
            # What cannot be read says so on its own page.
            waiting = [pair for pair in waiting_steps(store, fact.run) if not pair[1].word]
            yield from (ask_of(run, step, fact) for run, step in waiting)


def _command(ask: Ask) -> str:
    needed = [f"--input {each.name}=…" for each in ask.inputs if each.required]
    return " ".join(["dagfs approve", ask.run, shlex.quote(ask.step), *needed])


async def answer(request: Request) -> Response:
    """Approve or reject; what was typed in stays where that cannot be done."""
    form = await request.form()
    said = {name: str(value) for name, value in form.items()}
    run, step, reason = said.get("run", ""), said.get("step", ""), said.get("reason", "").strip()
    actions = actions_of(request)
    try:
        if said.get("word") == "reject":
            await actions.reject(run, step, reason)
        else:
            await actions.approve(run, step, inputs_of(said.items()), reason)
    except DagfsError as error:
        stock = stock_of(request)
        status = _STATUS.get(error.exit_code, 500)
        return _page(request, stock, status=status, wrong=error, filled=said)
    return RedirectResponse(inside(said.get("next", "/inbox"), "/inbox"), 303)


ROUTES = (
    Route("GET", "/inbox", show),
    Route("POST", "/inbox", answer, Role.RUN),
)
