"""What the settings of a home allow its scheduler."""

from __future__ import annotations

from dagfs.engine.settings import Settings
from dagfs.scheduler.admission import Limits


def limits_of(settings: Settings) -> Limits:
    """The limits that dagfs.yaml sets."""
    return Limits(settings.max_active_runs, dict(settings.queues))
