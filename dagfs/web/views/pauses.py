"""Pauses of DAGs and queues, as files of the store tell of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagfs.web.views.times import known_time


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is started by itself, by whose word, and why."""

    by: str
    since: str
    reason: str

    def __str__(self) -> str:
        return f"by {self.by}" + (f": {self.reason}" if self.reason else "")


def pauses(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Pause]:
    """Every pause by the name of the DAG, or as `queue:NAME`."""
    return {
        name: Pause(str(each.get("by") or "?"), known_time(each.get("since")), str(each.get("reason") or ""))
        for name, each in found.items()
    }
