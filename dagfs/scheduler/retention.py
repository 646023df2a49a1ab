"""Which old runs may go, and their removal. Nothing is removed unless somebody set a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagfs.model.schedule import Retention
from dagfs.model.state import RunState
from dagfs.scheduler.census import Counted


@dataclass(frozen=True, slots=True)
class Verdict:
    """A run that may go, and why."""

    run: str
    dag: str
    reason: str


def removable(
    runs: Iterable[Counted], policies: Mapping[str, Retention], now: datetime, default: Retention
) -> list[Verdict]:
    """The runs that may go; `runs` come newest first, `policies` are by the DAG's name. Pure.

    Those that go on, that cannot be read, that were interrupted, and the newest of each DAG always stay.
    """
    counts: dict[str, int] = {}
    found = []
    for run in runs:
        counts[run.dag] = counts.get(run.dag, 0) + 1
        reason = _reason(run, policies.get(run.dag, default), counts[run.dag], now)
        if reason:
            found.append(Verdict(run.id, run.dag, reason))
    return found


_OVER = {
    RunState.SUCCEEDED,
    RunState.PARTIALLY_SUCCEEDED,
    RunState.FAILED,
    RunState.ABORTED,
    RunState.REJECTED,
}


def _reason(run: Counted, policy: Retention, place: int, now: datetime) -> str:
    if policy.is_empty or place == 1 or run.state not in _OVER:
        return ""
    if policy.runs and place > policy.runs:
        return f"older than the newest {policy.runs}"
    ended = run.ended
    if policy.days and ended is not None and now - ended > timedelta(days=policy.days):
        return f"ended more than {policy.days} days ago"
    return ""
