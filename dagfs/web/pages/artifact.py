"""`/runs/ID/artifact`: a file that a step has left, to be saved and never shown."""

from __future__ import annotations

import os
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from dagfs.errors import NotFound
from dagfs.store.artifacts import open_artifact
from dagfs.store.logs import PIECE
from dagfs.web.address import request_number, request_run
from dagfs.web.logs import request_whose
from dagfs.web.pages.log import attachment
from dagfs.web.route import Route, for_run
from dagfs.web.site import site_of
from dagfs.web.views.steps import folder_of

_SANDBOX = "sandbox; default-src 'none'"


def download(request: Request) -> StreamingResponse:
    """The bytes of an artifact. NotFound for what is none, or would be reached through a link."""
    run, whose = request_run(request), request_whose(request)
    n, name = request_number(request, "attempt", 0), request.query_params.get("name", "")
    if whose is None or not n or not name:
        raise NotFound("the address names no artifact", hint="open it from the run's page")
    folder = folder_of(site_of(request).home.paths.run(run), n, whose).artifacts
    fd = open_artifact(folder, name)
    size = os.fstat(fd).st_size
    headers = {
        "Content-Disposition": attachment(name),
        "Content-Security-Policy": _SANDBOX,
        "Content-Length": str(size),
    }
    return StreamingResponse(_bytes(fd, size), media_type="application/octet-stream", headers=headers)


def _bytes(fd: int, left: int) -> Iterator[bytes]:
    with open(fd, "rb", buffering=0) as file:
        while left > 0 and (data := file.read(min(left, PIECE))):
            yield data
            left -= len(data)


ROUTES: tuple[Route, ...] = (*for_run("GET", "/artifact", download),)
