"""Style sheets, scripts and the icon: for everybody, so that the page for signing in has them too."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dagfs.web.bundle import FILE, bundle_file
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.templates import STATIC

_NAMES = frozenset(path.name for path in STATIC.iterdir() if path.is_file())
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def file(request: Request) -> Response:
    """One of our files. An address with a digest never means another content."""
    name = request.path_params["name"]
    if name not in _NAMES:
        raise HTTPException(404)
    return FileResponse(STATIC / name, headers=_FOR_EVER if "v" in request.query_params else None)


def editor(request: Request) -> Response:
    """The script of the package `dagfs-editor`."""
    path = bundle_file()
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, headers=_FOR_EVER if "v" in request.query_params else None)


def icon(_: Request) -> Response:
    """What browsers ask for beside a page that names no icon: a log as text, for one."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


ROUTES = (
    Route("GET", "/favicon.ico", icon, Role.ANYONE),
    Route("GET", "/static/{name}", file, Role.ANYONE),
    Route("GET", f"/static/editor/{FILE}", editor, Role.ANYONE),
)
