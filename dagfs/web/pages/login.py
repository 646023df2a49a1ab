"""Signing in with a token, and out; whether the server is alive."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.site import COOKIE, page, site_of
from dagfs.web.tokens import SESSION_SEC


def show(request: Request) -> Response:
    """The form. A link with `#token=…` is sent by a script, so that no log of any server has it."""
    if site_of(request).tokens is None:
        return RedirectResponse("/", 303)
    return page(request, "login.html", next=_inside(request.query_params.get("next", "/")), wrong=False)


async def sign_in(request: Request) -> Response:
    """Open a session for the role of the token that was shown."""
    site = site_of(request)
    form = await request.form()
    target = _inside(str(form.get("next", "/")))
    if site.tokens is None:
        return RedirectResponse(target, 303)
    role = site.tokens.role_of(str(form.get("token", "")).strip())
    if role is Role.ANYONE:
        return page(request, "login.html", status=403, next=target, wrong=True)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        COOKIE,
        site.tokens.open_session(role, time.time()),
        max_age=int(SESSION_SEC),
        httponly=True,
        samesite="strict",
        secure=site.secure,
    )
    return answer


async def sign_out(request: Request) -> Response:
    """Forget the session in this browser."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=site_of(request).secure)
    return answer


def alive(_: Request) -> Response:
    """For those who watch over servers."""
    return PlainTextResponse("ok\n")


def _inside(target: str) -> str:
    """An address of this server; the first page for any other."""
    odd = any(ord(char) <= 32 or char == "\\" for char in target)
    return target if target.startswith("/") and not target.startswith("//") and not odd else "/"


ROUTES = (
    Route("GET", "/login", show, Role.ANYONE),
    Route("POST", "/login", sign_in, Role.ANYONE),
    Route("POST", "/logout", sign_out, Role.VIEW),
    Route("GET", "/healthz", alive, Role.ANYONE),
)
