"""A graph as a tree of lines for a terminal: each step once, under one it waits for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dagfs.model.graph import topological
from dagfs.model.value import frozen
from dagfs.planning.arrangement import layers


@frozen
class Line:
    """One step's line."""

    prefix: str
    """What is drawn before the step."""
    name: str
    after: tuple[str, ...]
    """What it waits for, where the tree alone does not say it."""


def outline(depends: Mapping[str, Collection[str]]) -> list[Line]:
    """The tree's lines from the top. A chain goes straight down; branches are indented.

    A step that waits for several stands under the last of them, and its line names all.
    """
    parent = _parents(depends)
    below: dict[str, list[str]] = {name: [] for name in depends}
    for name, above in parent.items():
        if above:
            below[above].append(name)
    roots = [name for name in depends if not parent.get(name)]
    lines: list[Line] = []
    # (name, prefix of its own line, prefix of what stands below it)
    waiting = _branches(roots, "")
    while waiting:
        name, own, rest = waiting.pop()
        several = tuple(dict.fromkeys(depends[name])) if len(set(depends[name])) > 1 else ()
        lines.append(Line(own, name, several))
        waiting += _branches(below[name], rest)
    return lines


def _branches(names: list[str], prefix: str) -> list[tuple[str, str, str]]:
    """What comes next, last first: a single step in the same column, several as branches."""
    if len(names) == 1:
        return [(names[0], prefix, prefix)]
    found = [(name, prefix + "├─", prefix + "│ ") for name in names[:-1]]
    found += [(name, prefix + "└─", prefix + "  ") for name in names[-1:]]
    return found[::-1]


def _parents(depends: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The one step that each stands under; empty for a start, and for what is on a circle."""
    at = layers(depends)
    sound = topological(depends)
    place = {name: number for number, name in enumerate(sound)}
    found = dict.fromkeys(depends, "")
    for name in sound:
        known = [above for above in depends[name] if above in place]
        found[name] = max(known, key=lambda above: (at[above], place[above]), default="")
    return found
