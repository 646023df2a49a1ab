"""One operation of the API as data; of it are made its route, the checks of requests and its description."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from dagfs.store.capture import sha256
from dagfs.web.actions import Actions, actions_of
from dagfs.web.api import given
from dagfs.web.api.keys import keys_of
from dagfs.web.role import Role
from dagfs.web.route import LARGEST_BODY, Route
from dagfs.web.site import Site, not_modified, quoted, role_of, site_of

PREFIX = "/api/v1"


class _Address(Convertor[str]):
    """A run, or `ROOT/CHILD`; the id of a child ends in a digest, so that no word of an address is one."""

    regex = "[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][a-z0-9._-]{0,54}-[0-9a-f]{8})?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _File(Convertor[str]):
    """A DAG's file below dags/, but not what a longer address does with it."""

    regex = "(?!.*/(?:pause|resume)$).+"
    convert = _Address.convert
    to_string = _Address.to_string


register_url_convertor("address", _Address())
register_url_convertor("file", _File())
Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request says in its path, its query or its headers."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: str = "query"
    """`path`, `query` or `header`."""
    required: bool = False
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back where all is well."""

    about: str
    schema: Schema | None = None
    """Of the JSON; None for an answer without a body, or one that is no JSON."""
    media: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers beside the usual ones: name to what it says."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request brings."""

    schema: Schema
    example: Any = None
    media: str = "application/json"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not simply JSON with status 200."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that fits its operation."""

    request: Request
    values: Mapping[str, Any]
    """The parameters by name, with their defaults."""
    body: Any = None

    @property
    def site(self) -> Site:
        return site_of(self.request)

    @property
    def role(self) -> Role:
        return role_of(self.request)

    @property
    def actions(self) -> Actions:
        return actions_of(self.request)

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    """Below `/api/v1`; `{name:path}` may hold slashes."""
    handler: Callable[[Call], Any]
    """Gives data, a Reply or a Response; a plain function runs in a thread."""
    summary: str
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    role: Role = Role.VIEW
    errors: tuple[str, ...] = ()
    """Codes that it may tell beside those that every operation may."""
    about: str = ""
    """More than the summary."""
    shell: str = ""
    """What the same is on the command line."""
    largest: int = LARGEST_BODY

    @property
    def name(self) -> str:
        """What programs made from the description call it."""
        return self.handler.__name__.strip("_")

    @property
    def acts(self) -> bool:
        """It changes something, so that it may not happen twice by mistake."""
        return self.method != "GET" and self.role > Role.VIEW

    def route(self) -> Route:
        """Its route. The checks of its parameters are made once, by its first request."""

        async def endpoint(request: Request) -> Response:
            # What is sent along with a question is not even read: nobody has looked at its size.
            raw = b"" if self.method == "GET" else await request.body()
            found = given.read(self, request, raw)
            call = Call(request, *found)
            key = request.headers.get("idempotency-key")
            if self.acts and key is not None:
                return await keys_of(request).once(key, request, call.body, lambda: _answered(self, call))
            return await _answered(self, call)

        return Route(self.method, PREFIX + self.path, endpoint, self.role, self.largest)


async def _answered(operation: Operation, call: Call) -> Response:
    if inspect.iscoroutinefunction(operation.handler):
        found = await operation.handler(call)
    else:
        found = await run_in_threadpool(operation.handler, call)
    if isinstance(found, Response):
        return found
    reply = found if isinstance(found, Reply) else Reply(found, operation.answer.status)
    return reply_with(call.request, reply)


def reply_with(request: Request, reply: Reply) -> Response:
    """JSON with its ETag; nothing but that where the visitor has this version already."""
    if reply.data is None:
        return Response(status_code=reply.status, headers=dict(reply.headers))
    text = json.dumps(reply.data, ensure_ascii=False, separators=(",", ":"))
    # Names of files may be no text at all; they are shown as far as they are.
    data = text.encode("utf-8", "replace")
    headers = dict(reply.headers)
    if request.method in ("GET", "HEAD"):
        etag = sha256(data)[:32]
        if known := not_modified(request, etag):
            return known
        headers["ETag"] = quoted(etag)
    return Response(data, reply.status, headers, "application/json")


def get(
    path: str,
    handler: Callable[[Call], Any],
    summary: str,
    answer: Answer,
    *parameters: Parameter,
    **more: Any,
) -> Operation:
    """An operation that only looks."""
    return Operation("GET", path, handler, summary, answer, parameters, **more)


def act(
    path: str,
    handler: Callable[[Call], Any],
    summary: str,
    answer: Answer,
    *parameters: Parameter,
    method: str = "POST",
    role: Role = Role.RUN,
    **more: Any,
) -> Operation:
    """An operation that changes something."""
    return Operation(method, path, handler, summary, answer, parameters, role=role, **more)
