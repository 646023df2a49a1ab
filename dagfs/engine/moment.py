"""Moments as the journal writes them, and as people say them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dagfs.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def utc_text(moment: datetime, seconds: float = 0) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """What `utc_text` made, in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def since_text(text: str, now: datetime) -> str:
    """`90m`, `12h`, `7d`, `2w` or a date as the store writes times. UsageError."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match:
        try:
            return (now - timedelta(**{_UNITS[match[2]]: int(match[1])})).strftime("%Y-%m-%dT%H:%M:%S")
        except OverflowError:
            return ""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:]+Z?)?", text):
        raise UsageError(f"--since {text}: not a time", hint="write 90m, 12h, 7d, 2w or 2026-11-21")
    return text
