"""Whether a scheduler is at work, by its last sign of life."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dagfs.store.ledger import Ledger


def is_alive(status: Mapping[str, Any], now: datetime) -> bool:
    """Whether a scheduler that said this is still at work, as far as its last sign of life tells."""
    if not status or status.get("stopped"):
        return False
    try:
        return now <= datetime.fromisoformat(str(status["stale_after"]))
    except (KeyError, ValueError):
        return False


def standing(ledger: Ledger, now: datetime) -> dict[str, Any]:
    """What a scheduler said last, whether it is at work, and what is paused: `dagfs scheduler --status`."""
    status = ledger.status()
    return {"alive": is_alive(status, now), **status, "paused": list(ledger.paused())}
