"""Times out of files that anybody may have written. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def known_time(said: Any) -> str:
    """A time with its zone, as text; nothing for what is none."""
    try:
        return str(said) if said and datetime.fromisoformat(str(said)).tzinfo else ""
    except ValueError:
        return ""
