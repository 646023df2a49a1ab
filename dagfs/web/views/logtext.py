"""A log as a page shows it: without what is meant for terminals, and never more than a window of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# CSI … final byte; OSC, DCS and their like up to their end; other two- and three-byte sequences.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\^-~]"
)
_OTHERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")


def plain(text: str) -> str:
    """A log without escape sequences; other control characters are shown as `\\x07`.

    Of a line that was written over with carriage returns only the last state is left, as in a terminal.
    """
    text = text.replace("\r\n", "\n")
    text = _ESCAPES.sub("", text)
    text = _OVERWRITTEN.sub("", text).replace("\r", "")
    return _OTHERS.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a log as text, with where it lies in bytes."""

    text: str
    """Whole lines."""
    rest: str
    """What stands behind them: a line that has not ended yet."""
    start: int
    end: int
    """Where the whole lines end."""
    size: int
    """Of the log."""
    reaches_end: bool = True


def window(data: bytes, start: int, size: int) -> Window:
    """The bytes from `start` on as text; a line that is cut at the front is left out."""
    if start > 0:
        cut = data.find(b"\n") + 1
        # A window within one very long line has no better beginning.
        data, start = data[cut:], start + cut
    whole = data.rfind(b"\n") + 1
    if not whole and len(data) + start < size:
        whole = len(data)
    lines, rest = data[:whole], data[whole:]
    at_end = start + len(data) >= size
    end = start + len(lines)
    return Window(_text(lines), _text(rest) if at_end else "", start, end, size, at_end)


def _text(data: bytes) -> str:
    return plain(data.decode("utf-8", "replace"))
