"""`/rules/ID`: what a compatibility rule means, as `dagfs explain ID` says it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dagfs.errors import NotFound
from dagfs.web.actions import actions_of
from dagfs.web.route import Route
from dagfs.web.site import page


async def show(request: Request) -> Response:
    """One rule."""
    name = request.path_params["rule"]
    found = await actions_of(request).data("explain", "--", name)
    rule = next((each for each in found if each["kind"] == "rule" and each["name"] == name), None)
    if rule is None:
        raise NotFound(f"there is no rule {name!r}", hint="`dagfs plugins` lists them")
    return page(request, "rule.html", rule=rule)


ROUTES = (Route("GET", "/rules/{rule}", show),)
