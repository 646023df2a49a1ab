"""The JSON schema (draft 2020-12) of DAG files, for editors. dagfs itself reads files by its own tables.

It is made from `dagfs.spec.keys` and `dagfs.spec.fields`, and takes whatever `dagfs validate` takes, but
for the upper and lower case of 1.x keys, which is free there and not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from dagfs.spec.fields import PLACES, Field, Place
from dagfs.spec.keys import Key, camel
from dagfs.spec.policies import SIGNALS

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS = ["string", "number", "boolean", "null"]


class Shape(NamedTuple):
    """What a key takes: in words, and as a schema."""

    words: str
    schema: Schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_TEXT: Schema = {"type": _SCALARS}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_CODE: Schema = {"type": ["integer", "null"]}
_ENV_MAP: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": _TEXT,
}
_TIMETABLES: Schema = {
    "anyOf": [
        _TEXT,
        _ref("schedule.start"),
        {"type": "array", "items": {"anyOf": [_TEXT, _ref("schedule.start")]}},
    ]
}
_ASSIGNMENT: Schema = {"type": "string", "pattern": "="}
_SIGNAL = "^\\s*[sS][iI][gG]({})\\s*$".format(
    "|".join(
        "".join(f"[{letter}{letter.lower()}]" if letter.isalpha() else letter for letter in name[3:])
        for name in sorted(SIGNALS)
    )
)

SHAPES: dict[str, Shape] = {
    "any": Shape("anything", {}),
    "text": Shape("a text", _TEXT),
    "texts": Shape("a text or a list of texts", _TEXTS),
    "tags": Shape(
        "words with commas, a list of words, or a map", {"anyOf": [_TEXTS, _ENV_MAP | {"propertyNames": {}}]}
    ),
    "value": Shape("any value", {}),
    "list": Shape("a list", {"type": "array"}),
    "number": Shape("a number", {"type": "number"}),
    "param_type": Shape(
        "`string`, `integer`, `number`, `boolean`, `array` or `object`",
        {"enum": ["string", "integer", "number", "boolean", "array", "object"]},
    ),
    "flag": Shape("true or false", {"type": ["boolean", "null"]}),
    "seconds": Shape("a number of seconds", {"type": ["number", "null"], "minimum": 0}),
    "count": Shape("a whole number", {"type": ["integer", "null"], "minimum": 0}),
    "codes": Shape("a whole number or a list of them", {"anyOf": [_CODE, {"type": "array", "items": _CODE}]}),
    "type": Shape("`chain` or `graph`", {"enum": ["chain", "graph", "", None]}),
    "shell": Shape("a program with its arguments, as a text or a list", _TEXTS),
    "signal": Shape(
        "the name of a signal", {"anyOf": [{"type": "string", "pattern": _SIGNAL}, {"enum": ["", None]}]}
    ),
    "backoff": Shape(
        "true, false, or a number above 1",
        {"anyOf": [{"type": ["boolean", "null"]}, {"type": "number", "exclusiveMinimum": 1}]},
    ),
    "repeat": Shape(
        "`while`, `until`, true or false",
        {
            "anyOf": [
                {"type": ["boolean", "null"]},
                {"type": "string", "pattern": "^([wW][hH][iI][lL][eE]|[uU][nN][tT][iI][lL])$"},
            ]
        },
    ),
    "integer": Shape("a whole number, which may be negative", _CODE),
    "limit": Shape("a whole number; 0 or less for none", _CODE),
    "duration": Shape("seconds, or a time such as `1h30m`", _TEXT),
    "catchup": Shape("`none`, `latest` or `all`", {"enum": ["none", "latest", "all", "", None]}),
    "overlap": Shape(
        "`skip`, `queue`, `latest`, `allow` or `cancel`",
        {"enum": ["skip", "queue", "all", "latest", "allow", "cancel", "", None]},
    ),
    "timetables": Shape("a cron expression, a map, or a list of these", _TIMETABLES),
    "schedule": Shape(
        "a cron expression, a list of entries, or a map of `start`, `stop` and `restart`",
        {"anyOf": [_TIMETABLES, _ref("schedule")]},
    ),
    "map": Shape("a map", {"type": ["object", "null"]}),
    "env": Shape(
        "a map, or a list of maps and NAME=value texts",
        {
            "anyOf": [
                _ENV_MAP,
                _ASSIGNMENT,
                {"type": "null"},
                {"type": "array", "items": {"anyOf": [_ENV_MAP, _ASSIGNMENT, {"type": "null"}]}},
            ]
        },
    ),
    "params": Shape(
        "a text of words and NAME=value pairs, a list of texts and maps, or a map",
        {
            "anyOf": [
                _TEXT,
                {"type": "object"},
                {"type": "array", "items": {"anyOf": [_ref("params"), _TEXT, {"type": "object"}]}},
            ]
        },
    ),
    "preconditions": Shape(
        "a command, a map, or a list of these",
        {
            "anyOf": [
                _TEXT,
                _ref("preconditions"),
                {"type": "array", "items": {"anyOf": [_TEXT, _ref("preconditions")]}},
            ]
        },
    ),
    "output": Shape(
        "the name of a variable, or a map",
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\$?\{?[A-Za-z_][A-Za-z0-9_]*\}?\s*$"},
                {"type": "null"},
                _ref("steps.output"),
                # Dagu 2: from name to a value, or to where it comes from.
                {
                    "type": "object",
                    "not": {"properties": {"name": _TEXT}, "required": ["name"]},
                    "additionalProperties": {"anyOf": [_ref("steps.output.NAME"), {}]},
                },
            ]
        },
    ),
    "continue_on": Shape(
        "`failed`, `skipped`, or a map",
        {
            "anyOf": [
                {
                    "type": ["string", "null"],
                    "pattern": "^([fF][aA][iI][lL]([eE][dD]|[uU][rR][eE])|[sS][kK][iI][pP][pP][eE][dD])$",
                },
                _ref("steps.continue_on"),
            ]
        },
    ),
    "container": Shape(
        "the name of a container, or a map", {"anyOf": [{"type": "string"}, {"type": "object"}]}
    ),
    "logins": Shape("a map by registry, or JSON text", {"type": ["object", "string", "null"]}),
    "consts": Shape(
        "a map, or a list of maps",
        {"anyOf": [{"type": ["object", "null"]}, {"type": "array", "items": {"type": "object"}}]},
    ),
    "secrets": Shape("a list of maps", {"type": ["array", "null"], "items": _ref("secrets")}),
    "defaults": Shape("a map", _ref("defaults")),
    "actions": Shape(
        "a map from name to action", {"type": "object", "additionalProperties": _ref("actions")}
    ),
    "log_output": Shape("`separate` or `merged`", {"enum": ["separate", "merged", "", None]}),
    "mail_on": Shape("a map", _ref("mail_on")),
    "mail": Shape("a map", _ref("error_mail")),
    "any value": Shape("a value", {}),
    "exec": Shape("a program with its arguments, as a text or a map", {"anyOf": [_TEXT, _ref("steps.exec")]}),
    "items": Shape("a list, or a text that comes to one", {"type": [*_SCALARS, "array"]}),
    "parallel": Shape(
        "a list of items, a text that comes to one, or a map",
        {"anyOf": [{"type": ["string", "array"]}, _ref("steps.parallel")]},
    ),
    "foreach": Shape("a map", _ref("steps.foreach")),
    "routes": Shape(
        "a map from value or pattern to steps", {"type": "object", "additionalProperties": _TEXTS}
    ),
    "inputs": Shape(
        "a list of files, or a map", {"anyOf": [{"type": [*_SCALARS, "array"]}, _ref("steps.inputs")]}
    ),
    "approval": Shape("a map", {"anyOf": [{"enum": [True, None]}, _ref("steps.approval")]}),
    "outputs": Shape(
        "a list of names or maps",
        {"type": "array", "items": {"anyOf": [{"type": "string"}, _ref("steps.outputs")]}},
    ),
    "stream": Shape("a file, or a map", {"type": [*_SCALARS, "object"]}),
    "retry_policy": Shape("a map", _ref("steps.retry_policy")),
    "repeat_policy": Shape("a map", _ref("steps.repeat_policy")),
    "executor": Shape("a name or a map", {"anyOf": [_TEXT, _ref("steps.executor")]}),
    "handler_on": Shape("a map from event to step", _ref("handler_on")),
    "step": Shape("a command or a step", {"anyOf": [_TEXT, _ref("steps")]}),
    "steps": Shape(
        "a list of steps, or a map from name to step",
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": {"anyOf": [_ref("step"), {"type": "array", "items": _ref("step")}]},
                },
                {"type": "object", "additionalProperties": _ref("step")},
            ]
        },
    ),
}
"""What each word in the table of fields stands for."""


def dag_schema(dialect: str = "auto") -> Schema:
    """The schema of DAG files: of one dialect's spelling, or with `auto` of both."""
    root = _map(PLACES[0], dialect)
    below = {place.path: _map(place, dialect) for place in PLACES[1:] if place.path != "steps.preconditions"}
    spelled = {"auto": "", "dagu1": ", spelled as in Dagu 1.x", "dagu2": ", spelled as in Dagu 2.x"}[dialect]
    return {
        "$schema": DRAFT,
        "title": f"A DAG of dagfs{spelled}",
        **root,
        "$defs": {"step": {"anyOf": [{"type": ["string", "number", "boolean"]}, _ref("steps")]}, **below},
    }


