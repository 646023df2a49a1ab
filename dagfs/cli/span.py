"""Spans of time as people type them: `90`, `45s`, `10m`, `1h`, `2d`."""

from __future__ import annotations

import re

from dagfs.errors import UsageError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


def seconds_of(text: str, option: str) -> float:
    """A span in seconds. UsageError, naming the option."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(f"{option} {text}: not a span of time", hint="write 90, 45s, 10m, 1h or 2d")
    return float(found[1]) * _UNITS[found[2]]
