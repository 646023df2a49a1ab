"""`/plugins`: what is plugged in, what it brings, and what is wrong with it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dagfs.web.actions import actions_of
from dagfs.web.route import Route
from dagfs.web.site import page, site_of
from dagfs.web.views.plugins import plugged


async def show(request: Request) -> Response:
    """The list, as a process of its own finds it: this one never loads a plugin."""
    found = plugged(await actions_of(request).data("plugins"))
    return page(
        request,
        "plugins.html",
        plugins=found,
        broken=[each for each in found if each.error],
        plugins_path=str(site_of(request).home.paths.plugins),
    )


ROUTES = (Route("GET", "/plugins", show),)
