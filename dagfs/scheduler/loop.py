"""The scheduler: one turn after the other, each a look at the clock, the files, the runs and the queues.

It holds nothing that it could not find again: what is due follows from the DAG files and the watermarks,
and that nothing is started twice follows from the run ids. A watermark moves only past instants whose
runs exist, or wait in a queue, or were passed over on purpose.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

from dagfs.errors import DagfsError, ExitCode, Refused
from dagfs.model.state import RunState
from dagfs.scheduler.admission import Limits, Place, Room, limit_of, place_of
from dagfs.scheduler.due import Due, decide, mended, newest
from dagfs.scheduler.identity import scheduled_id
from dagfs.scheduler.instants import delay, next_due
from dagfs.scheduler.job import Job, Launcher, Runs, Started
from dagfs.scheduler.shelf import Shelved
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue, Waiting

_SECOND = timedelta(seconds=1)
_YEAR = timedelta(days=366)
_MOST_TRIES = 3
_TRY_AGAIN = timedelta(seconds=10)
_FINAL = (ExitCode.USAGE, ExitCode.SPEC_INVALID, ExitCode.NOT_FOUND, ExitCode.REFUSED, ExitCode.NOTHING_TO_DO)
"""Codes of commands that would fail again."""
_NOTED_ONE_BY_ONE = 100


@dataclass(slots=True)
class Track:
    """How far one DAG's schedule has been dealt with."""

    dag: Shelved
    watermark: datetime
    due: datetime | None = None
    """When it is next, on the clock; the jitter is counted in."""
    error: str = ""
    """Why the last start came to nothing."""


@dataclass(slots=True)
class Held:
    """A start that waits for runs to end, or for a moment."""

    job: Job
    runs: tuple[str, ...] = ()
    wait_sec: float = 0
    until: datetime | None = None


