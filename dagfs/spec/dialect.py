"""Which dialect a file is written in, and whether its steps form a chain by default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence as Sequence_

from dagfs.model.dag import Mark
from dagfs.model.value import frozen, replace
from dagfs.spec import keys
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence

SETTINGS = ("auto", "dagu1", "dagu2")
TYPES = ("chain", "graph")
_BACKQUOTED = re.compile(r"(?<!\\)`[^`]*`")
_NO_DAG = re.compile(r"\S\s+\S|[|;&<>()'\"*]")
"""What the name of a DAG does not hold, and most commands do."""


@frozen
class Dialect:
    """How a file is read."""

    name: str
    """`dagu1` or `dagu2`."""
    type: str
    """`chain` or `graph`: what holds where the file has no `type` of its own."""
    reason: str
    """Why, in a few words."""
    is_guess: bool = False
    """No key of the file tells its dialect, and nobody said it."""


def detect(roots: Sequence_[Node], setting: str = "auto", type_: str | None = None) -> Dialect:
    """Decide by the file's keys unless `setting` names a dialect; `type_`, if given, is the default type."""
    if setting not in SETTINGS:
        raise ValueError(f"no dialect is called {setting!r}")
    if setting != "auto":
        found = Dialect(setting, _usual(setting), f"the setting says {setting}")
    else:
        found = _by_tells(roots)
    return replace(found, type=type_) if type_ else found


def _usual(name: str) -> str:
    return "chain" if name == "dagu1" else "graph"


def _by_tells(roots: Sequence_[Node]) -> Dialect:
    first: dict[str, Entry] = {}
    for document in roots:
        for dialect, entry in _tells(document):
            first.setdefault(dialect, entry)
    if "dagu2" in first:
        why = "is shell text" if first["dagu2"].key == "run" else "is a key of Dagu 2"
        return Dialect("dagu2", "graph", f"{_place(first['dagu2'])} {why}")
    if "dagu1" in first:
        return Dialect("dagu1", "chain", f"{_place(first['dagu1'])} is a key of Dagu 1")
    root = roots[0] if roots else None
    depends = _first_depends(root)
    runs = any(each.key == "run" for step in _steps(root) for each in step.entries)
    if depends and _said_type(root) == "chain" and not runs:
        return Dialect("dagu1", "chain", f"{_place(depends)} in a chain is of Dagu 1")
    if depends:
        reason = "no key tells the dialect, and steps say what they depend on"
        return Dialect("dagu2", "graph", reason, is_guess=True)
    return Dialect("dagu2", "chain", "no key tells the dialect, and no step has depends", is_guess=True)


def _first_depends(root: Node | None) -> Entry | None:
    return next((each for step in _steps(root) for each in step.entries if each.key == "depends"), None)


def _said_type(root: Node | None) -> str:
    node = root.get("type") if isinstance(root, Mapping) else None
    return node.text if isinstance(node, Scalar) else ""


def remarks(roots: Sequence_[Node], dialect: Dialect) -> Iterator[tuple[Mark, str, str]]:
    """Where a file whose dialect is a guess means another thing in the other: place, message, hint."""
    root = roots[0] if roots else None
    if not dialect.is_guess or not isinstance(root, Mapping):
        return
    steps = [step for step in _steps(root) if step.get("depends") is None]
    place = next((entry.mark for entry in root.entries if entry.key == "steps"), root.mark)
    several = _count(root.get("steps")) > 1
    if not _said_type(root) and several and dialect.type == "chain":
        message = "read as a chain; Dagu 2.7 and later start all of these steps at once"
        yield place, message, "say type: chain or type: graph"
    elif not _said_type(root) and len(steps) > 1:
        message = "read as a graph; Dagu 1.17 to 2.6 also run these steps in the order of the file"
        yield place, message, "say type: graph"
    for entry in (entry for step in _steps(root) for entry in step.entries if entry.key == "run"):
        message = "run: is read as shell text; in Dagu 1 it names a sub-DAG"
        yield entry.mark, message, "write command: for a command, and call: for a sub-DAG"
        break
    for text in _run_by_dagu1(root):
        if _BACKQUOTED.search(text.text):
            message = "these backquotes are text; Dagu 1 runs what is in them"
            hint = (
                "say dialect: dagu1 in dagfs.yaml; in Dagu 2 eval: of a parameter or a precondition runs them"
            )
            yield text.mark, message, hint


def _run_by_dagu1(root: Mapping) -> Iterator[Scalar]:
    """Every text outside of commands in which Dagu 1 runs backquotes, under keys that both dialects have."""
    for key in ("params", "env", "preconditions"):
        yield from _texts(root.get(key), key)
    for step in _steps(root):
        for key in ("env", "config", "preconditions"):
            yield from _texts(step.get(key), key)


def _texts(node: Node | None, key: str) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield from () if key == "preconditions" else (node,)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _texts(item, key)
    elif isinstance(node, Mapping) and key == "preconditions":
        # Without a text that is expected, both run it as a command.
        found = node.get("condition") if node.get("expected") is not None else None
        yield from (found,) if isinstance(found, Scalar) else ()
    elif isinstance(node, Mapping):
        for entry in node.entries:
            yield from () if entry.key == "eval" else _texts(entry.value, key)


def _count(node: Node | None) -> int:
    if isinstance(node, Mapping):
        return len(node.entries)
    return len(node.items) if isinstance(node, Sequence) else 0


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
        if "run" in here and (here.keys() & {"id", "executor", "type"} or _is_command(here["run"].value)):
            yield "dagu2", here["run"]


def _is_command(node: Node) -> bool:
    """Whether a text is a command rather than the name of a sub-DAG."""
    return isinstance(node, Sequence) or (isinstance(node, Scalar) and _NO_DAG.search(node.text) is not None)


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
