"""The server itself: who one is to it, its plugins, its figures, whether its home is fit for work."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dagfs import __version__
from dagfs.scheduler.figures import figures
from dagfs.web.api.operation import Answer, Call, Parameter, get
from dagfs.web.api.shapes import FLAG, TEXT, WHOLE, having, list_of, maybe, one_of
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import Site, site_of

_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_NEWEST = 1000


def get_server(call: Call) -> Any:
    return {
        "version": __version__,
        "home": str(call.site.home.paths.root),
        "role": call.role.word,
        "read_only": call.site.read_only,
    }


async def list_plugins(call: Call) -> Any:
    return await call.actions.data("plugins")


async def list_checks(call: Call) -> Any:
    return await call.actions.data("doctor", fine=(0, 1))


def get_metrics(call: Call) -> Response:
    return _exposition(call.site, call["newest"])


async def metrics(request: Request) -> Response:
    """`/metrics`, where those who collect figures look for them."""
    return await run_in_threadpool(_exposition, site_of(request), _NEWEST)


def _exposition(site: Site, newest: int) -> Response:
    text = "".join(f"{line}\n" for line in figures(site.home, newest))
    return PlainTextResponse(text.encode("utf-8", "replace"), headers={"Content-Type": _FORMAT})


ROUTES = (Route("GET", "/metrics", metrics),)
OPERATIONS = (
    get(
        "/server",
        get_server,
        "Which server this is, and what one may do",
        Answer(
            "Its version, its home and the role of the token.",
            having(
                {"version": TEXT, "home": TEXT, "role": one_of(role.word for role in Role), "read_only": FLAG}
            ),
        ),
    ),
    get(
        "/plugins",
        list_plugins,
        "List plugins, what they bring, and what is wrong with them",
        Answer(
            "All that were found.",
            list_of(having({"name": TEXT, "origin": TEXT, "version": TEXT, "error": TEXT})),
        ),
        shell="dagfs plugins --json",
    ),
    get(
        "/checks",
        list_checks,
        "Whether the home and the machine are fit for work",
        Answer(
            "Each check.",
            list_of(having({"name": TEXT, "level": TEXT, "message": TEXT, "hint": maybe("string")})),
        ),
        shell="dagfs doctor --json",
    ),
    get(
        "/metrics",
        get_metrics,
        "Figures for Prometheus",
        Answer("The same as at /metrics.", media="text/plain"),
        Parameter(
            "newest",
            "Count the states of the newest so many runs.",
            {**WHOLE, "minimum": 0, "maximum": 100_000, "default": _NEWEST},
        ),
        shell="dagfs metrics",
    ),
)
