"""Plugins as `dagfs plugins --json` tells of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMED = {
    "executors": "executor",
    "rules": "rule",
    "commands": "command",
    "secret_providers": "secrets from",
}
"""Hooks whose things have names, with the word before each."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """One plugin."""

    name: str
    version: str
    origin: str
    load_ms: float
    brings: tuple[str, ...]
    lacks: tuple[str, ...]
    """What of this machine its executors lack."""
    error: str
    skipped: str


def plugged(documents: Sequence[Mapping[str, Any]]) -> list[Plugged]:
    """Broken ones first, then in the order they were loaded."""
    return sorted(map(_plugged, documents), key=lambda each: not each.error)


def _plugged(document: Mapping[str, Any]) -> Plugged:
    brings = [f"{word} {name}" for key, word in _NAMED.items() for name in document.get(key, ())] + [
        str(hook) for hook in document.get("hooks", ()) if hook not in _NAMED
    ]
    lacks = [f"{name}: {why}" for name, why in dict(document.get("missing", {})).items() if why]
    return Plugged(
        str(document.get("name", "")),
        str(document.get("version", "")),
        str(document.get("origin", "")),
        float(document.get("load_ms") or 0),
        tuple(brings),
        tuple(lacks),
        str(document.get("error") or ""),
        str(document.get("skipped") or ""),
    )
