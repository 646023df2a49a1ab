"""Writes single values into a spec's text and leaves every other byte as it is.

Places come from the marks of nodes, which say where a value begins and not where it ends. So each way of
writing a value is tried and read back, and only a text that says exactly what was asked for is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dagfs.errors import UsageError
from dagfs.model.spelling import get_close_matches
from dagfs.spec import keys as tables
from dagfs.spec import node as nodes
from dagfs.spec import yaml
from dagfs.spec.documents import parsed, quoted
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence

_BY_HAND = "make the change in spec.next.yaml: `dagfs edit RUN`"
_MOST_TRIALS = 24
_ENV = "env"
_PLAIN = re.compile(r"[\w./+-][\w ./+:@%=-]*", re.ASCII)


class Assignment(NamedTuple):
    """`load.retry_policy.limit=3`: a step, or `""` for the DAG itself; a path of fields; what is written."""

    step: str
    path: tuple[str, ...]
    value: str

    def __str__(self) -> str:
        return f"{self.step}.{'.'.join(self.path)}"


def parse_assignment(text: str, steps: dict[str, str]) -> Assignment:
    """`STEP.FIELD=VALUE`, or `.FIELD=VALUE` for the DAG. `steps` are names and ids. UsageError."""
    left, equals, value = text.partition("=")
    if not equals or "." not in left:
        raise UsageError(
            f"--set {text}: expected STEP.FIELD=VALUE", hint="`.FIELD=VALUE` is a field of the DAG itself"
        )
    # A step's name may hold dots itself: the longest that there is counts.
    places = [place for place, char in enumerate(left) if char == "."]
    for place in reversed(places):
        name = left[:place]
        if (not name or name in steps) and left[place + 1 :]:
            return Assignment(steps.get(name, ""), tuple(left[place + 1 :].split(".")), value)
    word = left.partition(".")[0]
    near = get_close_matches(word, steps, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(steps)}"
    raise UsageError(f"--set {text}: there is no step {word!r}", hint=hint)


def amend(data: bytes, assignment: Assignment, dialect: str) -> bytes:
    """The text with one value written into it. UsageError where that cannot be done in the text alone."""
    return _Amendment(data, dialect).set(assignment)


def tagged(data: bytes, tag: str, dialect: str) -> bytes:
    """The text with one more tag of the DAG."""
    return _Amendment(data, dialect).tag(tag)


class _Amendment:
    def __init__(self, data: bytes, dialect: str) -> None:
        read = yaml.load(data, "spec")
        if read.problems or not read.documents or not isinstance(read.documents[0], Mapping):
            raise UsageError("the spec cannot be read, so nothing can be set in it", hint=_BY_HAND)
        self._text = data.decode("utf-8-sig")
        self._bom = data[: len(data) - len(self._text.encode())]
        self._lines = self._text.splitlines(keepends=True)
        self._documents, self._root = read.documents, read.documents[0]
        self._camel = dialect == "dagu1"

    # --- what is asked for

    def set(self, assignment: Assignment) -> bytes:
        owner = self._step(assignment.step) if assignment.step else self._root
        table = tables.STEP if assignment.step else tables.ROOT
        path = self._spelled(owner, list(assignment.path), table)
        written = _as_text(assignment.value, is_env=assignment.path[0] == _ENV)
        found = self._first_that_says(self._ways(owner, path, written), str(assignment))
        if found is None:
            raise UsageError(f"--set {assignment}: cannot be written into this text", hint=_BY_HAND)
        return found

    def tag(self, tag: str) -> bytes:
        entry = _find(self._root, "tags", tables.ROOT)
        written = _as_text(tag, is_env=True)
        if entry is None:
            ways = self._insertions(self._root, f"tags: [{written}]", {"tags": [tag]})
        elif isinstance(entry.value, Sequence):
            ways = self._new_items(entry.value, written, tag)
        else:
            text = entry.value.text if isinstance(entry.value, Scalar) else ""
            ways = self._replacements(entry.value, quoted(f"{text}, {tag}"), f"{text}, {tag}", entry.column)
        found = self._first_that_says(ways, "tags")
        if found is None:
            raise UsageError(f"--tag {tag}: cannot be written into this text", hint=_BY_HAND)
        return found

    def _step(self, name: str) -> Mapping:
        for key, step in _steps(self._root.get("steps")):
            own = step.get("name") or step.get("id")
            if (own.text if isinstance(own, Scalar) else key) == name:
                return step
        raise UsageError(f"step {name!r} has no name or id of its own in the text", hint=_BY_HAND)

    def _spelled(self, owner: Mapping, path: list[str], table: tables.Keys) -> list[str]:
        """The path in the keys of this text, as far as they are there, else as its dialect spells them."""
        if path[0] == "executor" and _find(owner, "executor", table) is None and not self._camel:
            path = ["type"] if path[1:] == ["type"] else [*self._config(owner), *path[2:]]
        found: list[str] = []
        node: Node | None = owner
        for place, part in enumerate(path):
            entry = _find(node, part, table if place == 0 else None)
            free = place > 0 and found[0] in (_ENV, "params", "with", "config")
            found.append(entry.key if entry else part if free or not self._camel else tables.camel(part))
            node = entry.value if entry else None
        return found

    def _config(self, owner: Mapping) -> list[str]:
        return ["config"] if owner.get("config") is not None else ["with"]

    # --- ways of writing it

    def _ways(self, owner: Mapping, path: list[str], written: str) -> Iterator[_Way]:
        value = _said(written)
        node: Node = owner
        column = 0
        for place, key in enumerate(path):
            if isinstance(node, Sequence):
                yield from self._in_list(node, path[place:], written, value)
                return
            entry = _entry(node, key)
            if entry is None:
                if isinstance(node, Mapping):
                    text, says = _nested(path[place:], written, value)
                    yield from self._insertions(node, text, says)
                return
            node, column = entry.value, entry.column
        yield from self._replacements(node, written, value, column)

    def _in_list(self, node: Sequence, path: list[str], written: str, value: Any) -> Iterator[_Way]:
        """`env:` as a list of maps, or of texts like `NAME=value`."""
        if len(path) != 1:
            return
        for item in node.items:
            if (entry := _entry(item, path[0])) is not None:
                yield from self._replacements(entry.value, written, value, entry.column)
                return
            if isinstance(item, Scalar) and item.text.startswith(f"{path[0]}="):
                text = f"{path[0]}={value}"
                yield from self._replacements(item, quoted(text), text, item.column)
                return
        yield from self._new_items(node, f"{path[0]}: {written}", {path[0]: value})

    def _replacements(self, node: Node, written: str, value: Any, column: int) -> Iterator[_Way]:
        """The value's text exchanged, up to each place where it may end. Its key is in that column."""
        if not 0 < node.line <= len(self._lines):
            return
        line, start = self._lines[node.line - 1], node.column - 1
        body = line.rstrip("\r\n")
        for end in dict.fromkeys(_ends(body, start)):
            yield _Way(self._with_line(node.line, line[:start] + written + line[end:]), node, value)
        if body[start : start + 1] in ("|", ">"):
            # A text over several lines goes as far as lines are indented deeper than its key.
            last = node.line
            while last < len(self._lines) and _is_below(self._lines[last], column):
                last += 1
            new = [line[:start] + written + _newline(line)]
            yield _Way(self._joined([*self._lines[: node.line - 1], *new, *self._lines[last:]]), node, value)

    def _insertions(self, node: Mapping, text: str, says: dict[str, Any]) -> Iterator[_Way]:
        """A new entry of a mapping: in braces, or on a line of its own."""
        line = self._lines[node.line - 1] if 0 < node.line <= len(self._lines) else ""
        start = node.column - 1
        if line[start : start + 1] == "{":
            rest = ", " if node.entries else ""
            yield _Way(
                self._with_line(node.line, f"{line[: start + 1]}{text}{rest}{line[start + 1 :]}"), node, says
            )
            return
        indent = " " * start
        entries = (
            sorted(node.entries, key=lambda each: each.key != "steps") if node is self._root else node.entries
        )
        for entry in entries[:_MOST_TRIALS]:
            own = self._lines[entry.line - 1] if 0 < entry.line <= len(self._lines) else ""
            new = indent + text + (_newline(own) or "\n")
            if own[: entry.column - 1] == indent and node is self._root:
                yield _Way(self._inserted(entry.line - 1, new), node, says)
            yield _Way(self._inserted(entry.line, new), node, says)

    def _new_items(self, node: Sequence, written: str, value: Any) -> Iterator[_Way]:
        """A new first item of a list."""
        line = self._lines[node.line - 1] if 0 < node.line <= len(self._lines) else ""
        start = node.column - 1
        if line[start : start + 1] == "[":
            item = "{" + written + "}" if isinstance(value, dict) else written
            rest = ", " if node.items else ""
            text = f"{line[: start + 1]}{item}{rest}{line[start + 1 :]}"
            yield _Way(self._with_line(node.line, text), node, value)
        elif line[start : start + 1] == "-":
            yield _Way(
                self._inserted(node.line - 1, f"{line[:start]}- {written}{_newline(line)}"), node, value
            )

    # --- texts

    def _with_line(self, number: int, text: str) -> str:
        return self._joined([*self._lines[: number - 1], text, *self._lines[number:]])

    def _inserted(self, place: int, text: str) -> str:
        lines = list(self._lines)
        if place and not _newline(lines[place - 1]):
            lines[place - 1] += "\n"
        return self._joined([*lines[:place], text, *lines[place:]])

    def _joined(self, lines: list[str]) -> str:
        return "".join(lines)

    def _first_that_says(self, ways: Iterator[_Way], what: str) -> bytes | None:
        for trial, way in enumerate(ways):
            if trial >= _MOST_TRIALS:
                return None
            if sum(_times(document, way.node) for document in self._documents) != 1:
                # It stands under an anchor, and other places would change with it.
                continue
            data = self._bom + way.text.encode()
            read = yaml.load(data, what)
            wanted = [_with(document, way.node, way.value) for document in self._documents]
            if not read.problems and list(map(nodes.plain, read.documents)) == wanted:
                return data
        return None


