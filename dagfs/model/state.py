"""The states of runs and steps, and the one table of what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunState(StrEnum):
    """How a run, or one attempt of it, stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    REJECTED = "rejected"
    INTERRUPTED = "interrupted"

    @property
    def is_success(self) -> bool:
        return self in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)

    @property
    def is_over(self) -> bool:
        """No engine is at work on it, and none is expected to be."""
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)


class StepState(StrEnum):
    """How one step of one attempt stands."""

    NOT_STARTED = "not_started"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    UPSTREAM_FAILED = "upstream_failed"
    LOST = "lost"

    @property
    def is_settled(self) -> bool:
        """Nothing more happens to the step in this attempt."""
        return not TRANSITIONS[self]

    @property
    def is_success(self) -> bool:
        return self in (StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED)

    @property
    def is_underway(self) -> bool:
        """A process of the step may be alive, or one is about to be started again."""
        return self in (StepState.RUNNING, StepState.RETRYING)


_SETTLED = frozenset(
    {
        StepState.SUCCEEDED,
        StepState.PARTIALLY_SUCCEEDED,
        StepState.FAILED,
        StepState.ABORTED,
        StepState.SKIPPED,
        StepState.REJECTED,
        StepState.UPSTREAM_FAILED,
        StepState.LOST,
    }
)

TRANSITIONS: Mapping[StepState, frozenset[StepState]] = {
    StepState.NOT_STARTED: frozenset({StepState.QUEUED, StepState.RUNNING, StepState.WAITING}) | _SETTLED,
    StepState.QUEUED: frozenset({StepState.RUNNING}) | _SETTLED,
    StepState.RUNNING: frozenset({StepState.RUNNING, StepState.RETRYING, StepState.WAITING}) | _SETTLED,
    StepState.RETRYING: frozenset({StepState.RUNNING}) | _SETTLED,
    StepState.WAITING: frozenset({StepState.RUNNING}) | _SETTLED,
    **{settled: frozenset() for settled in _SETTLED},
}
"""From each state of a step, the states that may follow within one attempt."""
