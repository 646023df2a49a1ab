"""Moments as the journal writes them, and as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from dagfs.errors import UsageError

YEARS = range(1970, 3000)
"""Near the ends of the calendar there is no other zone's time for a moment."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def utc_text(moment: datetime, seconds: float = 0) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """What `utc_text` made, in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def moment_of(text: str, said: str) -> datetime:
    """A date or an instant, in UTC where it names no zone. UsageError, which begins with `said`."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.year not in YEARS:
            raise ValueError
    except ValueError:
        raise UsageError(f"{said}: expected a time such as 2026-03-28 or 2026-03-28T12:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def since_text(text: str, now: datetime) -> str:
    """`90m`, `12h`, `7d`, `2w` or a date as the store writes times. UsageError."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match:
        try:
            return (now - timedelta(**{_UNITS[match[2]]: int(match[1])})).strftime("%Y-%m-%dT%H:%M:%S")
        except OverflowError:
            return ""
    if not is_past_text(text):
        raise UsageError(f"--since {text}: not a time", hint="write 90m, 12h, 7d, 2w or 2026-11-21")
    return text


def is_past_text(text: str) -> bool:
    """Whether it is a date or an instant in UTC that can be compared as text with what the store writes."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:.]+Z?)?", text) is not None
