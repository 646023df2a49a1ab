"""One thing a page says on top, about what was just done or could not be."""

from __future__ import annotations

from dataclasses import dataclass

from dagfs.errors import DagfsError


@dataclass(frozen=True, slots=True)
class Saying:
    """One sentence, and what to do about it."""

    kind: str
    """`good`, `bad` or `ask`."""
    text: str
    hint: str = ""


def refusal(error: DagfsError) -> Saying:
    """What stood in the way."""
    return Saying("bad", error.message, error.hint or "")
