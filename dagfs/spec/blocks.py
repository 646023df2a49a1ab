"""Blocks of a DAG beside its steps: constants, secrets, and mail about its ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dagfs.model.dag import Secret, Variable
from dagfs.spec import keys
from dagfs.spec.config import canonical
from dagfs.spec.names import is_variable_name
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence, kind, plain
from dagfs.spec.reader import Reader

PROVIDERS = ("env", "file")
"""Where dagfs itself looks secrets up; the others of Dagu need a plugin."""
_NAME_RULE = "use letters, digits and _, and no digit first"


def consts(reader: Reader, entry: Entry) -> tuple[Variable, ...]:
    """A map, or a list of maps; lists and maps become JSON text."""
    found: dict[str, Variable] = {}
    for each in _pairs(reader, entry.value, entry.key):
        if not is_variable_name(each.key):
            reader.error(each.mark, f"'{each.key}' cannot be the name of a constant", _NAME_RULE)
        elif each.key in found:
            reader.error(each.mark, f"the constant '{each.key}' is there twice", "keep one of the two")
        else:
            found[each.key] = Variable(each.key, _value(each.value))
    return tuple(found.values())


def _pairs(reader: Reader, node: Node, what: str) -> Iterator[Entry]:
    if isinstance(node, Mapping):
        yield from node.entries
    elif isinstance(node, Sequence):
        for item in node.items:
            inner = reader.mapping(item, f"each item of {what}")
            yield from inner.entries if inner else ()
    elif node.value is not None:
        reader.error(node.mark, f"{what} must be a map or a list of maps, not {kind(node)}")


def _value(node: Node) -> str:
    if isinstance(node, Scalar):
        return "" if node.value is None else node.text
    return json.dumps(plain(node), ensure_ascii=False, separators=(",", ":"))


def secrets(reader: Reader, entry: Entry) -> tuple[Secret, ...]:
    """A list of maps with a name, a provider and a key."""
    node = entry.value
    if isinstance(node, Scalar) and node.value is None:
        return ()
    if not isinstance(node, Sequence):
        reader.error(node.mark, f"{entry.key} must be a list of maps, not {kind(node)}")
        return ()
    found: dict[str, Secret] = {}
    for item in node.items:
        made = _secret(reader, item)
        if made is None:
            continue
        if made.name in found:
            reader.error(item.mark, f"the secret '{made.name}' is there twice", "keep one of the two")
        found[made.name] = made
    return tuple(found.values())


def _secret(reader: Reader, node: Node) -> Secret | None:
    mapping = reader.mapping(node, "each of secrets")
    if mapping is None:
        return None
    fields = reader.fields(mapping, keys.SECRET, "a secret")
    texts = {
        name: reader.string(fields[name].value, name)
        for name in ("name", "provider", "key")
        if name in fields
    }
    if mapping.get("ref") is not None:
        hint = "dagfs has no registry of secrets: say provider: and key:"
        reader.warning(mapping.mark, f"the secret '{texts.get('name', '')}' cannot be looked up", hint)
        texts = {"provider": "ref", "key": "", **texts}
    for name in ("name", "provider", "key"):
        if name not in texts and not fields.refused:
            reader.error(mapping.mark, f"a secret needs {name}:")
    name = texts.get("name", "")
    if name and not is_variable_name(name):
        reader.error(fields["name"].mark, f"'{name}' cannot be the name of a variable", _NAME_RULE)
    options = mapping.get("options")
    made = plain(options) if isinstance(options, Mapping) else {}
    return Secret(name, texts.get("provider", ""), texts.get("key", ""), made)


def mail_on(reader: Reader, entry: Entry) -> dict[str, bool]:
    """At which ends mail is sent."""
    node = reader.mapping(entry.value, entry.key)
    fields = reader.fields(node, keys.MAIL_ON, entry.key) if node else {}
    return {name: reader.boolean(each.value, each.key) for name, each in fields.items()}


def mail(reader: Reader, entry: Entry) -> dict[str, Any]:
    """Sender, receivers (a list), prefix of the subject, and whether logs go with it."""
    node = reader.mapping(entry.value, entry.key)
    if node is None:
        return {}
    found: dict[str, Any] = {}
    for name, each in reader.fields(node, keys.MAIL, entry.key).items():
        if name == "to":
            found[name] = list(reader.strings(each.value, each.key))
        elif name == "attach_logs":
            found[name] = reader.boolean(each.value, each.key)
        else:
            found[name] = reader.string(each.value, each.key)
    return found


def logins(reader: Reader, entry: Entry) -> dict[str, Any]:
    """Logins by registry, or a text that comes to them (`auths`)."""
    if isinstance(entry.value, Scalar):
        text = reader.string(entry.value, entry.key)
        return {"json": text} if text else {}
    node = reader.mapping(entry.value, entry.key)
    return {each.key: canonical(plain(each.value)) for each in node.entries} if node else {}
