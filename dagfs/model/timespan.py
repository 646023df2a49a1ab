"""Times and spans of the store, as people read them."""

from __future__ import annotations

from datetime import datetime


def moment(text: str | None) -> datetime | None:
    """A time of the store as a value."""
    return datetime.fromisoformat(text) if text else None


def is_moment(value: object) -> bool:
    """Whether it is a time as the store writes them, in some zone."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def clock(text: str | None) -> str:
    """A time of the store as the user's clock shows it."""
    found = moment(text)
    return found.astimezone().strftime("%H:%M:%S") if found else ""


def duration(start: str | None, end: str | None) -> str:
    """How long something took, in words."""
    began, ended = moment(start), moment(end)
    if began is None or ended is None:
        return ""
    # A clock may have been set back in between.
    return seconds(max(0.0, (ended - began).total_seconds()))


def seconds(number: float) -> str:
    """`0.31 s`, `12 s`, `4 min 10 s`, `2 h 5 min`."""
    if number < 10:
        return f"{number:.2f} s"
    if number < 100:
        return f"{number:.0f} s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def ago(text: str | None, now: datetime) -> str:
    """How long ago something was."""
    found = moment(text)
    if found is None:
        return ""
    passed = max(0.0, (now - found).total_seconds())
    if passed < 2:
        return "just now"
    if passed < 100:
        return f"{passed:.0f} s ago"
    # Of a long time ago the small part says nothing.
    minutes = round(passed / 60)
    if minutes < 100:
        return f"{minutes} min ago"
    hours = round(minutes / 60)
    return f"{hours} h ago" if hours < 48 else f"{round(hours / 24)} d ago"
