"""The one gate that every request passes: Host, origin, token, role, size and pace. Deny by default.

It knows no page. Each route says which role it needs; a path that no route has needs a token as well, so
nobody learns what there is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.routing import Match
from starlette.routing import Route as Matcher
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagfs.web.problem import Told, error_data
from dagfs.web.role import Role
from dagfs.web.route import LARGEST_BODY, Route
from dagfs.web.site import COOKIE
from dagfs.web.tokens import Tokens

SAFE = ("GET", "HEAD")
_WITH_HEAD = {"GET": SAFE}
FORM = "application/x-www-form-urlencoded"
FORM_FIELD = "form_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'; trusted-types dagfs"
)
# With `no-referrer` a browser would say `Origin: null` of our own forms.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LONGEST_HEADERS = 32 << 10
_BODY_SEC = 30.0
_ACTIONS_A_SECOND, _ACTIONS_AT_ONCE = 20.0, 40.0
_MOST_PACES = 1000
_MOST_FIELDS = 5000


@dataclass(frozen=True, slots=True)
class Denied(Exception):
    """A request that goes no further."""

    status: int
    message: str
    hint: str = ""
    allow: tuple[str, ...] = ()
    """The methods that the address takes."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the guard goes by."""

    tokens: Tokens | None
    hosts: frozenset[str]
    """Names that browsers may use for this server, without the port, in lower case."""
    read_only: bool = False
    behind_proxy: bool = False
    clock: Callable[[], float] = time.time


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, gate: Gate, routes: Sequence[Route]) -> None:
        self._app, self._gate = app, gate
        self._routes = [(Matcher(each.path, each.endpoint, methods=[each.method]), each) for each in routes]
        self._paces: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # Nothing here speaks by websocket: the server closes it.
            return
        answer = _with_headers(send)
        try:
            await self._app(*await self._checked(scope, receive), answer)
        except Denied as denied:
            await _refuse(scope, answer, denied)

    async def _checked(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        """The request with its role; Denied for one that may not go on."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEADERS:
            raise Denied(431, f"the headers are larger than {_LONGEST_HEADERS >> 10} kB")
        headers = _headers(scope)
        self._check_host(headers)
        method = scope["method"]
        if method not in SAFE:
            _check_origin(headers)
        route = self._route(scope)
        cookie, bearer = _cookie(headers), _bearer(headers)
        role = self._role(cookie, bearer)
        wanted = route.role if route else Role.VIEW
        if role < wanted:
            if bearer and role is Role.ANYONE:
                # Whoever tries out tokens does not get far.
                self._keep_pace(f"wrong {_client(scope)}")
            raise _not_allowed(role, wanted, read_only=self._gate.read_only)
        if route is None:
            self._check_method(scope)
        if method not in SAFE:
            self._keep_pace(_client(scope) if wanted is Role.ANYONE else bearer or cookie or _client(scope))
            body = await _body(headers, receive, route.largest if route else LARGEST_BODY)
            if not bearer and self._gate.tokens and wanted is not Role.ANYONE:
                self._check_form(headers, cookie, body)
            receive = _again(body, receive)
        return {**scope, "dagfs.role": role}, receive

    def _check_host(self, headers: Mapping[str, str]) -> None:
        """A name that somebody else has pointed at this machine is not ours."""
        if "," in headers.get("host", ",") or _host_name(headers["host"]) not in self._gate.hosts:
            said = headers.get("host", "")[:100]
            hint = "use its own address, or start it with `dagfs serve --host-name NAME`"
            raise Denied(421, f"this server does not answer to the name {said!r}", hint)

    def _route(self, scope: Scope) -> Route | None:
        found = ((matcher.matches(scope)[0], route) for matcher, route in self._routes)
        return next((route for match, route in found if match is Match.FULL), None)

    def _check_method(self, scope: Scope) -> None:
        """An address that takes other methods says which."""
        found = [each.method for matcher, each in self._routes if matcher.matches(scope)[0] is Match.PARTIAL]
        if found or scope["method"] not in (*SAFE, "POST", "PUT", "DELETE"):
            methods = dict.fromkeys(name for each in found or SAFE for name in _WITH_HEAD.get(each, (each,)))
            raise Denied(405, f"{scope['method'][:20]} is not used here", allow=tuple(methods))

    def _role(self, cookie: str, bearer: str) -> Role:
        tokens = self._gate.tokens
        if tokens is None:
            role = Role.EDIT
        else:
            role = tokens.role_of(bearer) if bearer else tokens.session_role(cookie, self._gate.clock())
        return min(role, Role.VIEW) if self._gate.read_only else role

    def _check_form(self, headers: Mapping[str, str], cookie: str, body: bytes) -> None:
        """A session alone is not enough to change something: a browser sends it for any page's request."""
        assert self._gate.tokens is not None
        given = headers.get("x-dagfs-token", "")
        if not given and _media_type(headers) == FORM:
            try:
                given = parse_qs(body.decode("latin-1"), max_num_fields=_MOST_FIELDS).get(FORM_FIELD, [""])[0]
            except ValueError:
                raise Denied(400, f"a form of more than {_MOST_FIELDS} fields") from None
        if not self._gate.tokens.is_form_token(cookie, given):
            raise Denied(403, "this form is not of this session", "load the page again and repeat it")

    def _keep_pace(self, who: str) -> None:
        """So many actions a second, and a few more at once."""
        now = time.monotonic()
        left, since = self._paces.get(who, (_ACTIONS_AT_ONCE, now))
        left = min(_ACTIONS_AT_ONCE, left + (now - since) * _ACTIONS_A_SECOND)
        if len(self._paces) > _MOST_PACES:
            self._paces.clear()
        self._paces[who] = max(0.0, left - 1), now
        if left < 1:
            raise Denied(429, "too many actions at once", "wait a second")


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by lower-case name; what comes several times is joined by commas."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        joined = "; " if name == "cookie" else ","
        text = value.decode("latin-1")
        found[name] = f"{found[name]}{joined}{text}" if name in found else text
    return found


def _host_name(host: str) -> str:
    """A host without its port: `[::1]:80` is `[::1]`."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _check_origin(headers: Mapping[str, str]) -> None:
    """Only our own pages, and programs, which say neither, may change something."""
    site = headers.get("sec-fetch-site", "")
    origin = headers.get("origin", "")
    foreign = bool(origin) and _netloc(origin) != headers.get("host", "").lower()
    if foreign or site not in ("", "same-origin", "none"):
        raise Denied(403, "this was asked for by a page of another server")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _not_allowed(role: Role, wanted: Role, *, read_only: bool) -> Denied:
    if role is Role.ANYONE:
        return Denied(401, "a token is needed", "`dagfs serve --link` prints the address that signs you in")
    if read_only:
        return Denied(403, "this server is read-only", "it was started with --read-only")
    hint = f"sign in with the token of the role `{wanted.word}`: `dagfs serve --link {wanted.word}`"
    return Denied(403, f"the role `{role.word}` may not do this", hint)


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(headers: Mapping[str, str], receive: Receive, most: int) -> bytes:
    """The whole body. Denied for one that is too large, or takes too long."""
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 12 or int(length) > most):
        raise Denied(413, f"this is larger than {most >> 20} MB")
    found = bytearray()
    try:
        async with asyncio.timeout(_BODY_SEC):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Denied(400, "the request ended too early")
                found += message.get("body", b"")
                if len(found) > most:
                    raise Denied(413, f"this is larger than {most >> 20} MB")
                if not message.get("more_body"):
                    return bytes(found)
    except TimeoutError:
        raise Denied(408, "the request took too long") from None


def _again(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body that was read, then what comes behind it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    """Every answer says what it may load, and that nobody may frame or sniff it."""

    async def answer(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            said = {
                "Content-Security-Policy": POLICY,
                **_HEADERS,
                "Cache-Control": "no-cache",
            }
            extra = [
                (name.lower().encode(), value.encode())
                for name, value in said.items()
                if name.lower().encode() not in present
            ]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return answer


async def _refuse(scope: Scope, send: Send, denied: Denied) -> None:
    """Say no: to a browser in a sentence or by the way to sign in, to a program as JSON."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    hint = f"\nhint: {denied.hint}" if denied.hint else ""
    body = f"{denied.message}{hint}\n".encode()
    status = denied.status
    if scope["path"].startswith("/api/"):
        headers = [(b"content-type", b"application/json")]
        told = Told(_CODES[status], denied.message, hint=denied.hint or None)
        body = json.dumps(error_data(told)).encode()
    elif status == 401 and scope["method"] == "GET":
        status, body = 303, b""
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        back = quote(scope["path"] + query, safe="")
        headers.append((b"location", f"/login?next={back}".encode()))
    if denied.allow:
        headers.append((b"allow", ", ".join(denied.allow).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    421: "wrong_host",
    429: "too_many",
    431: "bad_request",
}
