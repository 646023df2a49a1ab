"""Moments as the journal writes them."""

from __future__ import annotations

from datetime import datetime, timedelta


def utc_text(moment: datetime, seconds: float = 0) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """What `utc_text` made, in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
