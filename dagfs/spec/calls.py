"""Steps that the engine does itself: sub-DAGs, items of `parallel` and `foreach`, routers, approvals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from dagfs.model.dag import Approval, Call, Parallel, Param, Route, Router, Variable
from dagfs.model.reference import references
from dagfs.spec import keys, variables
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Fields, Reader

MOST_ITEMS = 1000
_ITEM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def call(reader: Reader, named: Entry, params: Entry | None) -> Call:
    """The DAG that a step runs, with what it is given."""
    dag = reader.string(named.value, named.key).strip()
    if not dag:
        reader.error(named.mark, f"{named.key} needs the name of a DAG")
    given, text = call_params(reader, params) if params else ((), "")
    return Call(dag, given, text)


def call_params(reader: Reader, entry: Entry) -> tuple[tuple[Param, ...], str]:
    """Parameters of a sub-DAG in any of their forms, or a text that is one whole reference."""
    if isinstance(entry.value, Scalar) and is_reference(entry.value.text):
        return (), entry.value.text.strip()
    return variables.params(reader, entry)[0], ""


def is_reference(text: str) -> bool:
    """Whether a text is one reference and nothing else."""
    text = text.strip()
    found = next(references(text), None) if text.startswith("$") else None
    return found is not None and (found.start, found.end) == (0, len(text))


# -- items ---------------------------------------------------------------------------------------


def parallel(reader: Reader, entry: Entry) -> Parallel:
    """A list of items, a text that comes to them, or a map with `items` and `max_concurrent`."""
    if not isinstance(entry.value, Mapping):
        items, source = _items(reader, entry, nested=False)
        return Parallel(items, source)
    node = entry.value
    if reader.dialect.name == "dagu1":
        # Dagu 1 lets any key pass here; this one is meant as it is in 2.x.
        said = (each._replace(key=each.key.replace("_", "")) for each in node.entries)
        node = node._replace(entries=tuple(said))
    fields = reader.fields(node, keys.PARALLEL, entry.key)
    if "items" not in fields:
        if not fields.refused:
            reader.error(entry.mark, f"{entry.key} needs items")
        return Parallel()
    items, source = _items(reader, fields["items"], nested=False)
    return Parallel(items, source, _max_concurrent(reader, fields))


def _max_concurrent(reader: Reader, fields: Fields) -> int:
    entry = fields.get("max_concurrent")
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
        return Parallel().max_concurrent
    count = reader.count(entry.value, entry.key)
    if not 1 <= count <= MOST_ITEMS:
        reader.error(entry.value.mark, f"{entry.key} must be between 1 and {MOST_ITEMS}")
    return count


def _items(reader: Reader, entry: Entry, *, nested: bool) -> tuple[tuple[Any, ...], str]:
    node = entry.value
    if isinstance(node, Mapping):
        reader.error(node.mark, f"{entry.key} must be a list or a text, not a map")
        return (), ""
    if isinstance(node, Scalar):
        if not node.text.strip() or node.value is None:
            reader.error(entry.mark, f"{entry.key} has no items")
        return (), node.text
    if not node.items and not nested:
        reader.error(node.mark, f"{entry.key} has no items")
    if len(node.items) > MOST_ITEMS:
        reader.error(node.mark, f"{entry.key} has {len(node.items)} items; the most allowed is {MOST_ITEMS}")
    return tuple(_item(reader, item, entry.key, nested) for item in node.items), ""


def _item(reader: Reader, node: Node, what: str, nested: bool) -> Any:
    """A text, or a map of texts; deeper values as JSON where they are allowed."""
    if isinstance(node, Mapping):
        return {each.key: _item_text(reader, each.value, what, nested) for each in node.entries}
    return _item_text(reader, node, what, nested)


def _item_text(reader: Reader, node: Node, what: str, nested: bool) -> str:
    if isinstance(node, Scalar):
        return "" if node.value is None else node.text
    if not nested:
        reader.error(node.mark, f"each item of {what} must be a text or a map of texts, not {kind(node)}")
        return ""
    return json.dumps(plain(node), ensure_ascii=False, separators=(",", ":"))


def foreach(reader: Reader, fields: Fields, where: Entry) -> Parallel:
    """The items of a `foreach:`; its steps are read by whoever reads steps."""
    name = reader.string(fields["as"].value, "as") if "as" in fields else "item"
    if not _ITEM_NAME.fullmatch(name) or name in ("index", "key"):
        reader.error(fields["as"].mark, f"as: '{name}' cannot name an item", "use a word, not index or key")
    items, source = _items(reader, fields["items"], nested=True) if "items" in fields else ((), "")
    if "items" not in fields and not fields.refused:
        reader.error(where.mark, f"{where.key} needs items")
    return Parallel(
        items,
        source,
        _max_concurrent(reader, fields),
        item=f"foreach.{name}",
        key=_key(reader, fields["key"], f"foreach.{name}") if "key" in fields else "",
        collect=tuple(_collect(reader, fields["collect"])) if "collect" in fields else (),
        is_foreach=True,
    )


def _key(reader: Reader, entry: Entry, item: str) -> str:
    """`${foreach.item.id}` is the field `id`; anything else stays a text with references."""
    text = reader.string(entry.value, entry.key).strip()
    field = re.fullmatch(rf"\$\{{{re.escape(item)}\.([A-Za-z0-9_-]+)\}}", text)
    return field[1] if field else text


def _collect(reader: Reader, entry: Entry) -> Iterator[Variable]:
    node = reader.mapping(entry.value, entry.key)
    for each in node.entries if node else ():
        if not _ITEM_NAME.fullmatch(each.key):
            reader.error(each.mark, f"'{each.key}' cannot name an output", "use letters, digits and _")
        yield Variable(each.key, reader.string(each.value, each.key))


# -- routers and approvals -----------------------------------------------------------------------


def router(reader: Reader, value: Entry | None, routes: Entry | None, where: Entry) -> Router:
    """A value, and from pattern to the steps that run when it fits."""
    if value is None:
        reader.error(where.mark, "a router needs a value")
    if routes is None:
        reader.error(where.mark, "a router needs routes")
        return Router()
    node = reader.mapping(routes.value, routes.key)
    found = []
    for each in node.entries if node else ():
        targets = reader.strings(each.value, f"the route '{each.key}'")
        if not each.key or not targets or not all(targets):
            reader.error(each.mark, f"the route '{each.key}' needs a pattern and the names of steps")
        found.append(Route(each.key, targets))
    if node and not found:
        reader.error(node.mark, "a router needs at least one route")
    return Router(reader.string(value.value, value.key) if value else "", tuple(found))


def approval(reader: Reader, entry: Entry) -> Approval:
    """What to ask, which values to take, and which of them must be given."""
    node = entry.value
    if isinstance(node, Scalar) and (node.value is None or node.value is True):
        return Approval()
    mapping = reader.mapping(node, entry.key)
    if mapping is None:
        return Approval()
    fields = reader.fields(mapping, keys.APPROVAL, entry.key)
    words = {name: _words(reader, fields.get(name)) for name in ("input", "required")}
    for name in words["required"]:
        if name not in words["input"]:
            hint = reader.suggestion(name, words["input"])
            reader.error(fields["required"].mark, f"required names '{name}', which is no input", hint)
    texts = {name: _text(reader, fields.get(name)) for name in ("prompt", "rewind_to")}
    return Approval(texts["prompt"], words["input"], words["required"], texts["rewind_to"])


def _text(reader: Reader, entry: Entry | None) -> str:
    return reader.string(entry.value, entry.key) if entry else ""


def _words(reader: Reader, entry: Entry | None) -> tuple[str, ...]:
    return reader.strings(entry.value, entry.key) if entry else ()


def form(reader: Reader, entry: Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a form's fields, and those that must be filled in."""
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return (), ()
    properties, required = node.get("properties"), node.get("required")
    names = tuple(each.key for each in properties.entries) if isinstance(properties, Mapping) else ()
    if isinstance(required, Sequence):
        return names, reader.strings(required, "required")
    return names, ()
