"""Takes secrets out of text before it is written down.

A stream is masked as it passes: bytes that may be the beginning of a secret are held back until more
is known. What a program makes of a secret (base64, upper case, one character a line) is not recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MASK = b"*****"
SHORTEST = 4
"""Characters; anything shorter is no secret worth the name, and would mask half of every log."""


def needles(values: Iterable[str]) -> tuple[str, ...]:
    """What is to be masked: each value, and each line of one that has several; longest first."""
    found: set[str] = set()
    for value in values:
        for text in (value, value.strip(), *(line.strip() for line in value.splitlines())):
            if len(text) >= SHORTEST:
                found.add(text)
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


class Mask:
    """Masks one stream of bytes. `feed` what comes, `end` when nothing more does."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._needles = [text.encode("utf-8", "surrogateescape") for text in texts]
        self._longest = max(map(len, self._needles), default=0)
        self._held = b""
        self._covered = 0
        """Bytes at the beginning of what is held that are masked already."""

    def feed(self, data: bytes) -> bytes:
        """What is known of the stream so far, masked."""
        data = self._held + data
        return self._release(data, self._begins_secret(data))

    def end(self) -> bytes:
        """The rest."""
        return self._release(self._held, len(self._held))

    def _release(self, data: bytes, upto: int) -> bytes:
        """Mask what lies before `upto`, and hold back the rest."""
        out: list[bytes] = []
        place = 0
        for start, stop in self._spans(data):
            if start >= upto:
                break
            if start > place:
                out.append(data[place:start])
            if start or not self._covered:
                out.append(MASK)
            place = stop
        covered = max(place, self._covered)
        if place < upto:
            out.append(data[place:upto])
        self._held, self._covered = data[upto:], max(0, covered - upto)
        return b"".join(out)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where secrets stand, those that overlap as one; what is covered already comes first."""
        found = [(0, self._covered)] if self._covered else []
        for needle in self._needles:
            start = data.find(needle)
            while start >= 0:
                found.append((start, start + len(needle)))
                start = data.find(needle, start + 1)
        spans: list[tuple[int, int]] = []
        for start, stop in sorted(found):
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
            else:
                spans.append((start, stop))
        return spans

    def _begins_secret(self, data: bytes) -> int:
        """The first place from which on the data is the beginning of a secret; its end where none is."""
        first = len(data)
        for needle in self._needles:
            place = max(0, len(data) - len(needle) + 1)
            while 0 <= (place := data.find(needle[:1], place)) < first:
                if needle.startswith(data[place:]):
                    first = place
                    break
                place += 1
        return first


class Redactor:
    """Masks whole texts, and the texts within plain data."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def text(self, text: str) -> str:
        if not any(each in text for each in self._texts):
            return text
        mask = Mask(self._texts)
        data = text.encode("utf-8", "surrogateescape")
        return (mask.feed(data) + mask.end()).decode("utf-8", "surrogateescape")

    def data(self, value: Any) -> Any:
        """Every text of a JSON value masked, keys left alone."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value
