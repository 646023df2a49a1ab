"""Did you mean: known words that are like one that is not known."""

from __future__ import annotations

import importlib
from collections.abc import Iterable


def get_close_matches(word: str, known: Iterable[str], n: int = 3, cutoff: float = 0.6) -> list[str]:
    """As that of `difflib`, which is loaded here alone: only who misspells something waits for it."""
    found: list[str] = importlib.import_module("difflib").get_close_matches(word, list(known), n, cutoff)
    return found
