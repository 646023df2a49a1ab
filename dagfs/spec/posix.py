"""The parameter expansions of POSIX shells in data: `${X:-word}`, `${#X}`, `${X%.csv}` and their kin."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from dagfs.errors import DagfsError
from dagfs.model.value import frozen

_HEAD = re.compile(r"\$\{(?P<length>#)?(?P<name>[A-Za-z_][A-Za-z0-9_]*|[0-9]+)(?P<op>:?[-=+?]|##?|%%?)?")
_LONGEST_CUT = 10_000
"""Characters of a value that `#` and `%` look at; longer ones stay whole."""


class Unset(DagfsError):
    """`${X:?word}` where X is not set: the word is the message."""


@frozen
class Expansion:
    """`${name op word}`, or the length of `name`; `end` is the place behind it."""

    name: str
    op: str
    word: str
    end: int

    def value(self, known: str | None, expand: Callable[[str], str]) -> str | None:
        """What it comes to where `name` is `known`; None where nothing can be said. Raises Unset."""
        if self.op == "length":
            return None if known is None else str(len(known))
        present = known is not None and (bool(known) or not self.op.startswith(":"))
        kind = self.op[-1]
        if kind in "-=":
            return known if present else expand(self.word)
        if kind == "+":
            return expand(self.word) if present else ""
        if kind == "?":
            if not present:
                raise Unset(f"{self.name}: {expand(self.word) or 'is not set'}")
            return known
        return None if known is None else _cut(known, self.op, expand(self.word))


def expansion_at(text: str, start: int) -> Expansion | None:
    """The expansion that begins at `start`, or None where there is none."""
    head = _HEAD.match(text, start)
    if head is None or (bool(head["length"]) == bool(head["op"])):
        return None
    end = _closing(text, head.end())
    if end < 0 or (head["length"] and end != head.end()):
        return None
    return Expansion(head["name"], head["op"] or "length", text[head.end() : end], end + 1)


def _closing(text: str, place: int) -> int:
    """Where the brace that is open at `place` closes, or -1."""
    depth = 0
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text.startswith("${", place):
            depth += 1
        elif text[place] == "}":
            if not depth:
                return place
            depth -= 1
        place += 1
    return -1


def _cut(value: str, op: str, pattern: str) -> str:
    """`#` and `##` take the shortest and the longest fitting beginning away, `%` and `%%` the end."""
    if len(value) > _LONGEST_CUT:
        return value
    lengths = range(len(value) + 1)
    for length in lengths if len(op) == 1 else reversed(lengths):
        at_end = op[0] == "%"
        piece = value[len(value) - length :] if at_end else value[:length]
        if fnmatch.fnmatchcase(piece, pattern):
            return value[: len(value) - length] if at_end else value[length:]
    return value
