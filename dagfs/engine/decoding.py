"""Reads one value out of what a step left: decoded as JSON, YAML or lines, then a place in it."""

from __future__ import annotations

import json
import re
from typing import Any

from dagfs.engine.capture import OutputRefused
from dagfs.errors import SpecError
from dagfs.model.dag import OutputField
from dagfs.planning.items import as_text
from dagfs.spec.yaml import load_plain

_SEGMENT = re.compile(r"""\.?(?:\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.\[\]"]+))""")


def picked(wanted: OutputField, text: str) -> str:
    """What a declared output is to have of a text. OutputRefused."""
    if wanted.decode not in ("", "text") or wanted.select:
        text = as_text(select(decode(text, wanted.decode or "json"), wanted.select))
    if wanted.type == "json":
        decode(text, "json")
    return text


def decode(text: str, how: str) -> Any:
    """The value that a text stands for: as `json`, `yaml`, `lines` or `text`. OutputRefused."""
    if how == "lines":
        return text.splitlines()
    if how == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise OutputRefused(f"it is no JSON: {error}") from None
    if how == "yaml":
        try:
            return load_plain(text.encode("utf-8", "surrogateescape"), "")[0]
        except SpecError as error:
            raise OutputRefused(f"it is no YAML: {error.problems[0].message}") from None
    return text


def select(value: Any, path: str) -> Any:
    """What a path like `.items[0].id` leads to; `.` and the empty path are the value. OutputRefused."""
    place = 0
    rest = path.strip().removeprefix("$")
    if rest in ("", "."):
        return value
    while place < len(rest):
        found = _SEGMENT.match(rest, place)
        if found is None:
            raise OutputRefused(f"cannot read the path {path!r}")
        index, quoted, key = found.groups()
        try:
            value = (
                value[int(index)]
                if index
                else _entry(value, key if quoted is None else json.loads(f'"{quoted}"'))
            )
        except (KeyError, IndexError, TypeError):
            raise OutputRefused(f"there is nothing at {path!r}") from None
        place = found.end()
    return value


def _entry(value: Any, key: str) -> Any:
    if isinstance(value, list) and key.isdigit():
        return value[int(key)]
    if not isinstance(value, dict):
        raise TypeError(key)
    return value[key]
