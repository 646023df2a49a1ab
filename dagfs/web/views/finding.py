"""What a search looks for, and what it found in a text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dagfs.model.pattern import check, spans

CONTEXT = 2
"""Lines before and behind one that fits."""
MOST_OF_FILE = 5
"""Blocks of lines that are shown of one file."""
LONGEST_BLOCK = 30
LONGEST_LINE = 400
_BEFORE = 120
"""Characters kept before the place in a long line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `is_hit` where it is what was looked for."""

    text: str
    is_hit: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A line, in pieces."""

    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where it was found: lines around the place."""

    lines: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Needle:
    """What is looked for: a text in any case, or a regular expression of RE2."""

    text: str
    is_pattern: bool = False
    _folded: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        """BadPattern for what is no expression."""
        if self.is_pattern:
            check(self.text)
        object.__setattr__(self, "_folded", self.text.lower().encode("utf-8", "replace"))

    def may_be_in(self, data: bytes) -> bool:
        """A cheap look that rules most texts out."""
        return self.is_pattern or self._folded in data.lower()

    def places(self, line: str) -> list[tuple[int, int]]:
        """Where in a line it is."""
        if self.is_pattern:
            return [span for span in spans(self.text, line) if span[0] < span[1]]
        return list(_places(line.lower(), self.text.lower())) if len(line.lower()) == len(line) else []


def _places(line: str, text: str) -> Iterator[tuple[int, int]]:
    start = line.find(text)
    while start >= 0:
        yield start, start + len(text)
        start = line.find(text, start + len(text))


def hits(needle: Needle, data: bytes, first_line: int = 1) -> list[Hit]:
    """The places in a text, the first few; those that are near each other are shown together."""
    if not needle.may_be_in(data):
        return []
    lines = data.decode("utf-8", "replace").removesuffix("\n").split("\n")
    blocks: list[tuple[int, int]] = []
    for place, line in enumerate(lines):
        if not needle.places(line[:_WHOLE]):
            continue
        low, high = max(0, place - CONTEXT), min(len(lines), place + CONTEXT + 1)
        if blocks and low <= blocks[-1][1] and high - blocks[-1][0] <= LONGEST_BLOCK:
            blocks[-1] = blocks[-1][0], high
        elif len(blocks) == MOST_OF_FILE:
            break
        else:
            # What was shown just before is not shown again.
            blocks.append((max(low, blocks[-1][1] if blocks else 0), high))
    return [Hit(tuple(_shown(needle, first_line + at, lines[at]) for at in range(*each))) for each in blocks]


_WHOLE = 100_000
"""Characters of a line that are looked at."""


def _shown(needle: Needle, number: int, line: str) -> Shown:
    line = line.rstrip("\r")[:_WHOLE]
    places = needle.places(line)
    start = max(0, places[0][0] - _BEFORE) if places and len(line) > LONGEST_LINE else 0
    end = start + LONGEST_LINE
    pieces = [Piece("…")] if start else []
    at = start
    for low, high in places:
        if low >= end:
            break
        pieces += [Piece(line[at:low]), Piece(line[low : min(high, end)], is_hit=True)]
        at = min(high, end)
    pieces.append(Piece(line[at:end] + ("…" if len(line) > end else "")))
    return Shown(number, tuple(each for each in pieces if each.text))