def settings_schema(rows: Iterable[tuple[str, str, Schema]]) -> Schema:
    """The schema of `dagfs.yaml` from its keys (`store.id` lies in `store`), docs and value schemas."""
    root: Schema = {"type": ["object", "null"], "additionalProperties": False, "properties": {}}
    for key, doc, schema in rows:
        place = root
        *sections, name = key.split(".")
        for section in sections:
            inner = {"type": "object", "additionalProperties": False, "properties": {}}
            place = place["properties"].setdefault(section, inner)
        place["properties"][name] = {"description": doc, **schema}
    return {"$schema": DRAFT, "title": "Settings of dagfs", **root}


def _map(place: Place, dialect: str) -> Schema:
    properties = {word: _property(place, key, word, dialect) for word, key in _spellings(place, dialect)}
    needed = [_needed(place, name, dialect) for name, field in place.fields.items() if field.needed]
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    # Values of such a key may be left out where the spec is refused for another reason anyway.
    return made | ({"allOf": needed} if needed else {})


def _spellings(place: Place, dialect: str) -> Iterator[tuple[str, Key]]:
    """Each way to write each key."""
    table = place.table
    if dialect == "dagu1":
        yield from ((key.spelled, key) for key in table.of("dagu1").values())
        return
    for name, key in table.every.items():
        yield name, key
        if dialect == "auto" and camel(name) != name:
            yield camel(name), key


def _property(place: Place, key: Key, word: str, dialect: str) -> Schema:
    field = place.fields.get(key.field, Field(""))
    doc = field.doc
    if key.use == "unused":
        return {"deprecated": True, "description": f"Read, and without effect in this version. {doc}".strip()}
    if word not in (key.field, camel(key.field)):
        doc = f"The same as `{camel(key.field) if dialect == 'dagu1' else key.field}`. {doc}"
    default = f" Default: {field.default}." if field.default else ""
    return {"description": doc + default, **SHAPES[field.shape].schema}


def _needed(place: Place, name: str, dialect: str) -> Schema:
    words = [word for word, key in _spellings(place, dialect) if key.field == name]
    return {"required": words} if len(words) == 1 else {"anyOf": [{"required": [word]} for word in words]}
