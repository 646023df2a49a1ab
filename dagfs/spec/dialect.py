"""Which dialect a file is written in, and whether its steps form a chain by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dagfs.spec import keys
from dagfs.spec.node import Entry, Mapping, Node, Sequence

SETTINGS = ("auto", "dagu1", "dagu2")
TYPES = ("chain", "graph")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is read."""

    name: str
    """`dagu1` or `dagu2`."""
    type: str
    """`chain` or `graph`: what holds where the file has no `type` of its own."""
    reason: str
    """Why, in a few words."""


def detect(root: Node | None, setting: str = "auto", type_: str | None = None) -> Dialect:
    """Decide by the file's keys unless `setting` names a dialect; `type_`, if given, is the default type."""
    if setting not in SETTINGS:
        raise ValueError(f"no dialect is called {setting!r}")
    if setting != "auto":
        name, kind, reason = (
            setting,
            "chain" if setting == "dagu1" else "graph",
            f"the setting says {setting}",
        )
    else:
        name, kind, reason = _by_tells(root)
    return Dialect(name, type_ or kind, reason)


def _by_tells(root: Node | None) -> tuple[str, str, str]:
    first: dict[str, Entry] = {}
    for dialect, entry in _tells(root):
        first.setdefault(dialect, entry)
    if "dagu2" in first:
        why = "is shell text" if first["dagu2"].key == "run" else "is a key of Dagu 2"
        return "dagu2", "graph", f"{_place(first['dagu2'])} {why}"
    if "dagu1" in first:
        return "dagu1", "chain", f"{_place(first['dagu1'])} is a key of Dagu 1"
    if any(entry.key == "depends" for step in _steps(root) for entry in step.entries):
        return "dagu2", "graph", "no key tells the dialect, and steps say what they depend on"
    return "dagu2", "chain", "no key tells the dialect, and no step has depends"


def _place(entry: Entry) -> str:
    return f"'{entry.key}' in line {entry.line}"


def _steps(root: Node | None) -> Iterator[Mapping]:
    """Every step and handler written as a map, nested groups included."""
    if not isinstance(root, Mapping):
        return
    for entry in root.entries:
        if entry.key == "steps" and isinstance(entry.value, Sequence):
            for item in entry.value.items:
                yield from _maps(item.items if isinstance(item, Sequence) else (item,))
        elif entry.key in ("steps", "handler_on", "handlerOn") and isinstance(entry.value, Mapping):
            yield from _maps(tuple(each.value for each in entry.value.entries))


def _maps(nodes: tuple[Node, ...]) -> Iterator[Mapping]:
    return (node for node in nodes if isinstance(node, Mapping))


def _tells(root: Node | None) -> Iterator[tuple[str, Entry]]:
    if not isinstance(root, Mapping):
        return
    yield from _tells_of(root, keys.ROOT)
    for step in _steps(root):
        yield from _tells_of(step, keys.STEP)
        # In Dagu 1 `run` names a sub-DAG, which has neither an executor nor, in its time, an id.
        here = {entry.key: entry for entry in step.entries}
        if "run" in here and here.keys() & {"id", "executor", "type"}:
            yield "dagu2", here["run"]


def _tells_of(mapping: Mapping, table: keys.Keys) -> Iterator[tuple[str, Entry]]:
    known = table.tells
    fields = table.of("dagu2")
    for entry in mapping.entries:
        if entry.key in known:
            yield known[entry.key], entry
        key = fields.get(entry.key)
        below = keys.NESTED.get(key.field) if key else None
        if below is not None:
            for node in _maps(entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)):
                yield from _tells_of(node, below)
