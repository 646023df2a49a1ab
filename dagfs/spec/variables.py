"""The blocks of names and values: `env`, `params`, and the text form of parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from dagfs.model.dag import Mark, Param, Variable
from dagfs.model.value import replace
from dagfs.spec import typed
from dagfs.spec.names import is_param_name, is_variable_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.printed import printed
from dagfs.spec.reader import Reader

_NAME_RULE = "use letters, digits and _, and no digit first"
_WORD = re.compile(
    r"""
    (?:(?P<name>[^\s="'`]+)=)?
    (?: "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>[^']*)' | (?P<ticks>`[^`]*`) | (?P<bare>[^\s"]+)
      | (?(name)|(?!)) )  # K= with nothing behind it
    """,
    re.VERBOSE | re.DOTALL,
)


def split_words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a parameter text as (name or "", value): `a K=v K="q r"`.

    Raises ValueError for a quote that is not closed.
    """
    end = 0
    for word in _WORD.finditer(text):
        if text[end : word.start()].strip():
            break
        end = word.end()
        if word["double"] is not None:
            value = re.sub(r"\\([\"\\])", r"\1", word["double"])
        else:
            value = next((word[form] for form in ("single", "ticks", "bare") if word[form] is not None), "")
        yield word["name"] or "", value
    if text[end:].strip():
        raise ValueError(text[end:])


# -- env ---------------------------------------------------------------------------------------


def env(reader: Reader, entry: Entry) -> tuple[tuple[Variable, ...], dict[str, Mark]]:
    """A map, or a list of maps and `NAME=value` texts; with the place of each name.

    A name given twice keeps both entries: the later one may use the earlier one's value.
    """
    found: list[Variable] = []
    marks: dict[str, Mark] = {}
    for name, value, mark in _env_entries(reader, entry.value, entry.key):
        if not is_variable_name(name):
            reader.error(mark, f"'{name}' cannot be the name of a variable", _NAME_RULE)
            continue
        found.append(Variable(name, value))
        marks[f"env.{name}"] = mark
    return tuple(found), marks


def _env_entries(reader: Reader, node: Node, what: str) -> Iterator[tuple[str, str, Mark]]:
    if isinstance(node, Mapping):
        for entry in node.entries:
            yield entry.key, reader.string(entry.value, f"the value of {entry.key}"), entry.mark
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Sequence):
                reader.error(item.mark, f"each item of {what} must be NAME=value or a map, not a list")
            else:
                yield from _env_entries(reader, item, f"each item of {what}")
    elif node.value is not None:
        name, equals, value = node.text.partition("=")
        if equals:
            yield name.strip(), value, node.mark
        else:
            reader.error(node.mark, f"{what} must be NAME=value or a map, not {kind(node)}")


# -- params ------------------------------------------------------------------------------------


def params(reader: Reader, entry: Entry) -> tuple[tuple[Param, ...], dict[str, Mark]]:
    """A text, a list, a map or a schema; positional ones are named by their place among all (`1`, `2`, …)."""
    found: dict[str, Param] = {}
    marks: dict[str, Mark] = {}
    for place, (param, mark) in enumerate(_params(reader, entry.value, entry.key), 1):
        called = param.name or str(place)
        if param.name and not is_param_name(param.name):
            reader.error(mark, f"'{param.name}' cannot be the name of a parameter", _NAME_RULE)
        elif called in found and reader.dialect.name != "dagu1":
            reader.error(mark, f"the parameter '{called}' is there twice", "keep one of the two")
        else:
            found[called] = param if param.name else replace(param, name=called)
            marks[f"params.{called}"] = mark
    return tuple(found.values()), marks


def params_schema(reader: Reader, entry: Entry) -> str | dict[str, Any]:
    """The schema that all parameters together must fit, or the file it is in; empty where there is none."""
    node = typed.schema_node(reader, entry.value)
    return typed.schema_value(reader, node) if node is not None else ""


def _params(reader: Reader, node: Node, what: str) -> typed.Found:
    schema = typed.schema_node(reader, node)
    if schema is not None and isinstance(node, Mapping):
        yield from _with_values(reader, node, schema)
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Sequence):
                reader.error(item.mark, f"each item of {what} must be a text or a map, not a list")
            elif isinstance(item, Mapping) and typed.is_rich(reader, item):
                yield from typed.rich_param(reader, item)
            else:
                yield from _plain_params(reader, item, what)
    else:
        yield from _plain_params(reader, node, what)


def _plain_params(reader: Reader, node: Scalar | Mapping, what: str) -> typed.Found:
    if isinstance(node, Mapping):
        words = _values(reader, _ordered(reader, node))
    elif node.value is None:
        return
    else:
        words = _param_text(reader, node, what)
    for name, value, mark in words:
        yield Param(name, value), mark


def _with_values(reader: Reader, node: Mapping, schema: Node) -> typed.Found:
    """What a schema declares, with the `values:` beside it as defaults; then the values it does not know."""
    beside = node.get("values") if schema is not node else None
    given: dict[str, tuple[str, Mark]] = {}
    if isinstance(beside, Mapping):
        for name, value, mark in _values(reader, beside.entries):
            given[name] = (value, mark)
    for param, mark in typed.declared(schema) if isinstance(schema, Mapping) else ():
        value, place = given.pop(param.name, (param.value, mark))
        yield replace(param, value=value), place
    for name, (value, mark) in given.items():
        yield Param(name, value), mark


def _param_text(reader: Reader, node: Scalar, what: str) -> Iterator[tuple[str, str, Mark]]:
    if node.text.lstrip()[:1] in ("{", "["):
        try:
            found = list(_json_params(json.loads(node.text), node.mark))
        except (ValueError, RecursionError):
            found = None
        if found is not None:
            yield from found
            return
    yield from _words(reader, node, what)


def _words(reader: Reader, node: Scalar, what: str) -> Iterator[tuple[str, str, Mark]]:
    try:
        for name, value in split_words(node.text):
            yield name, value, node.mark
    except ValueError:
        reader.error(node.mark, f"{what} has a quote that is not closed")


def _json_params(data: dict[str, Any] | list[Any], mark: Mark) -> Iterator[tuple[str, str, Mark]]:
    if isinstance(data, list):
        for item in data:
            if isinstance(item, dict):
                yield from _json_params(item, mark)
            else:
                yield "", _json_text(item), mark
        return
    for name in sorted(data):
        yield name, _json_text(data[name]), mark


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _ordered(reader: Reader, node: Mapping) -> Iterable[Entry]:
    """Dagu 1 sorts the names of a map."""
    return sorted(node.entries) if reader.dialect.name == "dagu1" else node.entries


def _values(reader: Reader, entries: Iterable[Entry]) -> Iterator[tuple[str, str, Mark]]:
    """Dagu 1 prints lists and maps into the value; in our own dialect they are errors."""
    for entry in entries:
        if isinstance(entry.value, Scalar) or reader.dialect.name != "dagu1":
            value = reader.string(entry.value, f"the value of {entry.key}")
        else:
            value = printed(plain(entry.value))
        yield entry.key, value, entry.mark
