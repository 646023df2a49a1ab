"""Read YAML into marked nodes within limits; the only importer of PyYAML.

Nodes are built from the parser's events, one by one, so that depth and size are checked before
anything grows: nothing here recurses deeper than `MAX_DEPTH`, and what aliases stand for is weighed,
not copied. Nothing is ever constructed but text, numbers, booleans, null, lists and maps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from dagfs.errors import Problem, SpecError
from dagfs.model.dag import Mark
from dagfs.model.value import field, frozen, mutable
from dagfs.spec import node as nodes
from dagfs.spec.node import Entry, Mapping, Node, Scalar, Sequence
from dagfs.spec.scalar import resolve

MAX_BYTES = 4_000_000
MAX_DEPTH = 40
MAX_NODES = 200_000
"""The most values in a file, everything an alias stands for counted each time."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STANDARD = "tag:yaml.org,2002:"
_HINTS = {
    "mapping values are not allowed": "put quotes round a text that contains ': '",
    "cannot start any token": "quote the text, and indent with spaces, not tabs",
    "block mapping": "check the indentation of this line and the ones above",
    "block collection": "check the indentation of this line and the ones above",
    "unknown escape character": "in double quotes write \\\\ for a backslash, or use single quotes",
    "expected ',' or": "close every [ and {, and quote texts that contain them",
    "unexpected end of stream": "close the quote that was opened",
    "undefined alias": "quote a text that begins with '*'",
}


@frozen
class Text:
    """A file once read. `problems` are those of YAML itself; with any of them, distrust `documents`."""

    file: str
    lines: tuple[str, ...] = ()
    documents: tuple[Node, ...] = ()
    problems: tuple[Problem, ...] = ()
    starts: tuple[int, ...] = ()
    """The line of each document: its `---`, or its first line where it has none."""

    def problem(self, mark: Mark, message: str, hint: str | None = None, severity: str = "error") -> Problem:
        """A problem at `mark`, with its line for the caret."""
        source = self.lines[mark.line - 1] if 0 < mark.line <= len(self.lines) else ""
        return Problem(self.file, mark.line, mark.column, message, hint, source, severity)


