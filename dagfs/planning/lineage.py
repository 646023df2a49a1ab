"""Runs in families: each below the run that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def families(found: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    """Status documents in the order of a printed tree, and for each run the branch drawn before it.

    Families stay in the order of their newest members; one whose parent is not among them stands at the top.
    """
    by_id = {each["run"]: each for each in found}
    below: dict[str, list[Mapping[str, Any]]] = {}
    for each in reversed(found):
        if _parent(each) in by_id:
            below.setdefault(_parent(each), []).append(each)
    order: list[Mapping[str, Any]] = []
    branches: dict[str, str] = {}
    for each in found:
        if (top := _top(each, by_id)) not in branches:
            for run, branch in _walk(top, below):
                order.append(by_id[run])
                branches[run] = branch
    return order, branches


def _parent(each: Mapping[str, Any]) -> str:
    return str(each.get("parent") or "")


def _top(each: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> str:
    """The first of its family that is among the runs; a circle, which only a forger makes, is cut."""
    seen = {str(each["run"])}
    while (parent := _parent(each)) in by_id and parent not in seen:
        seen.add(parent)
        each = by_id[parent]
    return str(each["run"])


def _walk(top: str, below: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    work = [(top, "", "")]
    while work:
        run, branch, indent = work.pop()
        if run in found:
            continue
        found[run] = branch
        following = below.get(run, ())
        for place, each in enumerate(reversed(following)):
            last = place == 0
            work.append(
                (str(each["run"]), indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))
            )
    return list(found.items())
