"""A file in numbered lines, with what is wrong at each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dagfs.errors import Problem

MOST = 5000
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text."""

    number: int
    text: str
    problems: tuple[Problem, ...] = ()


def numbered(data: bytes, problems: Iterable[Problem] = ()) -> Sequence[Line]:
    """The lines of a file, each with its problems; what comes behind many thousands is left out."""
    at: dict[int, list[Problem]] = {}
    for each in problems:
        at.setdefault(each.line, []).append(each)
    text = data.decode("utf-8", "replace").split("\n")
    if text and not text[-1]:
        text.pop()
    return [
        Line(number, line.rstrip("\r")[:LONGEST], tuple(at.get(number, ())))
        for number, line in enumerate(text[:MOST], 1)
    ]
