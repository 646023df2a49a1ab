"""What a request was given, read and checked against what its operation says of itself."""

from __future__ import annotations

import difflib
import importlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.requests import Request

from dagfs.errors import UsageError
from dagfs.web.problem import Told

if TYPE_CHECKING:
    from dagfs.web.api.operation import Operation, Parameter

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_TEXTS = ("text/plain", "application/yaml", "text/yaml", "application/x-yaml", "application/octet-stream")


def read(operation: Operation, request: Request, raw: bytes) -> tuple[dict[str, Any], Any]:
    """The parameters by name, and the body. UsageError, Told."""
    values = _parameters(operation, request)
    return values, _body(operation, request, raw)


def _parameters(operation: Operation, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in operation.parameters:
        texts = _texts(each, request)
        if texts:
            found[each.name] = _typed(each, texts)
        elif each.required:
            raise UsageError(f"{each.name} is needed", hint=each.about)
        elif "default" in each.schema:
            found[each.name] = each.schema["default"]
    known = [each.name for each in operation.parameters if each.place == "query"]
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
            raise UsageError(f"there is no parameter {name[:80]!r}", hint=hint)
    schema = {
        "type": "object",
        "properties": {each.name: each.schema for each in operation.parameters},
    }
    _require(schema, found, "")
    return found


def _texts(parameter: Parameter, request: Request) -> list[str]:
    if parameter.place == "path":
        return [request.path_params[parameter.name]]
    if parameter.place == "header":
        value = request.headers.get(parameter.name)
        return [] if value is None else [value]
    texts = request.query_params.getlist(parameter.name)
    if len(texts) > 1 and parameter.schema.get("type") != "array":
        raise UsageError(f"{parameter.name} is given {len(texts)} times", hint="give it once")
    return texts


def _typed(parameter: Parameter, texts: list[str]) -> Any:
    kind = parameter.schema.get("type")
    if kind == "array":
        return texts
    text = texts[0]
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("integer", "number", "boolean"):
        _complain(parameter.name, f"{text[:80]!r} is no {kind}")
    return text


def _body(operation: Operation, request: Request, raw: bytes) -> Any:
    body = operation.body
    if body is None:
        if raw:
            raise UsageError("a body has no meaning here", hint="leave it out")
        return None
    if not raw and not body.required:
        return {}
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body.media == "application/json":
        if media != body.media:
            raise Told(
                "unsupported_media_type", "the body is to be JSON", hint="Content-Type: application/json"
            )
        value = _json(raw)
        _require(body.schema, value, "the body")
        return value
    if media not in _TEXTS:
        raise Told(
            "unsupported_media_type", f"the body is to be {body.media}", hint=f"Content-Type: {body.media}"
        )
    return raw


def _json(raw: bytes) -> Any:
    try:
        value = json.loads(raw, parse_constant=_no_constant)
        # Half a character, as JSON can spell it, can be handed to no program.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise UsageError("the body is nested too deeply") from None
    except UnicodeError:
        raise UsageError("the body holds what is no text in UTF-8") from None
    except ValueError as error:
        raise UsageError(f"the body is no JSON: {error}") from None
    if _has_nul(value):
        raise UsageError("the body holds a NUL character", hint="no program can be given one")
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _require(schema: Mapping[str, Any], value: Any, what: str) -> None:
    """UsageError for the first thing that does not fit."""
    # By name: a server that nobody asks by API never loads it.
    found = importlib.import_module("dagfs.spec.contract").misfits(schema, value)
    if found:
        place, message = found[0]
        _complain(".".join(place) or what, message)


def _complain(place: str, message: str) -> NoReturn:
    raise UsageError(f"{place}: {message}" if place else message, hint="see /api/v1/openapi.json")