class _Way(NamedTuple):
    """A new text, and what it is to say: `value` in place of `node`, in it (a map), or before it (a list)."""

    text: str
    node: Node
    value: Any


def _with(node: Node, target: Node, value: Any) -> Any:
    """The node as plain data with the change made in it, at the one place that is `target`."""
    if node is target:
        if isinstance(node, Mapping) and isinstance(value, dict):
            return {**nodes.plain(node), **value}
        if isinstance(node, Sequence) and not isinstance(value, list):
            return [value, *nodes.plain(node)]
        return value
    if isinstance(node, Sequence):
        return [_with(item, target, value) for item in node.items]
    if isinstance(node, Mapping):
        return {entry.key: _with(entry.value, target, value) for entry in node.entries}
    return nodes.plain(node)


def _times(node: Node, target: Node) -> int:
    """At how many places it stands."""
    if node is target:
        return 1
    if isinstance(node, Sequence):
        return sum(_times(item, target) for item in node.items)
    if isinstance(node, Mapping):
        return sum(_times(entry.value, target) for entry in node.entries)
    return 0


def _steps(node: Node | None) -> Iterator[tuple[str, Mapping]]:
    """Every step that is written as a map, with its key where it has one."""
    if isinstance(node, Mapping):
        yield from ((entry.key, entry.value) for entry in node.entries if isinstance(entry.value, Mapping))
    elif isinstance(node, Sequence):
        for item in node.items:
            for each in item.items if isinstance(item, Sequence) else (item,):
                if isinstance(each, Mapping):
                    yield "", each


