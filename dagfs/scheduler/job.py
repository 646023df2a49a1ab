"""A run that is to be started, and how starting it went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dagfs.scheduler.census import Counted
from dagfs.store.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Job:
    """One run to start, under an id that nothing else can have."""

    run: str
    dag: str
    source: str
    """The path of the DAG's file."""
    text: bytes
    """The spec to capture: the last good version."""
    trigger: str = "schedule"
    params: tuple[tuple[str, str], ...] = ()
    key: str = ""
    """The DAG file whose watermark waits for this start."""
    instant: datetime | None = None
    queue: str = ""
    priority: int = 0
    limit: int = 0
    """The most runs of the DAG at once; 0 means no limit of its own."""
    queued: bool = False
    """It comes from the queue."""
    reason: str = ""
    profile: str = ""
    """Where its steps run in place of what the spec says."""
    retry: bool = False
    """The run exists: go on with it as `dagfs retry` would."""
    tries: int = 0


def waiting_of(job: Job, moment: datetime) -> Waiting:
    """A job as it waits in a queue since `moment`."""
    return Waiting(
        id=job.run,
        dag=job.dag,
        source=job.source,
        queue=job.queue,
        priority=job.priority,
        created=moment.isoformat(),
        trigger=job.trigger,
        params=job.params,
        reason=job.reason,
        limit=job.limit,
        profile=job.profile,
    )


def job_of(entry: Waiting, text: bytes) -> Job:
    """What waits in a queue, with its captured spec, as a job."""
    return Job(
        entry.id,
        entry.dag,
        entry.source,
        text,
        trigger=entry.trigger,
        params=entry.params,
        queue=entry.queue,
        limit=entry.limit,
        queued=True,
        reason=entry.reason,
        profile=entry.profile,
    )


@dataclass(frozen=True, slots=True)
class Started:
    """What came of an attempt to start a run."""

    job: Job
    code: int
    """The exit code of its command: 0 once the run exists."""
    error: str = ""


class Launcher(Protocol):
    """Starts engines; each is a process of its own that outlives whoever started it."""

    def start(self, job: Job) -> None: ...

    def stop(self, runs: Iterable[str]) -> None: ...

    def ended(self) -> list[Started]:
        """Those that have begun, or failed to, since the last call."""
        ...


class Runs(Protocol):
    """What the scheduler asks about runs; `Census` answers."""

    def refresh(self) -> None: ...

    def exists(self, run_id: str) -> bool: ...

    def active_of(self, dag: str) -> list[str]: ...

    def last(self, dag: str) -> Counted | None: ...

    def look_again(self, run_id: str) -> Counted | None: ...

    @property
    def active(self) -> Mapping[str, Counted]: ...
