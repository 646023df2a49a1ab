"""`/api/v1/openapi.json`: the API as its operations say it of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dagfs import __version__
from dagfs.web.api.operation import PREFIX, Answer, Body, Operation, Parameter
from dagfs.web.api.shapes import SHAPES, ref
from dagfs.web.problem import CODES
from dagfs.web.role import Role

YAML = "application/yaml"
_ALWAYS = ("usage", "unauthorized", "not_found", "wrong_host", "io_error")
"""What every operation may tell."""
_ACTING = ("forbidden", "too_large", "key_reused", "too_many", "too_slow", "error")
"""What every one may tell that changes something."""
_KEY = Parameter(
    "Idempotency-Key",
    "Within an hour a second request with the same key does nothing, and has the answer of the first.",
    {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "header",
)
_ETAG = {"description": "The version of the answer, for `If-None-Match`.", "schema": {"type": "string"}}
_ABOUT = (
    "Everything that the command line does, as JSON. Send a token of `dagfs serve --link` as "
    "`Authorization: Bearer TOKEN`. Documents are those of the command line's `--json`."
)
Data = dict[str, Any]


def document(operations: Iterable[Operation]) -> Data:
    """The description, in OpenAPI 3.1."""
    paths: dict[str, Data] = {}
    for each in operations:
        paths.setdefault(address(each), {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dagfs", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(SHAPES),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def address(operation: Operation) -> str:
    """Its whole path, as descriptions have it."""
    return PREFIX + re.sub(r":[a-z]+\}", "}", operation.path)


def noun(operation: Operation) -> str:
    """What it is listed under."""
    return operation.handler.__module__.rpartition(".")[2]


def codes(operation: Operation) -> list[str]:
    """Every code that it may tell."""
    acting = _ACTING if operation.method != "GET" else ()
    body = ("unsupported_media_type",) if operation.body else ()
    found = {*_ALWAYS, *acting, *body, *operation.errors}
    return [code for code in CODES if code in found]


def _operation(operation: Operation) -> Data:
    own = [_parameter(each) for each in operation.parameters]
    needs = f"Needs the role `{operation.role.word}`." if operation.role is not Role.VIEW else ""
    shell = f"On the command line: `{operation.shell}`." if operation.shell else ""
    found: Data = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.about, needs, shell))),
        "tags": [noun(operation)],
        "parameters": [*own, _parameter(_KEY)] if operation.acts else own,
        "responses": _responses(operation),
    }
    if not found["description"]:
        del found["description"]
    if operation.body is not None:
        found["requestBody"] = _body(operation.body)
    return found


def _parameter(parameter: Parameter) -> Data:
    found: Data = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.required,
        "schema": dict(parameter.schema),
    }
    return found | ({} if parameter.example is None else {"example": parameter.example})


def _body(body: Body) -> Data:
    content: Data = {"schema": dict(body.schema)} | (
        {} if body.example is None else {"example": body.example}
    )
    return {"required": body.required, "content": {body.media: content}}


def _responses(operation: Operation) -> Data:
    found: Data = {
        str(operation.answer.status): _answer(operation.answer, has_etag=operation.method == "GET")
    }
    if operation.method == "GET" and operation.answer.media != "application/octet-stream":
        found["304"] = {"description": "Nothing has changed since the version of `If-None-Match`."}
    if operation.method == "PUT":
        found["201"] = {**found["200"], "description": "It is there now, and was not before."}
    by_status: dict[int, list[str]] = {}
    for code in codes(operation):
        by_status.setdefault(CODES[code][0], []).append(code)
    if operation.acts:
        by_status.setdefault(504, []).append("too_slow")
    for status, told in sorted(by_status.items()):
        about = " ".join(f"`{code}`: {CODES[code][1]}" for code in told)
        found[str(status)] = {
            "description": about,
            "content": {"application/json": {"schema": ref("Error")}},
        }
    return found


def _answer(answer: Answer, *, has_etag: bool) -> Data:
    found: Data = {"description": answer.about}
    headers = {
        name: {"description": about, "schema": {"type": "string"}} for name, about in answer.headers.items()
    }
    if has_etag and answer.media in ("application/json", YAML, "image/svg+xml"):
        headers["ETag"] = _ETAG
    if headers:
        found["headers"] = headers
    if answer.schema is not None:
        found["content"] = {answer.media: {"schema": dict(answer.schema)}}
    elif answer.status != 204:
        # A schema of YAML is one of what it says, and that may be anything.
        found["content"] = {answer.media: {} if answer.media == YAML else {"schema": {"type": "string"}}}
    return found
