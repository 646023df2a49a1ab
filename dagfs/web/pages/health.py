"""`/health`: whether the scheduler is at work, what went wrong lately, and how much room there is."""

from __future__ import annotations

import shutil
from collections import deque
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dagfs import __version__
from dagfs.engine.home import Home
from dagfs.engine.location import now
from dagfs.errors import DagfsError
from dagfs.scheduler.pulse import standing
from dagfs.web.actions import actions_of
from dagfs.web.route import Route
from dagfs.web.site import page, site_of
from dagfs.web.stock import Stock, stock_of
from dagfs.web.views.health import Note, heartbeat_of, note_of
from dagfs.web.views.pauses import pauses

_NOTES = 30


async def show(request: Request) -> Response:
    """The page; with `?check=1` what `dagfs doctor` finds as well."""
    checks: list[dict[str, Any]] | None = None
    if request.query_params.get("check") == "1":
        checks = await actions_of(request).data("doctor", fine=(0, 1))
    return page(request, "health.html", **_values(site_of(request).home, stock_of(request)), checks=checks)


def _values(home: Home, stock: Stock) -> dict[str, Any]:
    status = standing(stock.ledger, now())
    alive, paused = status.pop("alive"), stock.ledger.paused()
    del status["paused"]
    disk = None
    with suppress(OSError):
        disk = shutil.disk_usage(home.paths.runs if home.paths.runs.exists() else home.paths.root)
    store_id = ""
    with suppress(DagfsError):
        store_id = home.store.store_id()
    return {
        "heartbeat": heartbeat_of(status),
        "alive": alive,
        "paused": pauses(paused),
        "notes": _notes(stock),
        "disk": disk,
        "store_id": store_id,
        "version": __version__,
        "runs_path": str(home.paths.runs),
    }


def _notes(stock: Stock) -> list[Note]:
    """The last lines of the scheduler's log, the newest first."""
    return [note_of(each) for each in reversed(deque(stock.ledger.notes(), _NOTES))]


ROUTES = (Route("GET", "/health", show),)
