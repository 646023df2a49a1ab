"""Whether a scheduler is at work, by its last sign of life. Light: nothing else is imported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def is_alive(status: Mapping[str, Any], now: datetime) -> bool:
    """Whether a scheduler that said this is still at work, as far as its last sign of life tells."""
    if not status or status.get("stopped"):
        return False
    try:
        return now <= datetime.fromisoformat(str(status["stale_after"]))
    except (KeyError, ValueError):
        return False
