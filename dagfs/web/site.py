"""What every page and every call of the API works with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dagfs.engine.home import Home
from dagfs.web.commands import Commands
from dagfs.web.plugins import PluginPages
from dagfs.web.role import Role
from dagfs.web.templates import Templates
from dagfs.web.tokens import Tokens

COOKIE = "dagfs_session"
THEME = "dagfs_theme"


@dataclass(frozen=True, slots=True)
class Site:
    """A home on the web."""

    home: Home
    commands: Commands
    templates: Templates
    tokens: Tokens | None
    """None where no token is asked for."""
    read_only: bool = False
    secure: bool = False
    """Browsers come through TLS, so cookies are for that alone."""
    plugin_pages: PluginPages = field(default_factory=PluginPages)
    ending: Event = field(default_factory=Event)
    """Set once the server is about to end."""


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    found = request.app.state.site
    assert isinstance(found, Site)
    return found


def role_of(request: Request) -> Role:
    """What the visitor may do, as the guard has found it."""
    return Role(request.scope["dagfs.role"])


def via(request: Request) -> str:
    """What stands in records beside the user: through the web, and from which address."""
    return f"web@{request.client.host}" if request.client and request.client.host else "web"


def page(request: Request, template: str, *, status: int = 200, etag: str = "", **values: Any) -> Response:
    """A template with its values, and what every page shows around it.

    With an `etag` the browser is told nothing anew where it has this page already.
    """
    same = unchanged(request, etag)
    if same is not None:
        return same
    site, role = site_of(request), role_of(request)
    cookie = request.cookies.get(COOKIE, "")
    theme = request.cookies.get(THEME, "")
    html = site.templates.render(
        template,
        home_name=site.home.paths.root.name,
        home_path=str(site.home.paths.root),
        path=request.url.path,
        role=role,
        signed_in=role > Role.ANYONE,
        can_run=role >= Role.RUN,
        can_edit=role >= Role.EDIT,
        form_token=site.tokens.form_token(cookie) if site.tokens else "",
        has_token=site.tokens is not None,
        theme=theme if theme in ("light", "dark") else "",
        plugin_pages=site.plugin_pages.all,
        inbox_count=_waiting(request),
        **values,
    )
    headers = {"ETag": quoted(_whole(request, etag))} if etag else {}
    # Names of files may hold bytes that are no text.
    return Response(html.encode("utf-8", "replace"), status, headers, media_type="text/html")


def _waiting(request: Request) -> int:
    """How many runs wait for somebody's word, as far as lists of runs were looked at."""
    stock = getattr(request.app.state, "stock", None)
    return int(stock.runs.waiting) if stock else 0


def unchanged(request: Request, etag: str) -> Response | None:
    """The answer where the browser has this version of a page already: asked before the page is made."""
    return not_modified(request, _whole(request, etag)) if etag else None


def not_modified(request: Request, etag: str) -> Response | None:
    """The answer where the visitor has this version of an answer already."""
    return Response(status_code=304, headers={"ETag": quoted(etag)}) if is_known(request, etag) else None


def _whole(request: Request, etag: str) -> str:
    """Another visitor's forms, or the other colours, are another page."""
    cookie, theme = request.cookies.get(COOKIE, ""), request.cookies.get(THEME, "")
    return hashlib.sha256(f"{etag} {cookie} {theme} {role_of(request)}".encode()).hexdigest()[:24]


def quoted(etag: str) -> str:
    return f'"{etag}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the browser has said that it has this version."""
    known = request.headers.get("if-none-match", "")
    return quoted(etag) in (each.strip().removeprefix("W/") for each in known.split(","))
