"""`/plugins/PLUGIN/NAME`: a page that a plugin makes, in a process of its own, and this server shows."""

from __future__ import annotations

import json
import mimetypes
import os
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from dagfs.errors import NotFound
from dagfs.hooks.plugin import failed
from dagfs.store.artifacts import open_artifact
from dagfs.web.plugins import PluginPage
from dagfs.web.route import Route
from dagfs.web.site import page, role_of, site_of

_LARGEST = 4 << 20
_KINDS = {".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_LONGEST_QUERY = 100


async def show(request: Request) -> Response:
    """What the plugin gives for this address. NotFound, PluginFailed, TooSlow."""
    site, names = site_of(request), request.path_params
    found = await site.plugin_pages.find(names["plugin"], names["name"])
    said = {
        "path": names.get("rest", ""),
        "query": dict(list(request.query_params.items())[:_LONGEST_QUERY]),
        "role": role_of(request).word,
    }
    answer = await site.commands.data("plugins", "--page", found.name, text=json.dumps(said).encode())
    return await run_in_threadpool(_shown, request, found, answer)


def _shown(request: Request, found: PluginPage, answer: dict[str, Any]) -> Response:
    # A file's name may hold what is no text, and no page can show that.
    answer = json.loads(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
    status = int(answer["status"])
    if answer["template"]:
        name = f"{found.loader}//{answer['template']}"
        try:
            return page(request, name, status=status, data=answer["values"], plugin=found)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise failed(found.plugin, f"the template {answer['template']}", what) from error
    if answer["text"] is not None:
        return PlainTextResponse(answer["text"], status)
    return JSONResponse(answer["json"], status)


async def static(request: Request) -> Response:
    """A file of a page. NotFound for what is none, or would be reached through a link."""
    names = request.path_params
    found = await site_of(request).plugin_pages.find(names["plugin"], names["name"])
    if not found.static:
        raise NotFound(f"the page {found.name} has no such files")
    return await run_in_threadpool(_file, Path(found.static), names["file"])


def _file(folder: Path, name: str) -> Response:
    with open(open_artifact(folder, name), "rb") as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise NotFound(f"{name!r} is larger than {_LARGEST >> 20} MB")
        data = file.read(_LARGEST)
    guessed = mimetypes.guess_type(name)[0]
    kind = _KINDS.get(os.path.splitext(name)[1]) or (guessed if guessed in _PICTURES else None)
    return Response(data, media_type=kind or "application/octet-stream")


ROUTES = (
    Route("GET", "/plugins/{plugin}/{name}/static/{file:path}", static),
    Route("GET", "/plugins/{plugin}/{name}", show),
    Route("GET", "/plugins/{plugin}/{name}/{rest:path}", show),
)