class _Wrong(Exception):
    """Reading cannot go on; the file's one fatal problem."""

    def __init__(self, mark: Mark, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.mark, self.message, self.hint = mark, message, hint


def load(data: bytes, file: str) -> Text:
    """Every document of the file as nodes, or the problems that keep it from being read. Never raises."""
    try:
        text = _decode(data)
    except _Wrong as wrong:
        return Text(
            file, problems=(Problem(file, wrong.mark.line, wrong.mark.column, wrong.message, wrong.hint),)
        )
    read = Text(file, tuple(_LINE_BREAK.split(text)))
    builder = _Builder()
    documents: tuple[Node, ...] = ()
    try:
        _check_printable(text)
        documents = builder.documents(text)
    except _Wrong as wrong:
        builder.complaints.append(wrong)
    except yaml.YAMLError as error:
        builder.complaints.append(_translated(error))
    ordered = sorted(builder.complaints, key=lambda wrong: (wrong.mark.line, wrong.mark.column))
    problems = tuple(read.problem(wrong.mark, wrong.message, wrong.hint) for wrong in ordered)
    return Text(file, read.lines, documents, problems, tuple(builder.starts))


def load_plain(data: bytes, file: str) -> tuple[Any, Dictionary[str, Mark]]:
    """The file's one document as plain data (None when empty), and where each dotted path stands.

    Raises SpecError with every problem.
    """
    read = load(data, file)
    problems = list(read.problems)
    if len(read.documents) > 1:
        problems.append(read.problem(read.documents[1].mark, "only one document is allowed in this file"))
    if problems:
        raise SpecError(problems)
    if not read.documents:
        return None, {}
    return nodes.plain(read.documents[0]), nodes.marks(read.documents[0])


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _Wrong(Mark(0, 0), f"the file has {len(data):,} bytes; the most allowed is {MAX_BYTES:,}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Wrong(Mark(1, 1), "the file is UTF-16, not UTF-8 (byte 0)", "save it as UTF-8")
    body = data.removeprefix(b"\xef\xbb\xbf")
    shift = len(data) - len(body)
    nul = body.find(0)
    if nul >= 0:
        raise _Wrong(_at(body, nul), f"a NUL byte at byte {nul + shift}", "is this a text file?")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        place = error.start
        message = f"not UTF-8: byte 0x{body[place]:02x} at byte {place + shift}"
        raise _Wrong(_at(body, place), message, "save the file as UTF-8") from None


def _at(data: bytes, place: int) -> Mark:
    before = data[:place].decode(errors="replace")
    parts = _LINE_BREAK.split(before)
    return Mark(len(parts), len(parts[-1]) + 1)


def _check_printable(text: str) -> None:
    bad = _UNPRINTABLE.search(text)
    if bad:
        offset = len(text[: bad.start()].encode())
        parts = _LINE_BREAK.split(text[: bad.start()])
        message = f"the character U+{ord(bad[0]):04X} is not allowed in YAML (byte {offset})"
        raise _Wrong(Mark(len(parts), len(parts[-1]) + 1), message, 'write it as an escape: "\\x1b"')


def _translated(error: yaml.YAMLError) -> _Wrong:
    """PyYAML's error as ours."""
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    mark = Mark(place.line + 1, place.column + 1) if place else Mark(0, 0)
    said = getattr(error, "problem", None) or getattr(error, "context", None) or "cannot be read"
    context = getattr(error, "context", None)
    message = f"not valid YAML: {said}" + (f" ({context})" if context and context != said else "")
    hint = next((hint for words, hint in _HINTS.items() if words in message), None)
    return _Wrong(mark, message, hint)


@mutable
class _Builder:
    """Turns one file's events into nodes. Weights count what a node stands for, aliases expanded."""

    complaints: list[_Wrong] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    """By name; None while the anchored node is still being read."""
    total: int = 0
    starts: list[int] = field(default_factory=list)

    def documents(self, text: str) -> tuple[Node, ...]:
        parser = _PARSER(text)
        found: list[Node] = []
        try:
            while True:
                event = parser.get_event()
                if type(event) is StreamEndEvent:
                    return tuple(found)
                if type(event) is DocumentStartEvent:
                    self.anchors = {}
                    place: Any = event.start_mark
                    self.starts.append(place.line + 1)
                    found.append(self._node(parser, parser.get_event(), 0)[0])
        finally:
            parser.dispose()

    def _node(self, parser: Any, event: Any, depth: int) -> tuple[Node, int]:
        """The node that begins with `event`, and its weight."""
        place = event.start_mark
        line, column = place.line + 1, place.column + 1
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event.anchor, Mark(line, column))
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self._spend(1, line, column)
        made: tuple[Node, int]
        if kind is ScalarEvent:
            made = self._scalar(event, line, column), 1
        elif depth >= MAX_DEPTH:
            raise _Wrong(Mark(line, column), f"nested more than {MAX_DEPTH} deep")
        elif kind is SequenceStartEvent:
            made = self._sequence(parser, event, depth)
        else:
            made = self._mapping(parser, event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        return made

    def _spend(self, weight: int, line: int, column: int) -> None:
        self.total += weight
        if self.total > MAX_NODES:
            message = f"more than {MAX_NODES:,} values, aliases counted for all they stand for"
            raise _Wrong(Mark(line, column), message)

    def _alias(self, anchor: str, mark: Mark) -> tuple[Node, int]:
        if anchor not in self.anchors:
            raise _Wrong(mark, f"no anchor '&{anchor}' stands above", "quote a text that begins with '*'")
        known = self.anchors[anchor]
        if known is None:
            raise _Wrong(mark, f"the alias '*{anchor}' stands inside what it stands for")
        self._spend(known[1], mark.line, mark.column)
        return known

    def _scalar(self, event: Any, line: int, column: int) -> Scalar:
        text: str = event.value
        if event.tag is None:
            value = resolve(text) if event.implicit[0] else text
            return Scalar(text, value, line, column, event.style == "|")
        kind: str = event.tag.removeprefix(_STANDARD)
        if event.tag == "!" or kind == "str":
            return Scalar(text, text, line, column)
        value = resolve(text)
        fits = {"null": value is None, "bool": isinstance(value, bool), "int": type(value) is int}
        fits["float"] = type(value) in (int, float)
        if event.tag == kind or kind not in fits:
            self._bad_tag(event)
        elif not fits[kind]:
            self.complaints.append(_Wrong(Mark(line, column), f"'{text}' is not what !!{kind} says"))
        return Scalar(text, value, line, column)

    def _bad_tag(self, event: Any) -> None:
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        shown = event.tag.replace(_STANDARD, "!!")
        self.complaints.append(_Wrong(mark, f"the tag {shown} is not allowed", "leave the tag out"))

    def _sequence(self, parser: Any, event: Any, depth: int) -> tuple[Node, int]:
        if event.tag not in (None, "!", _STANDARD + "seq"):
            self._bad_tag(event)
        items: list[Node] = []
        weight = 1
        while type(first := parser.get_event()) is not SequenceEndEvent:
            item, spent = self._node(parser, first, depth + 1)
            items.append(item)
            weight += spent
        return Sequence(tuple(items), event.start_mark.line + 1, event.start_mark.column + 1), weight

    def _mapping(self, parser: Any, event: Any, depth: int) -> tuple[Node, int]:
        if event.tag not in (None, "!", _STANDARD + "map"):
            self._bad_tag(event)
        own: dict[str, Entry] = {}
        merged: list[Mapping] = []
        weight = 1
        while type(first := parser.get_event()) is not MappingEndEvent:
            key, key_weight = self._node(parser, first, depth + 1)
            line, column = first.start_mark.line + 1, first.start_mark.column + 1
            value, spent = self._node(parser, parser.get_event(), depth + 1)
            weight += key_weight + spent
            if not isinstance(key, Scalar):
                self.complaints.append(
                    _Wrong(Mark(line, column), f"a key must be text, not {nodes.kind(key)}")
                )
            elif key.text == "<<" and getattr(first, "implicit", (True,))[0]:
                merged += self._merge(value, Mark(line, column))
            else:
                self._enter(own, Entry(key.text, value, line, column))
        return Mapping(_entries(own, merged), event.start_mark.line + 1, event.start_mark.column + 1), weight

    def _enter(self, own: dict[str, Entry], entry: Entry) -> None:
        before = own.setdefault(entry.key, entry)
        if before is not entry:
            again = f"the key '{entry.key}' is there twice; the first is in line {before.line}"
            self.complaints.append(_Wrong(entry.mark, again, "keep one of the two"))

    def _merge(self, value: Node, mark: Mark) -> list[Mapping]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        found = [source for source in sources if isinstance(source, Mapping)]
        if len(found) < len(sources):
            self.complaints.append(_Wrong(mark, "'<<' takes a map, or a list of maps"))
        return found


def _entries(own: dict[str, Entry], merged: list[Mapping]) -> tuple[Entry, ...]:
    """Merged entries first; a mapping's own keys win over them, and earlier sources over later ones."""
    if not merged:
        return tuple(own.values())
    found: dict[str, Entry] = {}
    for source in merged:
        for entry in source.entries:
            if entry.key not in own:
                found.setdefault(entry.key, entry)
    return (*found.values(), *own.values())
