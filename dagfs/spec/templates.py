"""Actions of one's own (`actions:`, formerly `step_types:`): a step's keys with places for its input.

`{{ .input.x }}` and `${input.x}` stand for what `with:` gives; `{{ json .input.x }}` for its JSON text.
They are filled in when the file is read, by texts of the same file, so references in them stay references.
"""

from __future__ import annotations

import json
import re

from dagfs.model.value import field, frozen
from dagfs.spec import keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Fields, Reader

_PLACE = re.compile(
    r"\{\{-?\s*(?P<json>json\s+)?\.input\.(?P<dot>[A-Za-z_][\w-]*)\s*-?\}\}"
    r"|\$\{input\.(?P<ref>[A-Za-z_][\w-]*)\}"
)
_LEFT = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_DEEPEST = 10
"""How often one action may stand for another before it must be going round in circles."""


@frozen
class Templates:
    """The actions that a file defines."""

    defined: dict[str, Fields] = field(default_factory=dict)

    def expand(self, reader: Reader, node: Mapping) -> Mapping:
        """The step with its own action, if it has one, replaced by what that stands for."""
        for _ in range(_DEEPEST):
            named = self._named(node)
            if named is None:
                return node
            node = self._filled(reader, node, named)
        reader.error(
            node.mark, "an action stands for itself", "end the circle with run: or a built-in action"
        )
        return Mapping((), node.line, node.column)

    def _named(self, node: Mapping) -> Entry | None:
        for entry in node.entries:
            value = entry.value if entry.key in ("action", "type") else None
            if isinstance(value, Scalar) and value.text.strip() in self.defined:
                return entry
        return None

    def _filled(self, reader: Reader, node: Mapping, named: Entry) -> Mapping:
        name = named.value.text.strip() if isinstance(named.value, Scalar) else ""
        action = self.defined[name]
        given = next((entry for entry in node.entries if entry.key in ("with", "config")), None)
        values = _values(reader, action, given, named)
        own = tuple(entry for entry in node.entries if entry not in (named, given))
        template = action["template"].value if "template" in action else Mapping(())
        filled = _fill(reader, template, values, named)
        inner = filled.entries if isinstance(filled, Mapping) else ()
        if "type" in action:
            inner = (*inner, action["type"])
        said = {entry.key for entry in own}
        return Mapping((*own, *(entry for entry in inner if entry.key not in said)), node.line, node.column)


def templates(reader: Reader, *blocks: Entry | None) -> Templates:
    """What `actions:` and `step_types:` define."""
    defined: dict[str, Fields] = {}
    for block in blocks:
        node = reader.mapping(block.value, block.key) if block else None
        for entry in node.entries if node else ():
            inner = reader.mapping(entry.value, f"the action '{entry.key}'")
            if inner is None:
                continue
            fields = reader.fields(inner, keys.ACTION, f"the action '{entry.key}'")
            if "template" not in fields and not fields.refused:
                reader.error(entry.mark, f"the action '{entry.key}' needs a template")
            elif "template" in fields:
                reader.mapping(fields["template"].value, "template")
            defined[entry.key] = fields
    return Templates(defined)


def _values(reader: Reader, action: Fields, given: Entry | None, named: Entry) -> dict[str, Node]:
    """What each place is filled with: the step's `with`, else the schema's defaults."""
    mapping = given.value if given and isinstance(given.value, Mapping) else Mapping(())
    values = {entry.key: entry.value for entry in mapping.entries}
    schema = action["input_schema"].value if "input_schema" in action else None
    if not isinstance(schema, Mapping):
        return values
    properties = schema.get("properties")
    known = {each.key: each.value for each in properties.entries} if isinstance(properties, Mapping) else {}
    for entry in mapping.entries:
        if entry.key not in known and _is_false(schema.get("additionalProperties")):
            hint = reader.suggestion(entry.key, known)
            reader.error(entry.mark, f"the action takes no input '{entry.key}'", hint)
        _check_enum(reader, entry, known.get(entry.key))
    for name, each in known.items():
        default = each.get("default") if isinstance(each, Mapping) else None
        if default is not None:
            values.setdefault(name, default)
    required = schema.get("required")
    for name in reader.strings(required, "required") if isinstance(required, Sequence) else ():
        if name not in values:
            reader.error((given or named).mark, f"the action needs the input '{name}'")
    return values


def _is_false(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.value is False


def _check_enum(reader: Reader, entry: Entry, schema: Node | None) -> None:
    allowed = schema.get("enum") if isinstance(schema, Mapping) else None
    if not isinstance(allowed, Sequence) or not isinstance(entry.value, Scalar) or "$" in entry.value.text:
        return
    words = [each.text for each in allowed.items if isinstance(each, Scalar)]
    if entry.value.text not in words:
        hint = reader.suggestion(entry.value.text, words)
        wrong = f"the input '{entry.key}' must be one of {', '.join(words)}, not {kind(entry.value)}"
        reader.error(entry.value.mark, wrong, hint)


def _fill(reader: Reader, node: Node, values: dict[str, Node], at: Entry) -> Node:
    if isinstance(node, Mapping):
        pairs = (each._replace(value=_fill(reader, each.value, values, at)) for each in node.entries)
        return node._replace(entries=tuple(pairs))
    if isinstance(node, Sequence):
        return node._replace(items=tuple(_fill(reader, each, values, at) for each in node.items))
    whole = _PLACE.fullmatch(node.text.strip())
    if whole and not whole["json"]:
        return values.get(whole["dot"] or whole["ref"], Scalar("", "", node.line, node.column))
    if not _PLACE.search(node.text) and not _LEFT.search(node.text):
        return node
    text = _PLACE.sub(lambda found: _text(found, values), node.text)
    if left := _LEFT.search(_PLACE.sub("", node.text)):
        hint = "write {{ .input.NAME }} or {{ json .input.NAME }}"
        reader.error(node.mark, f"the template has '{left[0]}', which dagfs cannot fill in", hint)
    return Scalar(text, text, node.line, node.column)


def _text(found: re.Match[str], values: dict[str, Node]) -> str:
    value = values.get(found["dot"] or found["ref"])
    if value is None:
        return '""' if found["json"] else ""
    if found["json"] or not isinstance(value, Scalar):
        return json.dumps(plain(value), ensure_ascii=False)
    return "" if value.value is None else value.text
