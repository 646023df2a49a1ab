"""Two texts set against each other, line by line and word by word, as a page shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_AROUND = 3
_MOST_LINES = 20_000
_LONGEST = 600
"""Characters of a line whose words are compared."""
_MOST_WORDED = 200
"""Changed lines in a row whose words are compared."""

Piece = tuple[str, bool]
"""A part of a line, and whether it differs."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the difference."""

    kind: str
    """`same`, `gone`, `come`, or `gap` where lines are left out."""
    old: int = 0
    """Its number in the old text; 0 where it is not there."""
    new: int = 0
    pieces: tuple[Piece, ...] = ()

    @property
    def sign(self) -> str:
        return {"gone": "−", "come": "+"}.get(self.kind, " ")


@dataclass(frozen=True, slots=True)
class TextDiff:
    """All of it."""

    lines: tuple[Line, ...] = ()
    gone: int = 0
    come: int = 0
    is_too_long: bool = False
    """The texts are too long to be set against each other here."""
    only_ends: bool = False
    """They differ, but only in how lines end."""


def text_diff(old: bytes, new: bytes) -> TextDiff:
    """What changed between two texts; no lines where nothing did."""
    if old == new:
        return TextDiff()
    before, after = _lines(old), _lines(new)
    if len(before) + len(after) > _MOST_LINES:
        return TextDiff(is_too_long=True)
    found = tuple(_compared(before, after))
    gone = sum(line.kind == "gone" for line in found)
    come = sum(line.kind == "come" for line in found)
    return TextDiff(found, gone, come, only_ends=not found)


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "replace").splitlines()


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    matcher = SequenceMatcher(None, old, new)
    for number, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if number or group[0][1] or group[0][3]:
            yield Line("gap", group[0][1] + 1, group[0][3] + 1)
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (Line("same", a + n + 1, c + n + 1, ((old[a + n], False),)) for n in range(b - a))
            else:
                yield from _changed(old[a:b], new[c:d], a, c)


def _changed(old: Sequence[str], new: Sequence[str], a: int, c: int) -> Iterator[Line]:
    """Lines that were replaced; where as many came as went, their words are compared in pairs."""
    pairs = (
        [_words(*pair) for pair in zip(old, new, strict=False)]
        if len(old) == len(new) <= _MOST_WORDED
        else []
    )
    for n, line in enumerate(old):
        yield Line("gone", a + n + 1, 0, pairs[n][0] if pairs else ((line, False),))
    for n, line in enumerate(new):
        yield Line("come", 0, c + n + 1, pairs[n][1] if pairs else ((line, False),))


def _words(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if max(len(old), len(new)) > _LONGEST:
        return ((old, False),), ((new, False),)
    one, other = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    # Of two lines that have little in common, marks on every other word would only confuse.
    if matcher.ratio() < 0.4:
        return ((old, False),), ((new, False),)
    codes = matcher.get_opcodes()
    return (
        _joined((one[a:b], tag != "equal") for tag, a, b, _, _ in codes),
        _joined((other[c:d], tag != "equal") for tag, _, _, c, d in codes),
    )


def _joined(parts: Iterable[tuple[Sequence[str], bool]]) -> tuple[Piece, ...]:
    return tuple(("".join(words), differs) for words, differs in parts if words)
