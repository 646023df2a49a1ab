"""The scheduler: one turn after the other, each a look at the clock, the runs and the queues.

It holds nothing that it could not find again: what is due follows from the DAG files and the watermarks,
and that nothing is started twice follows from the run ids. A watermark moves only past instants whose
runs exist, or wait in a queue, or were passed over on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from dagfs.errors import DagfsError
from dagfs.model.state import RunState
from dagfs.scheduler.admission import Limits
from dagfs.scheduler.dispatch import TRY_AGAIN, Dispatch
from dagfs.scheduler.due import Due, decide, newest
from dagfs.scheduler.identity import scheduled_id
from dagfs.scheduler.instants import delay
from dagfs.scheduler.job import Job, Launcher, Runs, Started
from dagfs.scheduler.shelf import Shelved
from dagfs.scheduler.timekeeping import Timekeeper, Track
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue

_SECOND = timedelta(seconds=1)
_YEAR = timedelta(days=366)
_NOTED_ONE_BY_ONE = 100
_CANCELLED = "a later one is due, and overlap is cancel"


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
        self._ledger, self._runs, self._launcher, self._now = ledger, runs, launcher, now
        self._dispatch = Dispatch(ledger, queue, runs, launcher, now, limits or Limits())
        self._times = Timekeeper(ledger, now, zone, self._dispatch.uncertain)

    def update(self, dags: Mapping[str, Shelved], changed: Iterable[str]) -> None:
        """Take note of DAG files that came, changed or went."""
        self._times.update(dags, changed)

    def configure(self, zone: str, limits: Limits) -> None:
        """From now on go by these settings."""
        self._times.set_zone(zone)
        self._dispatch.limits = limits

    # -- a turn -------------------------------------------------------------------------------

    def turn(self) -> datetime | None:
        """Do what is to be done now; when the next thing is due, None where nothing is known to be."""
        for started in self._launcher.ended():
            self._hear(started)
        self._dispatch.paused = self._ledger.paused()
        self._times.save_left()
        moment = self._now()
        for track in self._times.went_back(moment):
            self._ledger.note("clock_went_back", dag=track.dag.name)
        if self._times.is_due(moment) or not self._dispatch.is_idle:
            self._runs.refresh()
        self._act_on_due(moment)
        self._dispatch.release(moment)
        self._dispatch.pump()
        moments = (self._dispatch.next_held(), self._times.next())
        return min((each for each in moments if each is not None), default=None)

    def _act_on_due(self, moment: datetime) -> None:
        """Start first, write down later: what is due at once is not to wait for one disk after the other."""
        due = self._times.take_due(moment)
        acted = [track for track in due if self._is_done(track, moment, self._act)]
        for track in acted:
            self._is_done(track, moment, self._plan)

    def _is_done(self, track: Track, moment: datetime, work: Callable[[Track, datetime], None]) -> bool:
        """Do something about a track; where that fails the others go on, and it is tried again soon."""
        try:
            work(track, moment)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no longer among what is due
            # A full disk, say: the watermark has not moved.
            self._fail(track, said(error))
            self._times.again(track, moment + TRY_AGAIN)
            return False
        return True

    def _plan(self, track: Track, _: datetime) -> None:
        self._times.plan(track)
        if not self._dispatch.is_starting(track.dag.key):
            self._save(track)

    def _hear(self, started: Started) -> None:
        try:
            self._take(started)
        except Exception as error:  # noqa: BLE001 - nobody tells of it a second time, nor of the others
            self._ledger.note("error", dag=started.job.dag, run=started.job.run, reason=said(error))

    def _take(self, started: Started) -> None:
        job, error, is_over = self._dispatch.take(started)
        track = self._times.tracks.get(job.key)
        if track is not None:
            track.error = error
            if is_over:
                self._save(track)

    def _save(self, track: Track) -> None:
        try:
            self._times.save(track)
        except DagfsError as error:
            # The next one writes it; until then a restart has ids to see to it that nothing runs twice.
            self._fail(track, error.message)

    def _fail(self, track: Track, error: str) -> None:
        if track.error != error:
            track.error = error
            self._ledger.note("error", dag=track.dag.name, reason=error)

    # -- one DAG that is due ------------------------------------------------------------------

    def _act(self, track: Track, moment: datetime) -> None:
        dag = track.dag
        until = moment - delay(dag.key, dag.schedule)
        due = decide(dag.schedule, self._times.zone, track.watermark, until, track.begun)
        self._tell_missed(track, due)
        if dag.schedule.suspend or dag.name in self._dispatch.paused or not dag.text:
            why = "it is paused" if dag.text else "no good version of its file is known"
            for instant in due.starts[:_NOTED_ONE_BY_ONE]:
                self._pass_over(dag, instant, why)
        else:
            if due.stops:
                self._stop(dag, "its schedule says stop")
                self._dispatch.drop_held(dag.name, "its schedule says stop")
                self._dispatch.drop_waiting(dag.name, "its schedule says stop")
            self._start_all(track, due)
        track.watermark, track.begun = max(until, track.watermark), ()

    def _start_all(self, track: Track, due: Due) -> None:
        """Of instants that would cancel one another only the last is started."""
        starts = [each for each in due.starts if each not in track.dealt]
        if track.dag.schedule.overlap == "cancel":
            for instant in starts[:-1]:
                self._pass_over(track.dag, instant, _CANCELLED)
            starts = starts[-1:]
        for place, instant in enumerate(starts):
            if self._start(track, instant, instant in due.restarts, first=place == 0):
                track.dealt.append(instant)

    def _stop(self, dag: Shelved, why: str) -> None:
        for run in self._dispatch.stop(dag.name):
            self._ledger.note("stopping", dag=dag.name, run=run, reason=why)

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

    def _pass_over(self, dag: Shelved, instant: datetime, why: str) -> None:
        self._ledger.note("passed_over", dag=dag.name, due=instant.isoformat(), reason=why)

    def _start(self, track: Track, instant: datetime, restart: bool, *, first: bool) -> bool:
        """Start, queue, or pass over one instant, as the DAG's rules and what goes on have it.

        Whether there is, or will be, a run of it.
        """
        dag = track.dag
        job = _job(dag, instant)
        if self._dispatch.is_taken(job.run):
            return True
        if dag.schedule.skip_if_successful and (why := self._succeeded_since(dag, instant)):
            self._pass_over(dag, instant, why)
            return False
        if restart:
            self._stop(dag, "its schedule says restart")
            self._dispatch.drop_held(dag.name, "a later restart is due")
        active = self._dispatch.active(dag.name)
        if restart:
            self._dispatch.hold(job, active, dag.schedule.restart_wait_sec if active else 0)
        elif not active or dag.schedule.overlap == "allow":
            self._dispatch.admit(job)
        else:
            return self._overlap(job, dag, active, instant, first)
        return True

    def _succeeded_since(self, dag: Shelved, instant: datetime) -> str:
        last = self._runs.last(dag.name)
        if last is None or last.state not in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED):
            return ""
        if last.trigger == "schedule":
            # It stands for an earlier instant, however late it was made.
            return ""
        before, _ = newest(dag.schedule, self._times.zone, instant - _YEAR, instant - _SECOND)
        since = before[-1][0] if before else None
        return f"run {last.id} has succeeded since" if since is None or last.made >= since else ""

    def _overlap(self, job: Job, dag: Shelved, active: list[str], instant: datetime, first: bool) -> bool:
        policy = dag.schedule.overlap
        # Whatever else may go on at once, it waits for the others of its DAG.
        alone = replace(job, limit=1)
        if policy == "cancel":
            self._stop(dag, _CANCELLED)
            self._dispatch.drop_held(dag.name, _CANCELLED)
            self._dispatch.hold(job, active)
        elif policy in ("queue", "latest"):
            if policy == "latest":
                self._dispatch.drop_waiting(dag.name, "a later one is due")
            self._dispatch.enqueue(alone, f"run {active[0]} goes on")
        elif dag.schedule.catchup == "all" and not first:
            # Missed instants come at once only because they were missed: they follow one another.
            self._dispatch.enqueue(alone, "it is made up for after the ones before it")
        else:
            self._pass_over(dag, instant, f"run {active[0]} goes on")
            return False
        return True

    # -- other reasons to start ---------------------------------------------------------------

    def submit(self, job: Job) -> bool:
        """Start a run for another reason than the clock; False where it was started before."""
        if self._dispatch.is_taken(job.run):
            return False
        self._dispatch.admit(job)
        return True

    def is_dealt_with(self, run: str) -> bool:
        """The run exists, or waits in a queue, or all tries to start it came to nothing."""
        return self._dispatch.is_dealt_with(run)

    def has_room(self, job: Job) -> bool:
        """Whether a run may begin, or go on, beside those that go on."""
        return self._dispatch.has_room(job)

    def retry(self, job: Job) -> None:
        """Go on with a run that exists."""
        self._dispatch.launch(replace(job, retry=True))

    def close(self) -> None:
        """Write down what is still on its way."""
        self._times.save_begun()

    # -- what it says of itself ---------------------------------------------------------------

    @property
    def tracks(self) -> Mapping[str, Track]:
        """What it watches over, by DAG file."""
        return self._times.tracks

    @property
    def is_behind(self) -> bool:
        """There are new schedules whose beginning is still to be written down."""
        return self._times.is_behind

    @property
    def starting(self) -> list[str]:
        """Runs that are being started."""
        return self._dispatch.starting

    def active_runs(self) -> list[str]:
        """The ids of the runs that go on."""
        return list(self._runs.active)

    def expected(self, moment: datetime) -> int:
        """About how many starts are due by then."""
        return self._times.count_until(moment)

    def upcoming(self, limit: int) -> list[tuple[datetime, str, list[str]]]:
        """What comes next: when, with which DAG, and what is done with it."""
        return self._times.upcoming(limit)


def said(error: Exception) -> str:
    """What went wrong, in one line, whoever's fault it is."""
    return error.message if isinstance(error, DagfsError) else f"{type(error).__name__}: {error}"


def _job(dag: Shelved, instant: datetime) -> Job:
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
