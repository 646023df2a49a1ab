"""Long texts, shown in short."""

from __future__ import annotations

LONG = 2000
"""For what is to be shown whole, but not without end."""


def one_line(text: str, most: int = 160) -> str:
    """A text without its line breaks, cut to so many characters where it is longer."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
