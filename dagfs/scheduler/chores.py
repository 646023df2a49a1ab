"""What a scheduler does beside the clock: looks for files, retries failed runs, has old ones removed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from dagfs.engine.location import now as clock_now
from dagfs.model.state import RunState
from dagfs.scheduler.again import next_retry, reason
from dagfs.scheduler.census import Census, Counted
from dagfs.scheduler.inbox import Inbox
from dagfs.scheduler.job import Job
from dagfs.scheduler.launch import Processes
from dagfs.scheduler.loop import Scheduler
from dagfs.scheduler.shelf import Shelf, Shelved
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger

LOOK_SEC = 1.0
_RUNS_SEC = 2.0
"""Between two looks at the runs that go on, where they are few."""
_FEW = 50
_ALL_SEC = 10.0
"""Between two looks for runs that others began, where failed ones are retried."""
_ALL_IDLE_SEC = 30.0
_CLEAN_SEC = 3600.0
_FIRST_CLEAN_SEC = 60.0


class Chores:
    """Each is done at its own pace, and only where a DAG asks for it."""

    def __init__(
        self,
        home: HomePaths,
        ledger: Ledger,
        shelf: Shelf,
        census: Census,
        scheduler: Scheduler,
        launcher: Processes,
    ) -> None:
        self._home, self._ledger, self._shelf, self._census = home, ledger, shelf, census
        self._scheduler, self._launcher = scheduler, launcher
        self._inbox = Inbox(home, ledger)
        self._next_look = self._next_runs = self._next_all = 0.0
        self._next_clean = time.monotonic() + _FIRST_CLEAN_SEC

    @property
    def pause(self) -> float:
        """In how many seconds it is time for the next one."""
        return max(0.0, self._next_look - time.monotonic())

    def look_for_files(self) -> None:
        """Where it is time for that."""
        moment = time.monotonic()
        if moment >= self._next_look:
            self._next_look = moment + LOOK_SEC
            if any(dag.schedule.watch for dag in self._shelf.dags.values()):
                self._look_for_files()

    def look_at_runs(self) -> None:
        """Where it is time for that: retry what failed, tell of dead engines."""
        moment = time.monotonic()
        if moment >= self._next_runs:
            self._next_runs = moment + _RUNS_SEC
            self._look_at_runs(moment)

    def clean(self) -> None:
        """Where it is time for that, in a process of its own: it must not make anything late."""
        moment = time.monotonic()
        if moment >= self._next_clean:
            self._next_clean = moment + _CLEAN_SEC
            if any(not dag.retention.is_empty for dag in self._shelf.dags.values()):
                self._launcher.command("clean", "--yes")

    def _look_for_files(self) -> None:
        paused = self._ledger.paused()
        watching = [
            dag
            for dag in self._shelf.dags.values()
            if dag.schedule.watch and dag.text and not dag.schedule.suspend and dag.name not in paused
        ]
        for dag, job in self._inbox.new_files(watching):
            # Not before its run exists: who comes next would never start it.
            if self._scheduler.is_dealt_with(job.run):
                self._inbox.had(dag, job)
            else:
                self._scheduler.submit(job)
        rest = self._inbox.rest_sec
        self._next_look = time.monotonic() + (rest if self._inbox.is_behind else max(LOOK_SEC, rest))

    def _look_at_runs(self, moment: float) -> None:
        policies = {dag.name: dag for dag in self._shelf.dags.values() if dag.retry_policy.limit}
        if moment >= self._next_all:
            self._next_all = moment + (_ALL_SEC if policies else _ALL_IDLE_SEC)
            self._census.refresh()
        elif len(self._census.active) <= _FEW:
            self._census.look_at_active()
        self._tell_of_dead(policies)
        self._retry_failed(policies)

    def _tell_of_dead(self, policies: Mapping[str, Shelved]) -> None:
        """Engines that were killed can tell nobody."""
        for run in self._census.died():
            now = self._census.look_again(run.id)
            if now is not None and now.state == RunState.INTERRUPTED:
                dag = policies.get(run.dag)
                goes_on = dag is not None and next_retry(run, dag.retry_policy, clock_now()) is not None
                then = (
                    "the scheduler goes on with it" if goes_on else f"`dagfs retry {run.id}` goes on with it"
                )
                self._ledger.note("engine_died", dag=run.dag, run=run.id, then=then)

    def _retry_failed(self, policies: Mapping[str, Shelved]) -> None:
        paused = self._ledger.paused()
        for run in self._census.wounded:
            dag = policies.get(run.dag)
            when = next_retry(run, dag.retry_policy, clock_now()) if dag else None
            if dag is None or when is None:
                self._census.forget(run.id)
                continue
            waits = dag.schedule.suspend or dag.name in paused or run.id in self._scheduler.starting
            if when <= clock_now() and not waits:
                self._retry(run, dag)

    def _retry(self, run: Counted, dag: Shelved) -> None:
        job = Job(
            run.id,
            run.dag,
            "",
            b"",
            trigger="retry",
            reason=reason(run, dag.retry_policy),
            profile=run.profile,
            queue=run.queue,
            limit=dag.max_active_runs,
        )
        if not self._scheduler.has_room(job):
            return
        now = self._census.look_again(run.id)
        if now is None or now.state != run.state or now.attempt != run.attempt:
            return
        self._census.forget(run.id)
        if self._home.run(run.id).next_spec.exists():
            self._ledger.note("not_retried", run=run.id, reason="somebody is editing its spec")
        else:
            self._scheduler.retry(job)
