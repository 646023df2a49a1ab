"""`/runs/ID/artifact`: a file that a step has left, to be saved and never shown."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import StreamingResponse

from dagfs.errors import NotFound
from dagfs.web.address import request_number, request_run
from dagfs.web.download import artifact
from dagfs.web.logs import request_whose
from dagfs.web.route import Route, for_run
from dagfs.web.site import site_of
from dagfs.web.views.steps import folder_of


def download(request: Request) -> StreamingResponse:
    """The bytes of an artifact. NotFound for what is none, or would be reached through a link."""
    run, whose = request_run(request), request_whose(request)
    n, name = request_number(request, "attempt", 0), request.query_params.get("name", "")
    if whose is None or not n or not name:
        raise NotFound("the address names no artifact", hint="open it from the run's page")
    folder = folder_of(site_of(request).home.paths.run(run), n, whose).artifacts
    return artifact(folder, name)


ROUTES: tuple[Route, ...] = (*for_run("GET", "/artifact", download),)
