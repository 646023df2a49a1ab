"""Which failed runs are to be retried by themselves, and when: a DAG's own `retry_policy`. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from dagfs.model.dag import RetryPolicy
from dagfs.model.state import RunState
from dagfs.scheduler.census import Counted

_BY_THEMSELVES = ("schedule", "watch", "queue", "backfill")
_LONG_AGO = timedelta(days=3)


def next_retry(run: Counted, policy: RetryPolicy, now: datetime) -> datetime | None:
    """When a run is to be retried; None for never.

    An interrupted run is one whose engine died: it goes on at once. What somebody started by hand, or what
    failed days ago, is left to people.
    """
    done = run.attempt - 1
    if run.state not in (RunState.FAILED, RunState.INTERRUPTED) or done >= policy.limit:
        return None
    if run.trigger not in _BY_THEMSELVES or now - (run.ended or run.made) > _LONG_AGO:
        return None
    if run.state == RunState.INTERRUPTED:
        return now
    wait = policy.interval_sec * policy.backoff ** max(0, done)
    if policy.max_interval_sec:
        wait = min(wait, policy.max_interval_sec)
    return (run.ended or now) + timedelta(seconds=wait)


def reason(run: Counted, policy: RetryPolicy) -> str:
    """What the new attempt has as its reason."""
    what = "its engine died" if run.state == RunState.INTERRUPTED else "it failed"
    return f"automatic retry (retry_policy of the DAG, limit {policy.limit}): {what}"