class Scheduler:
    """Decides and starts. Whoever drives it calls `update` after files changed, and `turn` for ever."""

    def __init__(
        self,
        ledger: Ledger,
        queue: Queue,
        runs: Runs,
        launcher: Launcher,
        *,
        now: Callable[[], datetime],
        zone: str = "UTC",
        limits: Limits | None = None,
    ) -> None:
        """`zone` is that of schedules which name none."""
        self._ledger, self._queue, self._runs, self._launcher = ledger, queue, runs, launcher
        self._now, self.zone, self.limits = now, zone, limits or Limits()
        self.tracks: dict[str, Track] = {}
        self._heap: list[tuple[datetime, int, str]] = []
        self._order = count()
        self._starting: dict[str, Job] = {}
        self._held: list[Held] = []
        self._paused: Mapping[str, object] = {}
        self._queue_of_run: dict[str, str] = {}

    # -- what there is to watch over ----------------------------------------------------------

    def update(self, dags: Mapping[str, Shelved], changed: Iterable[str]) -> None:
        """Take note of DAG files that came, changed or went."""
        for key in changed:
            dag = dags.get(key)
            if dag is None or not dag.schedule.entries:
                self.tracks.pop(key, None)
            elif key in self.tracks:
                self._changed(self.tracks[key], dag)
            else:
                self._came(key, dag)

    def _came(self, key: str, dag: Shelved) -> None:
        moment = self._now()
        known = self._ledger.watermark(key)
        if known is not None and known[1] == dag.digest:
            watermark = known[0]
        else:
            # New here, or another schedule by now: what is past was never promised.
            watermark = moment
            self._ledger.set_watermark(key, moment, dag.digest)
        self.tracks[key] = Track(dag, watermark)
        self._plan(self.tracks[key])

    def _changed(self, track: Track, dag: Shelved) -> None:
        same = track.dag.digest == dag.digest
        track.dag = dag
        if not same:
            track.watermark = self._now()
            self._save(track)
            self._plan(track)

    def _plan(self, track: Track) -> None:
        """Put down when to look at a DAG again."""
        schedule = track.dag.schedule
        found = next_due(schedule, self.zone, track.watermark)
        track.due = found[0] + delay(track.dag.key, schedule) if found else None
        if track.due is not None:
            heapq.heappush(self._heap, (track.due, next(self._order), track.dag.key))

    def _save(self, track: Track) -> None:
        """Write down how far a DAG is dealt with: up to the first start that is not certain yet."""
        open_starts = [
            job.instant
            for job in (*self._starting.values(), *(held.job for held in self._held))
            if job.key == track.dag.key and job.instant is not None
        ]
        until = min(open_starts) - _SECOND if open_starts else track.watermark
        self._ledger.set_watermark(track.dag.key, until, track.dag.digest)

    # -- a turn -------------------------------------------------------------------------------

    def turn(self) -> datetime | None:
        """Do what is to be done now; when the next thing is due, None where nothing is known to be."""
        self._paused = self._ledger.paused()
        for started in self._launcher.ended():
            self._take(started)
        moment = self._now()
        self._reset_after_wrong_clock(moment)
        if self._is_due(moment) or self._held or self._waiting():
            self._runs.refresh()
        for track in self._due_tracks(moment):
            try:
                self._act(track, moment)
            except DagfsError as error:
                # A full disk, say: the watermark has not moved, so the next turn tries again.
                self._fail(track, error.message)
                heapq.heappush(self._heap, (moment + _TRY_AGAIN, next(self._order), track.dag.key))
        self._release(moment)
        self._pump()
        return self._next()

    def _is_due(self, moment: datetime) -> bool:
        return bool(self._heap) and self._heap[0][0] <= moment

    def _due_tracks(self, moment: datetime) -> list[Track]:
        """Those whose time has come, each once."""
        found: dict[str, Track] = {}
        while self._is_due(moment):
            due, _, key = heapq.heappop(self._heap)
            track = self.tracks.get(key)
            if track is not None and (track.due is None or due >= track.due):
                found[key] = track
        return list(found.values())

    def _reset_after_wrong_clock(self, moment: datetime) -> None:
        """Where the clock went back, what was dealt with ahead of it is due again; ids see to the rest."""
        for track in self.tracks.values():
            late = delay(track.dag.key, track.dag.schedule)
            track.watermark, back = mended(track.watermark, moment - late if track.due else moment)
            if back:
                self._ledger.note("clock_went_back", dag=track.dag.name)
                self._save(track)
                self._plan(track)

    def _next(self) -> datetime | None:
        while self._heap and self._heap[0][2] not in self.tracks:
            heapq.heappop(self._heap)
        moments = [held.until for held in self._held if held.until is not None]
        return min([*moments, *(entry[0] for entry in self._heap[:1])], default=None)

    # -- one DAG that is due ------------------------------------------------------------------

    def _act(self, track: Track, moment: datetime) -> None:
        dag = track.dag
        until = moment - delay(dag.key, dag.schedule)
        due = decide(dag.schedule, self.zone, track.watermark, until)
        self._tell_missed(track, due)
        if dag.schedule.suspend or dag.name in self._paused or not dag.text:
            self._pass_over(
                track, due, "it is paused" if dag.text else "no good version of its file is known"
            )
        else:
            if due.stops:
                self._launcher.stop(self._active(dag.name))
            for place, instant in enumerate(due.starts):
                self._start(track, instant, instant in due.restarts, first=place == 0)
        track.watermark = max(until, track.watermark)
        self._save(track)
        self._plan(track)

    def _tell_missed(self, track: Track, due: Due) -> None:
        if len(due.missed) > _NOTED_ONE_BY_ONE or due.more_missed:
            more = f"more than {len(due.missed)}" if due.more_missed else str(len(due.missed))
            first = due.missed[0].isoformat() if due.missed else ""
            self._ledger.note("missed_many", dag=track.dag.name, count=more, since=first)
            return
        for instant in due.missed:
            self._ledger.note(
                "missed", dag=track.dag.name, due=instant.isoformat(), catchup=track.dag.schedule.catchup
            )

    def _pass_over(self, track: Track, due: Due, why: str) -> None:
        for instant in due.starts[:_NOTED_ONE_BY_ONE]:
            self._ledger.note("passed_over", dag=track.dag.name, due=instant.isoformat(), reason=why)

    def _start(self, track: Track, instant: datetime, restart: bool, *, first: bool) -> None:
        """Start, queue, or pass over one instant, as the DAG's rules and what goes on have it."""
        dag = track.dag
        job = self._job(dag, instant)
        if self._is_taken(job.run):
            return
        if dag.schedule.skip_if_successful and (why := self._succeeded_since(dag, instant)):
            self._ledger.note("passed_over", dag=dag.name, due=instant.isoformat(), reason=why)
            return
        active = self._active(dag.name)
        if restart:
            self._launcher.stop(active)
            self._held.append(Held(job, tuple(active), dag.schedule.restart_wait_sec if active else 0))
        elif not active or dag.schedule.overlap == "allow":
            self._admit(job)
        else:
            self._overlap(job, dag, active, first)

    def _job(self, dag: Shelved, instant: datetime) -> Job:
        return Job(
            scheduled_id(dag.name, dag.key, instant),
            dag.name,
            str(dag.path),
            dag.text,
            key=dag.key,
            instant=instant,
            queue=dag.queue,
            priority=dag.priority,
            limit=dag.max_active_runs,
        )

    def _is_taken(self, run_id: str) -> bool:
        return run_id in self._starting or self._queue.has(run_id) or self._runs.exists(run_id)

    def _active(self, dag: str) -> list[str]:
        """Runs of a DAG that go on or are about to."""
        last = self._runs.last(dag)
        if last is not None and not last.goes_on:
            # Somebody may have retried it.
            self._runs.look_again(last.id)
        starting = [job.run for job in self._starting.values() if job.dag == dag]
        held = [each.job.run for each in self._held if each.job.dag == dag]
        return list(dict.fromkeys([*self._runs.active_of(dag), *starting, *held]))

    def _succeeded_since(self, dag: Shelved, instant: datetime) -> str:
        last = self._runs.last(dag.name)
        if last is None or last.state not in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED):
            return ""
        before, _ = newest(dag.schedule, self.zone, instant - _YEAR, instant - _SECOND)
        since = before[-1][0] if before else None
        made = datetime.fromisoformat(last.created)
        return f"run {last.id} has succeeded since" if since is None or made >= since else ""

    def _overlap(self, job: Job, dag: Shelved, active: list[str], first: bool) -> None:
        policy = dag.schedule.overlap
        if policy == "cancel":
            self._launcher.stop(active)
            self._held = [each for each in self._held if each.job.dag != dag.name]
            self._held.append(Held(job, tuple(active)))
        elif policy in ("queue", "latest"):
            if policy == "latest":
                self._drop_waiting(dag.name)
            self._enqueue(job, f"run {active[0]} goes on")
        elif dag.schedule.catchup == "all" and not first:
            # Missed instants come at once only because they were missed: they follow one another.
            self._enqueue(job, "it is made up for after the ones before it")
        else:
            due = job.instant.isoformat() if job.instant else ""
            why = f"run {active[0]} goes on"
            self._ledger.note("passed_over", dag=dag.name, due=due, reason=why)

    def _drop_waiting(self, dag: str) -> None:
        for entry in self._queue.entries():
            if entry.dag == dag and entry.trigger == "schedule":
                self._queue.remove(entry.id)
                self._ledger.note("passed_over", dag=dag, run=entry.id, reason="a later one is due")

    # -- starting -----------------------------------------------------------------------------

    def submit(self, job: Job) -> bool:
        """Start a run for another reason than the clock; False where it was started before."""
        if self._is_taken(job.run):
            return False
        self._admit(job)
        return True

    def retry(self, job: Job) -> None:
        """Go on with a run that exists."""
        if job.run not in self._starting:
            self._launch(replace(job, retry=True))

    def _admit(self, job: Job) -> None:
        """Start a run, or let it wait where there is no room for it."""
        why = self._room().lacks(Place(job.dag, job.queue), job.limit)
        if why:
            self._enqueue(job, why)
        else:
            self._launch(job)

    def _enqueue(self, job: Job, why: str) -> None:
        entry = Waiting(
            id=job.run,
            dag=job.dag,
            source=job.source,
            queue=job.queue,
            priority=job.priority,
            created=self._now().isoformat(),
            trigger=job.trigger,
            params=job.params,
            reason=job.reason,
            limit=job.limit,
        )
        try:
            self._queue.put(entry, job.text)
        except Refused:
            return
        self._ledger.note("queued", dag=job.dag, run=job.run, reason=why)

    def _launch(self, job: Job) -> None:
        self._starting[job.run] = job
        if job.queue:
            self._queue_of_run[job.run] = job.queue
        self._launcher.start(job)

    def _take(self, started: Started) -> None:
        """A start has come to something: the run exists now, or it was no use, or it is tried again."""
        job = self._starting.pop(started.job.run, started.job)
        if started.code == 0 or (not job.retry and self._runs.exists(job.run)):
            if started.code == 0:
                what = "retried" if job.retry else "started"
                self._ledger.note(what, dag=job.dag, run=job.run, trigger=job.trigger)
            if job.queued:
                self._queue.remove(job.run)
            self._runs.look_again(job.run)
            self._settled(job, "")
        elif job.retry or started.code in _FINAL or job.tries + 1 >= _MOST_TRIES:
            error = started.error or f"its command ended with {started.code}"
            self._ledger.note("not_started", dag=job.dag, run=job.run, reason=error)
            if job.queued:
                self._queue.set_aside(job.run, error)
            self._settled(job, error)
        else:
            again = replace(job, tries=job.tries + 1)
            self._held.append(Held(again, until=self._now() + _TRY_AGAIN))

    def _settled(self, job: Job, error: str) -> None:
        track = self.tracks.get(job.key)
        if track is not None:
            track.error = error
            self._save(track)

    def _fail(self, track: Track, error: str) -> None:
        if track.error != error:
            track.error = error
            try:
                self._ledger.note("error", dag=track.dag.name, reason=error)
            except DagfsError:
                # The disk that is full holds the log as well.
                return

    def _release(self, moment: datetime) -> None:
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
            elif each.job.queued:
                self._launch(each.job)
            else:
                self._admit(each.job)

    # -- queues -------------------------------------------------------------------------------

    def _waiting(self) -> bool:
        return bool(self._queue.entries())

    def _room(self) -> Room:
        places = [Place(job.dag, job.queue) for job in self._starting.values()]
        for run_id, run in self.active_runs().items():
            if run_id not in self._starting:
                places.append(Place(run, self._queue_of_run.get(run_id, self._queue_of_dag(run))))
        return Room(self.limits, places)

    def active_runs(self) -> Mapping[str, str]:
        """The runs that go on: ids to DAGs."""
        return {run.id: run.dag for run in self._runs.active.values()}

    def _queue_of_dag(self, name: str) -> str:
        return next((track.dag.queue for track in self.tracks.values() if track.dag.name == name), "")

    def _pump(self) -> None:
        """Start what waits and has room now."""
        entries = self._queue.entries()
        for run_id in self._queue.broken():
            self._ledger.note("set_aside", run=run_id, reason="its record is damaged")
            self._queue.set_aside(run_id, "its record is damaged")
        if not entries:
            return
        room = self._room()
        busy = {held.job.run for held in self._held} | self._starting.keys()
        for entry in entries:
            if entry.id not in busy:
                self._try_entry(entry, room)

    def _try_entry(self, entry: Waiting, room: Room) -> None:
        if self._runs.exists(entry.id):
            self._queue.remove(entry.id)
            return
        if entry.dag in self._paused or f"queue:{entry.queue or entry.dag}" in self._paused:
            return
        place = place_of(entry)
        if room.lacks(place, limit_of(entry)):
            return
        try:
            text = self._queue.spec(entry.id)
        except DagfsError as error:
            self._queue.set_aside(entry.id, error.message)
            return
        room.take(place)
        self._launch(
            Job(
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
            )
        )

    # -- what it says of itself ---------------------------------------------------------------

    @property
    def starting(self) -> list[str]:
        """Runs that are being started."""
        return sorted(self._starting)

    def upcoming(self, limit: int) -> list[tuple[datetime, str]]:
        """The next starts: when, and of which DAG."""
        known = [(track.due, track.dag.name) for track in self.tracks.values() if track.due is not None]
        return heapq.nsmallest(limit, known)
