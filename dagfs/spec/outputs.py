"""What a step publishes: `output`, `outputs`, and the maps that `stdout:` and `stderr:` may be."""

from __future__ import annotations

import json
import re
from typing import Any

from dagfs.model.dag import Output, OutputField
from dagfs.spec import keys
from dagfs.spec.names import is_variable_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Fields, Reader

SOURCES = ("stdout", "stderr", "file")
DECODERS = ("json", "yaml", "lines", "text")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NAME_RULE = "use letters, digits and _, and no digit first"


def output(reader: Reader, entry: Entry) -> tuple[Output, tuple[OutputField, ...]]:
    """The name of a variable, a map with `name`, `key`, `omit`, or a map from name to what is published."""
    node = entry.value
    if isinstance(node, Scalar):
        return (Output(_variable(reader, node, entry.key)) if node.value is not None else Output()), ()
    if isinstance(node, Sequence):
        reader.error(node.mark, f"{entry.key} must be a name or a map, not a list")
        return Output(), ()
    if not isinstance(node.get("name"), Scalar) and _is_structured(reader, node):
        return Output(), tuple(_field(reader, each) for each in node.entries)
    fields = reader.fields(node, keys.OUTPUT, entry.key)
    if "name" not in fields and not fields.refused:
        reader.error(node.mark, f"{entry.key} needs a name")
    name = _variable(reader, fields["name"].value, "name") if "name" in fields else ""
    key = reader.string(fields["key"].value, "key") if "key" in fields else ""
    omit = "omit" in fields and reader.boolean(fields["omit"].value, "omit")
    return Output(name, key, omit), ()


def _is_structured(reader: Reader, node: Mapping) -> bool:
    """Whether it is Dagu 2's map from names to where their values come from."""
    if reader.dialect.name == "dagu1" or not node.entries:
        return False
    known = keys.OUTPUT.of(reader.dialect.name)
    return any(isinstance(each.value, Mapping) or each.key not in known for each in node.entries)


def _variable(reader: Reader, node: Node, what: str) -> str:
    name = reader.string(node, what).strip().removeprefix("$").removeprefix("{").removesuffix("}")
    if isinstance(node, Scalar) and not is_variable_name(name):
        reader.error(node.mark, f"'{node.text}' cannot be the name of a variable", _NAME_RULE)
    return name


def _field(reader: Reader, entry: Entry) -> OutputField:
    """One name with a value of its own, or with where it comes from."""
    if not _NAME.fullmatch(entry.key):
        reader.error(entry.mark, f"'{entry.key}' cannot name an output", _NAME_RULE)
    node = entry.value
    table = keys.OUTPUT_FIELD.of(reader.dialect.name)
    if not isinstance(node, Mapping) or not any(each.key in table for each in node.entries):
        return _literal(entry.key, node)
    fields = reader.fields(node, keys.OUTPUT_FIELD, f"output '{entry.key}'")
    if "value" in fields:
        if other := next((fields[name] for name in ("from", "path", "select") if name in fields), None):
            reader.error(other.mark, f"output '{entry.key}' has a value, so it is read from nowhere")
        return _literal(entry.key, fields["value"].value)
    texts = {name: reader.string(each.value, each.key) for name, each in fields.items()}
    found = OutputField(
        entry.key,
        _one_of(reader, fields, "type", ("string", "json")) or "string",
        source=_one_of(reader, fields, "from", SOURCES) or ("file" if texts.get("path") else "stdout"),
        path=texts.get("path", ""),
        decode=_one_of(reader, fields, "decode", DECODERS),
        select=texts.get("select", ""),
    )
    if found.source == "file" and not found.path:
        reader.error(entry.mark, f"output '{entry.key}' needs a path")
    return found


def _literal(name: str, node: Node) -> OutputField:
    """A value written in the spec: a text, or JSON."""
    if isinstance(node, Scalar):
        return OutputField(name, value="" if node.value is None else node.text, source="value")
    text = json.dumps(plain(node), ensure_ascii=False, separators=(",", ":"))
    return OutputField(name, "json", value=text, source="value")


def _one_of(reader: Reader, fields: Fields, name: str, choices: tuple[str, ...]) -> str:
    if name not in fields:
        return ""
    entry = fields[name]
    said = reader.string(entry.value, entry.key)
    if said and said not in choices:
        hint = reader.suggestion(said, choices)
        wrong = f"{entry.key} must be {', '.join(choices[:-1])} or {choices[-1]}, not {kind(entry.value)}"
        reader.error(entry.value.mark, wrong, hint)
        return ""
    return said


def outputs(reader: Reader, entry: Entry) -> tuple[OutputField, ...]:
    """Declared outputs: a list of names, or of maps with `name`, `type` and `path`."""
    if not isinstance(entry.value, Sequence):
        reader.error(entry.value.mark, f"{entry.key} must be a list, not {kind(entry.value)}")
        return ()
    found: dict[str, OutputField] = {}
    for item in entry.value.items:
        made = _declared(reader, item, entry.key)
        if made.name in found:
            reader.error(item.mark, f"the output '{made.name}' is there twice", "keep one of the two")
        found[made.name] = made
    return tuple(found.values())


def _declared(reader: Reader, node: Node, what: str) -> OutputField:
    if isinstance(node, Scalar):
        fields = Fields()
        name = node.text
    elif isinstance(node, Mapping):
        fields = reader.fields(node, keys.OUTPUTS, what)
        name = reader.string(fields["name"].value, "name") if "name" in fields else ""
    else:
        reader.error(node.mark, f"each of {what} must be a name or a map, not a list")
        return OutputField()
    if not _NAME.fullmatch(name) and not fields.refused:
        reader.error(node.mark, f"'{name}' cannot name an output", _NAME_RULE)
    path = reader.string(fields["path"].value, "path") if "path" in fields else ""
    type_ = _one_of(reader, fields, "type", ("string", "json")) or "string"
    return OutputField(name, type_, source="file" if path else "", path=path)


def stream(reader: Reader, entry: Entry) -> tuple[str, tuple[OutputField, ...]]:
    """A file; or in Dagu 2 a map: `artifact` names one of the step's, `outputs` publishes fields."""
    node = entry.value
    if not isinstance(node, Mapping):
        return reader.string(node, entry.key), ()
    path, found = "", []
    for each in node.entries:
        if each.key == "artifact":
            path = "${DAGFS_ARTIFACTS_DIR}/" + reader.string(each.value, "artifact").lstrip("/")
        elif each.key == "outputs":
            found += _published(reader, each, entry.key)
        else:
            hint = reader.suggestion(each.key, ("artifact", "outputs"))
            reader.error(each.mark, f"unknown key '{each.key}' in {entry.key}", hint)
    return path, tuple(found)


def _published(reader: Reader, entry: Entry, source: str) -> list[OutputField]:
    """`outputs: {fields: {id: {decode, select}}}`, each from the stream at hand."""
    node = reader.mapping(entry.value, "outputs")
    fields = node.get("fields") if node else None
    if not isinstance(fields, Mapping):
        reader.error(entry.mark, f"outputs of {source} needs fields: with a map")
        return []
    made: list[Any] = []
    for each in fields.entries:
        inner = each.value.entries if isinstance(each.value, Mapping) else ()
        come = Entry("from", Scalar(source, source), each.line, each.column)
        made.append(_field(reader, each._replace(value=Mapping((come, *inner), each.line, each.column))))
    return made
