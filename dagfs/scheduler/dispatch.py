"""Brings runs on their way: starts them, has them wait in queues, or holds them until others have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagfs.errors import DagfsError, ExitCode, Refused
from dagfs.scheduler.admission import Limits, Place, Room, limit_of, place_of
from dagfs.scheduler.job import Job, Launcher, Runs, Started, job_of, waiting_of
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue, Waiting

TRY_AGAIN = timedelta(seconds=10)
_MOST_TRIES = 3
_MOST_TRIES_OF_THE_DISK = 64
"""About an hour: a disk that is full has room again when somebody has seen to it."""
_LONGEST_PAUSE = 6
_REMEMBERED = 10_000
_FINAL = (ExitCode.USAGE, ExitCode.SPEC_INVALID, ExitCode.NOT_FOUND, ExitCode.REFUSED, ExitCode.NOTHING_TO_DO)
"""Codes of commands that would fail again."""
_NOT_OURS = (ExitCode.NOTHING_TO_DO, ExitCode.BUSY)
"""Codes of a retry that somebody else was faster with."""


@dataclass(slots=True)
class Held:
    """A start that waits for runs to end, or for a moment."""

    job: Job
    runs: tuple[str, ...] = ()
    wait_sec: float = 0
    until: datetime | None = None


class Dispatch:
    """All runs that are to be, from the decision until they exist."""

    def __init__(
        self,
        ledger: Ledger,
        queue: Queue,
        runs: Runs,
        launcher: Launcher,
        now: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        self._ledger, self._queue, self._runs, self._launcher = ledger, queue, runs, launcher
        self._now, self.limits = now, limits
        self._starting: dict[str, Job] = {}
        self._held: list[Held] = []
        self._to_stop: set[str] = set()
        self._in_vain: dict[str, None] = {}
        self._tries: dict[str, int] = {}
        """How often those that wait in a queue were tried in vain."""
        self.paused: Mapping[str, object] = {}
        """What is paused, DAGs and `queue:NAME`."""

    # -- what there is ------------------------------------------------------------------------

    @property
    def starting(self) -> list[str]:
        """Runs that are being started."""
        return sorted(self._starting)

    @property
    def is_idle(self) -> bool:
        """Nothing waits for runs to end."""
        return not self._held and self._queue.is_empty()

    def is_taken(self, run_id: str) -> bool:
        """The run exists, or waits, or is on its way."""
        is_held = any(held.job.run == run_id for held in self._held)
        return is_held or run_id in self._starting or self.is_dealt_with(run_id)

    def is_dealt_with(self, run_id: str) -> bool:
        """Nothing more is to be done to start it: it exists, or waits, or came to nothing."""
        return run_id in self._in_vain or self._queue.has(run_id) or self._runs.exists(run_id)

    def uncertain(self, key: str) -> Iterator[datetime]:
        """The instants of a DAG file whose runs may not exist yet."""
        for job in (*self._starting.values(), *(held.job for held in self._held)):
            if job.key == key and job.instant is not None:
                yield job.instant

    def is_starting(self, key: str) -> bool:
        """A run of that DAG file is on its way, and it will be told of in a moment."""
        return any(job.key == key for job in self._starting.values())

    def active(self, dag: str) -> list[str]:
        """Runs of a DAG that go on or are about to."""
        held = [each.job.run for each in self._held if each.job.dag == dag]
        return list(dict.fromkeys([*self._going(dag), *self._starting_of(dag), *held]))

    def _going(self, dag: str) -> list[str]:
        """Runs of a DAG that go on."""
        last = self._runs.last(dag)
        if last is not None and not last.goes_on:
            # Somebody may have retried it.
            self._runs.look_again(last.id)
        return self._runs.active_of(dag)

    def _starting_of(self, dag: str) -> list[str]:
        return [job.run for job in self._starting.values() if job.dag == dag]

    def has_room(self, job: Job) -> bool:
        """Whether the limits let it go on now."""
        return not self._room().lacks(Place(job.dag, job.queue), job.limit)

    def next_held(self) -> datetime | None:
        """When something that is held may go; None where only the end of a run can free it."""
        return min((held.until for held in self._held if held.until is not None), default=None)

    # -- into it ------------------------------------------------------------------------------

    def admit(self, job: Job) -> None:
        """Start a run, or let it wait where there is no room for it."""
        place = Place(job.dag, job.queue)
        why = "its queue is paused" if self._is_held_back(place) else self._room().lacks(place, job.limit)
        if why:
            self.enqueue(job, why)
        else:
            self.launch(job)

    def _is_held_back(self, place: Place) -> bool:
        """The queue is paused; that of a DAG without one has the DAG's name."""
        return f"queue:{place.queue or place.dag}" in self.paused

    def enqueue(self, job: Job, why: str) -> None:
        """Let a run wait until there is room."""
        try:
            self._queue.put(waiting_of(job, self._now()), job.text)
        except Refused:
            return
        self._ledger.note("queued", dag=job.dag, run=job.run, reason=why)

    def hold(self, job: Job, runs: Iterable[str], wait_sec: float = 0) -> None:
        """Start a run some seconds after other runs have ended."""
        self._held.append(Held(job, tuple(runs), wait_sec))

    def drop_held(self, dag: str, why: str) -> None:
        """Forget what the clock had held of a DAG."""
        dropped = [each for each in self._held if each.job.dag == dag and each.job.instant is not None]
        for each in dropped:
            self._held.remove(each)
            self._ledger.note("passed_over", dag=dag, run=each.job.run, reason=why)

    def drop_waiting(self, dag: str, why: str) -> None:
        """Take what the clock let wait of a DAG out of the queue."""
        for entry in self._queue.entries():
            if entry.dag == dag and entry.trigger == "schedule":
                self._queue.remove(entry.id)
                self._ledger.note("passed_over", dag=dag, run=entry.id, reason=why)

    def launch(self, job: Job) -> None:
        """Start a run."""
        if job.run not in self._starting:
            self._starting[job.run] = job
            try:
                self._launcher.start(job)
            except BaseException:
                del self._starting[job.run]
                raise

    def stop(self, dag: str) -> list[str]:
        """Stop the runs of a DAG, those that are being started as soon as they exist; their ids."""
        starting, going = self._starting_of(dag), self._going(dag)
        self._to_stop.update(starting)
        self._launcher.stop([run for run in going if run not in starting])
        return list(dict.fromkeys([*going, *starting]))

    # -- what came of it ----------------------------------------------------------------------

    def take(self, started: Started) -> tuple[Job, str, bool]:
        """A start has come to something: the job, why it was no use, and whether that is its end."""
        job = self._starting.pop(started.job.run, started.job)
        if started.code == 0 or (not job.retry and self._runs.exists(job.run)):
            self._began(job, started.code)
            return job, "", True
        error = started.error or f"its command ended with {started.code}"
        if job.retry and started.code in _NOT_OURS:
            self._ledger.note("not_retried", dag=job.dag, run=job.run, reason=error)
            self._stop_as_asked(job.run)
            return job, "", True
        most = _MOST_TRIES_OF_THE_DISK if started.code == ExitCode.IO_ERROR else _MOST_TRIES
        if started.code in _FINAL or job.tries + 1 >= most:
            self._ledger.note("not_started", dag=job.dag, run=job.run, reason=error)
            self._give_up(job.run)
            if job.queued:
                self._queue.set_aside(job.run, error)
            return job, error, True
        if not job.tries:
            self._ledger.note(
                "start_failed", dag=job.dag, run=job.run, reason=error, then="it is tried again"
            )
        pause = TRY_AGAIN * min(2**job.tries, _LONGEST_PAUSE)
        if job.queued:
            self._tries[job.run] = job.tries + 1
        self._held.append(Held(replace(job, tries=job.tries + 1), until=self._now() + pause))
        return job, error, False

    def _give_up(self, run: str) -> None:
        self._to_stop.discard(run)
        self._tries.pop(run, None)
        self._in_vain[run] = None
        if len(self._in_vain) > _REMEMBERED:
            del self._in_vain[next(iter(self._in_vain))]

    def _began(self, job: Job, code: int) -> None:
        if code == 0:
            what = "retried" if job.retry else "started"
            self._ledger.note(what, dag=job.dag, run=job.run, trigger=job.trigger)
        self._tries.pop(job.run, None)
        self._runs.look_again(job.run)
        if job.queued:
            # Else `pump` finds that it has run.
            with suppress(DagfsError):
                self._queue.remove(job.run)
        self._stop_as_asked(job.run)

    def _stop_as_asked(self, run: str) -> None:
        if run in self._to_stop:
            self._to_stop.remove(run)
            self._launcher.stop([run])

    # -- out of it ----------------------------------------------------------------------------

    def release(self, moment: datetime) -> None:
        """Start what waited for other runs to end, or for a moment."""
        held, self._held = self._held, []
        for each in held:
            goes_on = set(self._runs.active_of(each.job.dag)) | self._starting.keys()
            if goes_on.intersection(each.runs):
                self._held.append(each)
            elif each.until is None and each.wait_sec:
                self._held.append(replace(each, until=moment + timedelta(seconds=each.wait_sec)))
            elif each.until is not None and each.until > moment:
                self._held.append(each)
            else:
                self._let_go(each, moment)

    def _let_go(self, each: Held, moment: datetime) -> None:
        try:
            if each.job.retry:
                self.launch(each.job)
            elif not each.job.queued:
                self.admit(each.job)
            # What waits in a queue is found there, unless somebody took it out meanwhile.
        except DagfsError as error:
            self._ledger.note("error", dag=each.job.dag, run=each.job.run, reason=error.message)
            self._held.append(replace(each, until=moment + TRY_AGAIN))

    def pump(self) -> None:
        """Start what waits in queues and has room now."""
        if self._queue.is_empty():
            return
        entries, broken = self._queue.survey()
        for run_id in broken:
            with suppress(DagfsError):
                self._set_aside(run_id, "its record is damaged")
        room = self._room()
        busy = {held.job.run for held in self._held} | self._starting.keys()
        for entry in entries:
            if entry.id not in busy:
                # One that can be neither started nor moved is no reason to leave the others.
                with suppress(DagfsError):
                    self._try_entry(entry, room)

    def _try_entry(self, entry: Waiting, room: Room) -> None:
        if self._runs.exists(entry.id):
            self._queue.remove(entry.id)
            return
        place = place_of(entry)
        is_paused = entry.dag in self.paused or self._is_held_back(place)
        if is_paused or room.lacks(place, limit_of(entry)):
            return
        try:
            text = self._queue.spec(entry.id)
        except DagfsError as error:
            self._set_aside(entry.id, error.message, dag=entry.dag)
            return
        room.take(place)
        self.launch(replace(job_of(entry, text), tries=self._tries.get(entry.id, 0)))

    def _set_aside(self, run_id: str, why: str, **more: str) -> None:
        self._ledger.note("set_aside", run=run_id, reason=why, **more)
        self._queue.set_aside(run_id, why)

    def _room(self) -> Room:
        places = [Place(job.dag, job.queue) for job in self._starting.values()]
        going = (run for run in self._runs.active.values() if run.id not in self._starting)
        return Room(self.limits, [*places, *(Place(run.dag, run.queue) for run in going)])
