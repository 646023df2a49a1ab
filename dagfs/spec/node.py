"""A YAML document as small frozen values that know where they stand. Lines and columns count from 1."""

from __future__ import annotations

from typing import Any, NamedTuple

from dagfs.model.dag import Mark


class Scalar(NamedTuple):
    """One value: `text` as the file has it, `value` as YAML 1.2 reads it."""

    text: str
    value: str | bool | int | float | None
    line: int = 0
    column: int = 0
    literal: bool = False
    """Written as a `|` block, so that its own lines are lines of the file."""

    @property
    def mark(self) -> Mark:
        return Mark(self.line, self.column)


class Sequence(NamedTuple):
    """A list. `items` are nodes."""

    items: tuple[Node, ...]
    line: int = 0
    column: int = 0

    @property
    def mark(self) -> Mark:
        return Mark(self.line, self.column)


class Entry(NamedTuple):
    """One key of a mapping, where the key stands, and what it holds."""

    key: str
    value: Node
    line: int = 0
    column: int = 0

    @property
    def mark(self) -> Mark:
        return Mark(self.line, self.column)


class Mapping(NamedTuple):
    """A mapping in the order of the file; no key is there twice."""

    entries: tuple[Entry, ...]
    line: int = 0
    column: int = 0

    @property
    def mark(self) -> Mark:
        return Mark(self.line, self.column)

    def get(self, key: str) -> Node | None:
        return next((entry.value for entry in self.entries if entry.key == key), None)


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The node as what JSON can hold; every mapping and list is a new one."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {entry.key: plain(entry.value) for entry in node.entries}


def marks(node: Node, prefix: str = "") -> dict[str, Mark]:
    """Where each key of nested mappings and each list item stands, by dotted path (`a.b`, `a.0`)."""
    found: dict[str, Mark] = {}
    if isinstance(node, Mapping):
        for entry in node.entries:
            found[prefix + entry.key] = entry.mark
            found.update(marks(entry.value, f"{prefix}{entry.key}."))
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            found[f"{prefix}{index}"] = item.mark
            found.update(marks(item, f"{prefix}{index}."))
    return found


def is_nothing(node: Node) -> bool:
    """Whether a key has no value."""
    return isinstance(node, Scalar) and node.value is None


def kind(node: Node) -> str:
    """What a person would call the value: `a list`, `a map`, `nothing`, or the text in quotes."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a map"
    if node.value is None:
        return "nothing"
    return f"'{node.text}'" if len(node.text) <= 40 else f"'{node.text[:37]}...'"
