"""Parameters that say what they may be: rich entries of `params:`, and JSON schemas in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dagfs.model.dag import Mark, Param
from dagfs.spec import keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Reader

TYPES = ("string", "integer", "number", "boolean", "array", "object")
_WORDS = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "list": "array",
}
_BOUNDS = {"minimum": "minimum", "maximum": "maximum", "min_length": "minLength", "max_length": "maxLength"}
_TEXT_RULES = ("min_length", "max_length", "pattern")
_LOCAL = ("file:", "http:", "https:", "ftp:", "//")

Found = Iterator[tuple[Param, Mark]]


def is_rich(reader: Reader, node: Mapping) -> bool:
    """Whether a list item describes a parameter (`name:` beside `default:` and the like)."""
    if reader.dialect.name == "dagu1" or node.get("name") is None or len(node.entries) < 2:
        return False
    return all(entry.key in keys.PARAM.of("dagu2") for entry in node.entries)


def rich_param(reader: Reader, node: Mapping) -> Found:
    """One described parameter."""
    fields = reader.fields(node, keys.PARAM, "a parameter")
    schema: dict[str, Any] = {}
    type_ = "string"
    if "type" in fields:
        type_ = schema["type"] = _type(reader, fields["type"])
    if "enum" in fields:
        schema["enum"] = _enum(reader, fields["enum"], type_)
    for name, word in _BOUNDS.items():
        if name in fields:
            schema[word] = _bound(reader, fields[name], whole=name.endswith("length"))
    if "pattern" in fields:
        schema["pattern"] = reader.string(fields["pattern"].value, "pattern")
    for name in (*_BOUNDS, "pattern"):
        if name in fields and (name in _TEXT_RULES) is not (type_ == "string"):
            reader.error(fields[name].mark, f"{fields[name].key} means nothing for the type {type_}")
    if "default" in fields and "eval" in fields:
        reader.error(fields["eval"].mark, "eval and default say the same", "keep one of the two")
    yield (
        Param(
            name=reader.string(fields["name"].value, "name"),
            value=default_text(plain(fields["default"].value), fields["default"].value)
            if "default" in fields
            else "",
            description=_said(reader, fields, "description"),
            required=reader.boolean(fields["required"].value, "required") if "required" in fields else False,
            eval=_said(reader, fields, "eval"),
            schema=schema,
        ),
        fields["name"].mark,
    )


def _said(reader: Reader, fields: dict[str, Entry], name: str) -> str:
    return reader.string(fields[name].value, name) if name in fields else ""


def _type(reader: Reader, entry: Entry) -> str:
    said = reader.string(entry.value, "type")
    if said and said not in TYPES:
        hint = f"did you mean '{_WORDS[said]}'?" if said in _WORDS else reader.suggestion(said, TYPES)
        reader.error(
            entry.value.mark, f"a parameter has the type {', '.join(TYPES)}, not {kind(entry.value)}", hint
        )
    return said if said in TYPES else "string"


def _enum(reader: Reader, entry: Entry, type_: str) -> list[Any]:
    if not isinstance(entry.value, Sequence) or not entry.value.items:
        reader.error(entry.value.mark, f"enum must be a list of values, not {kind(entry.value)}")
        return []
    # Texts are compared as they are written: `enum: [1, 08]` of a text are `1` and `08`.
    return [
        item.text if isinstance(item, Scalar) and type_ == "string" else plain(item)
        for item in entry.value.items
    ]


def _bound(reader: Reader, entry: Entry, *, whole: bool) -> int | float:
    value = entry.value.value if isinstance(entry.value, Scalar) else None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (whole and not isinstance(value, int))
    ):
        reader.error(
            entry.value.mark, f"{entry.key} must be a {'whole ' * whole}number, not {kind(entry.value)}"
        )
        return 0
    return value


def default_text(value: Any, node: Node | None = None) -> str:
    """A default as the text that a run is given: scalars as they are written, the rest as JSON."""
    if isinstance(node, Scalar):
        return "" if node.value is None else node.text
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


# -- JSON schemas ------------------------------------------------------------------------------


def schema_node(reader: Reader, node: Node) -> Node | None:
    """What stands for the schema of all parameters: a map, or the name of a file; None where none does.

    Dagu 1 knows `{schema: FILE, values: {}}` alone, and reads anything else as plain parameters.
    """
    if not isinstance(node, Mapping):
        return None
    schema, values = node.get("schema"), node.get("values")
    if isinstance(schema, Scalar) and isinstance(schema.value, str) and isinstance(values, Mapping):
        return schema
    if reader.dialect.name == "dagu1":
        return None
    only = {entry.key for entry in node.entries} <= {"schema", "values"}
    if isinstance(schema, Mapping) and only and (schema.get("properties") or schema.get("type")):
        return schema
    return node if isinstance(node.get("properties"), Mapping) else None


def schema_value(reader: Reader, node: Node) -> str | dict[str, Any]:
    """The schema as plain data, or the name of its file."""
    if not isinstance(node, Scalar):
        data: dict[str, Any] = plain(node)
        return data
    if node.text.lower().startswith(_LOCAL):
        hint = "save the schema beside the DAG file and name that file"
        reader.error(node.mark, f"a schema is never fetched from elsewhere: {kind(node)}", hint)
    return node.text


def declared(schema: Mapping) -> Found:
    """The parameters that a schema in the file declares, in its order, with where each stands."""
    properties, required = schema.get("properties"), schema.get("required")
    needed = plain(required) if required else []
    for entry in properties.entries if isinstance(properties, Mapping) else ():
        default = entry.value.get("default") if isinstance(entry.value, Mapping) else None
        described = plain(entry.value)
        rules = described if isinstance(described, dict) else {}
        yield (
            Param(
                name=entry.key,
                value=default_text(plain(default), default) if default else "",
                description=str(rules.get("description") or ""),
                required=isinstance(needed, list) and entry.key in needed,
                schema={key: value for key, value in rules.items() if key not in ("default", "description")},
            ),
            entry.mark,
        )
