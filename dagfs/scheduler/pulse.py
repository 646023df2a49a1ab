"""Whether a scheduler is at work, by its last sign of life."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dagfs.store import process
from dagfs.store.ledger import Ledger


def is_alive(status: Mapping[str, Any], now: datetime) -> bool:
    """Whether a scheduler that said this is still at work, as far as its last sign of life tells."""
    if not status or status.get("stopped") or _is_seen_dead(status):
        return False
    try:
        return now <= datetime.fromisoformat(str(status["stale_after"]))
    except (KeyError, ValueError):
        return False


def _is_seen_dead(status: Mapping[str, Any]) -> bool:
    """Whether it was a process of this boot of this machine whose pid we would see, and do not."""
    who = status.get("identity")
    if not isinstance(who, dict) or who.get("boot") != process.boot_id():
        return False
    ours = process.pid_namespace()
    is_in_sight = ours != 0 and status.get("pid_namespace") == ours
    return is_in_sight and not process.is_alive(process.Identity.from_data(who))


def standing(ledger: Ledger, now: datetime) -> dict[str, Any]:
    """What a scheduler said last, whether it is at work, and what is paused: `dagfs scheduler --status`."""
    status = ledger.status()
    if "next" in status:
        # It says so now and then; what was next may have passed.
        status = {**status, "next": [each for each in status["next"] if _is_ahead(each, now)]}
    return {"alive": is_alive(status, now), **status, "paused": list(ledger.paused())}


def _is_ahead(each: Mapping[str, Any], now: datetime) -> bool:
    return datetime.fromisoformat(each["due"]) > now
