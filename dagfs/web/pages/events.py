"""`/runs/ID/events`: everything that an attempt's journal says, page by page."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dagfs.errors import NotFound
from dagfs.model.event import Event
from dagfs.store.history import read_attempt_header, read_journal
from dagfs.web.address import request_number, request_run
from dagfs.web.route import Route, for_run
from dagfs.web.site import page, site_of

PAGE = 200
"""Events on one page."""


def show(request: Request) -> Response:
    """A page of events; the newest one where the address says nothing."""
    run = request_run(request)
    paths = site_of(request).home.paths.run(run)
    numbers = paths.attempt_numbers()
    n = request_number(request, "attempt", max(numbers, default=0))
    if n not in numbers:
        raise NotFound(f"run {run} has no attempt {n}")
    events = read_journal(paths, read_attempt_header(paths, n)).events
    word = request.query_params.get("q", "").strip().lower()
    found = [each for each in events if not word or word in _searched(each)]
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(1, request_number(request, "page", pages)), pages)
    shown = found[(number - 1) * PAGE : number * PAGE]
    return page(
        request,
        "events.html",
        run=run,
        attempt=n,
        attempts=numbers,
        events=[_row(each) for each in shown],
        total=len(found),
        number=number,
        pages=pages,
        word=word,
        journal=str(paths.attempt(n).journal),
    )


def _searched(event: Event) -> str:
    return f"{event.name} {json.dumps(event.data, ensure_ascii=False)}".lower()


def _row(event: Event) -> dict[str, Any]:
    data = {key: value for key, value in event.data.items() if key not in ("step", "handler")}
    handler = event.data.get("handler")
    return {
        "n": event.n,
        "time": event.time,
        "name": event.name,
        "whose": event.step or (f"on:{handler}" if handler else ""),
        "data": json.dumps(data, ensure_ascii=False) if data else "",
    }


ROUTES: tuple[Route, ...] = (*for_run("GET", "/events", show),)