def _find(node: Node | None, part: str, table: tables.Keys | None) -> Entry | None:
    """The entry of that name, in whatever spelling."""
    if not isinstance(node, Mapping):
        return None
    known = table.of("dagu2") if table else {}
    field = known[part].field if part in known else part
    for entry in node.entries:
        other = known[entry.key].field if entry.key in known else entry.key
        if entry.key == part or (table is not None and other == field):
            return entry
        if tables.camel(part) == entry.key:
            return entry
    return None


def _entry(node: Node, key: str) -> Entry | None:
    if not isinstance(node, Mapping):
        return None
    return next((each for each in node.entries if each.key == key), None)


def _nested(path: list[str], written: str, value: Any) -> tuple[str, dict[str, Any]]:
    """`retry_policy: {limit: 3}`, and what it says."""
    says: Any = value
    for key in reversed(path[1:]):
        written, says = f"{{{_key(key)}: {written}}}", {key: says}
    return f"{_key(path[0])}: {written}", {path[0]: says}


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z_][\w-]*", text, re.ASCII) else quoted(text)


def _as_text(value: str, *, is_env: bool) -> str:
    """The value as it is written: as it was typed where YAML reads it whole, else in quotes."""
    node = parsed(value) if value.strip() == value and value else None
    if node is None or "\n" in value:
        return quoted(value)
    if isinstance(node, Scalar):
        if is_env and node.value is None:
            # A variable called NULL or ~ is that text, not nothing.
            return quoted(value)
        is_whole = node.text == value and (_PLAIN.fullmatch(value) is not None)
        typed_quotes = value[:1] in "'\"" and not is_env
        return value if typed_quotes or (is_whole and ": " not in value) else quoted(value)
    is_flow = value[:1] in "[{" and not is_env
    return value if is_flow else quoted(value)


def _said(written: str) -> Any:
    node = parsed(written)
    return None if node is None else nodes.plain(node)


def _ends(body: str, start: int) -> Iterator[int]:
    """Places where a value that begins at `start` may end, the likely ones first."""
    rest = body[start:]
    if rest[:1] in ("'", '"'):
        yield from (start + place + 1 for place, char in enumerate(rest) if char == rest[0] and place)
        return
    comment = re.search(r"\s+#", rest)
    yield start + (comment.start() if comment else len(rest.rstrip()))
    yield from (start + place for place, char in enumerate(rest) if char in ",]}")
    yield from (start + place + 1 for place, char in enumerate(rest) if char in "]}")


def _is_below(line: str, column: int) -> bool:
    """A blank line, or one that is indented deeper than this column."""
    return not line.strip() or len(line) - len(line.lstrip(" ")) >= column


def _newline(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
