"""The scheduler as a process: waits for the clock, for files, for signals and for its children."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.home import read_home
from dagfs.engine.location import now as clock_now
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError
from dagfs.scheduler.again import next_retry, reason
from dagfs.scheduler.census import Census, Counted
from dagfs.scheduler.inbox import Inbox
from dagfs.scheduler.job import Job
from dagfs.scheduler.launch import Processes
from dagfs.scheduler.limits import limits_of
from dagfs.scheduler.loop import Scheduler
from dagfs.scheduler.notify import Notifier
from dagfs.scheduler.report import status_of
from dagfs.scheduler.shelf import Shelf
from dagfs.scheduler.watch import Watcher
from dagfs.store.ledger import Ledger
from dagfs.store.process import identity
from dagfs.store.waiting import Queue

RESCAN_SEC = 30.0
UNWATCHED_SEC = 5.0
"""How often files are looked at where changes are not noticed."""
ALIVE_SEC = 10.0
"""The sign of life is never older."""
LOOK_SEC = 1.0
"""How often queues, pauses and watched files are looked at, and the clock with them."""
_HOUSEKEEPING_SEC = 10.0
_CLEAN_SEC = 3600.0
_AFTER_ERROR_SEC = 5.0


@dataclass
class _Wishes:
    """What signals asked for."""

    stop: bool = False
    reload: bool = False


class Service:
    """One scheduler of one home, from its start to its end."""

    def __init__(self, engine: Engine, say: Callable[[str], None], *, stop_runs: bool = False) -> None:
        """`say` is told in a line whatever happens; with `stop_runs` its end stops every run."""
        home = engine.home
        self._engine, self._say, self._stop_runs = engine, say, stop_runs
        self.ledger = Ledger(home.disk, home.paths.scheduler, clock_now, self._told)
        self.queue = Queue(home.disk, home.paths.scheduler)
        self.census = Census(home.store)
        self.launcher = Processes(home.paths.root, plugins=home.settings.plugins is not False)
        self.shelf = Shelf(home.paths, reading_options(home, executors=engine.plugins.executors))
        self.inbox = Inbox(home.paths.root, self.ledger)
        self.scheduler = Scheduler(
            self.ledger,
            self.queue,
            self.census,
            self.launcher,
            now=clock_now,
            zone=home.settings.timezone,
            limits=limits_of(home.settings),
        )
        self._notifier = Notifier(os.environ)
        self._wishes = _Wishes()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watcher = Watcher(home.paths.dags, self.wake)
        self._began = clock_now()
        self._lag = 0.0
        self._error = ""
        self._next_rescan = self._next_chores = self._next_files = 0.0
        self._next_clean = time.monotonic() + 60
        self._alive = -ALIVE_SEC

    # -- the whole life -----------------------------------------------------------------------

    def run(self) -> int:
        """Work until a signal asks it to end; the signal's number."""
        self._engine.home.store.ensure()
        self.ledger.prepare()
        asked = self._catch_signals()
        self._watcher.start()
        self._tell_watching()
        try:
            self._rescan()
            self.ledger.note("scheduler_started", pid=os.getpid(), dags=len(self.shelf.dags))
            self._notifier.tell("READY=1")
            with selectors.DefaultSelector() as selector:
                selector.register(self._reader, selectors.EVENT_READ)
                while not self._wishes.stop:
                    pause = self._step()
                    if selector.select(pause):
                        self._drain()
        finally:
            self._end()
        return asked[-1] if asked else 0

    def wake(self) -> None:
        """Have the next turn begin at once; may be called from any thread."""
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"w")

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass

    def _catch_signals(self) -> list[int]:
        asked: list[int] = []

        def stop(number: int, _: object) -> None:
            asked.append(number)
            self._wishes.stop = True

        def reload(*_: object) -> None:
            self._wishes.reload = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, reload)
        # Only so that the end of a child wakes it up.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return asked

    def _end(self) -> None:
        self._notifier.tell("STOPPING=1")
        signal.set_wakeup_fd(-1)
        self._watcher.stop()
        if self._stop_runs:
            self.launcher.stop(self.scheduler.active_runs())
        with suppress(DagfsError):
            self.ledger.note("scheduler_stopped", pid=os.getpid())
            self._write_status(None, stopped=True)

    # -- one round ----------------------------------------------------------------------------

    def _step(self) -> float:
        """Everything there is to do now; how long to wait for the next thing, in seconds."""
        try:
            self._notice_files()
            if self._wishes.reload:
                self._reload()
            self._chores()
            due = self.scheduler.upcoming(1)
            if due:
                late = (clock_now() - due[0][0]).total_seconds()
                self._lag = late if late > 0 else self._lag
            wake = self.scheduler.turn()
            self._error = ""
        except DagfsError as error:
            return self._trouble(error.message)
        except Exception as error:  # noqa: BLE001 - whatever it is, all other DAGs are still to be started
            return self._trouble(f"{type(error).__name__}: {error}")
        pause = self._pause(wake)
        self._live(wake)
        return pause

    def _trouble(self, message: str) -> float:
        if message != self._error:
            self._error = message
            self._say(f"error: {message}")
        with suppress(DagfsError):
            self._write_status(None)
        return _AFTER_ERROR_SEC

    def _pause(self, wake: datetime | None) -> float:
        """Never long, so that a clock that was set, or a machine that slept, is noticed soon."""
        pause = LOOK_SEC
        if self._notifier.watchdog_sec:
            pause = min(pause, self._notifier.watchdog_sec / 3)
        if wake is not None:
            pause = min(pause, (wake - clock_now()).total_seconds())
        settled = self._watcher.next_settled()
        if settled is not None:
            pause = min(pause, settled)
        return max(0.0, pause) + 0.001

    # -- files --------------------------------------------------------------------------------

    def _notice_files(self) -> None:
        paths, folders = self._watcher.settled()
        if folders or self.shelf.has_unsettled or time.monotonic() >= self._next_rescan:
            self._rescan(paths)
        elif paths:
            self._took(self.shelf.look(paths))

    def _rescan(self, settled: list[Any] | None = None) -> None:
        if self._watcher.check():
            self._tell_watching()
        self._took(self.shelf.rescan(settled or ()))
        every = UNWATCHED_SEC if self._watcher.problem else RESCAN_SEC
        self._next_rescan = time.monotonic() + every

    def _took(self, changed: set[str]) -> None:
        for key in sorted(changed):
            dag = self.shelf.dags.get(key)
            if dag is not None and dag.error:
                self.ledger.note("dag_error", file=key, error=dag.error, last_good=dag.is_known)
        self.scheduler.update(self.shelf.dags, changed)
        if changed:
            # Whoever saved a file looks for it next.
            self._alive = -ALIVE_SEC

    def _tell_watching(self) -> None:
        if self._watcher.problem:
            self.ledger.note("not_watching", reason=self._watcher.problem, every_sec=UNWATCHED_SEC)

    @property
    def _watching_files(self) -> bool:
        return any(dag.schedule.watch for dag in self.shelf.dags.values())

    def _look_for_files(self) -> None:
        paused = self.ledger.paused()
        for dag in list(self.shelf.dags.values()):
            if dag.schedule.watch and dag.text and not dag.schedule.suspend and dag.name not in paused:
                for job in self.inbox.new_files(dag):
                    self.scheduler.submit(job)
                    self.inbox.had(dag, job)

    # -- chores -------------------------------------------------------------------------------

    def _chores(self) -> None:
        moment = time.monotonic()
        if moment >= self._next_files and self._watching_files:
            self._look_for_files()
            self._next_files = moment + LOOK_SEC
        if moment >= self._next_chores:
            self._next_chores = moment + _HOUSEKEEPING_SEC
            if any(dag.retry_policy.limit for dag in self.shelf.dags.values()):
                self._retry_failed()
        if moment >= self._next_clean:
            self._next_clean = moment + _CLEAN_SEC
            if any(not dag.retention.is_empty for dag in self.shelf.dags.values()):
                self._clean()

    def _retry_failed(self) -> None:
        self.census.refresh()
        policies = {dag.name: dag.retry_policy for dag in self.shelf.dags.values() if dag.retry_policy.limit}
        for run in self.census.wounded:
            policy = policies.get(run.dag)
            when = next_retry(run, policy, clock_now()) if policy else None
            if policy is None or when is None:
                self.census.forget(run.id)
            elif when <= clock_now() and run.id not in self.scheduler.starting:
                self._retry(run, reason(run, policy))

    def _retry(self, run: Counted, why: str) -> None:
        now = self.census.look_again(run.id)
        if now is None or now.state != run.state or now.attempt != run.attempt:
            return
        self.census.forget(run.id)
        if self._engine.home.store.paths(run.id).next_spec.exists():
            self.ledger.note("not_retried", run=run.id, reason="somebody is editing its spec")
        else:
            self.scheduler.retry(Job(run.id, run.dag, "", b"", trigger="retry", reason=why))

    def _clean(self) -> None:
        """In a process of its own: looking through many runs must not make anything late."""
        words = ["-m", "dagfs.cli", "-C", str(self._engine.home.paths.root), "clean", "--yes"]
        self.launcher.adopt(
            subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def _reload(self) -> None:
        self._wishes.reload = False
        settings = read_home(self._engine.home.paths.root).settings
        self.scheduler.zone, self.scheduler.limits = settings.timezone, limits_of(settings)
        self.ledger.note("reloaded")
        self._rescan(list(self.shelf.dags))

    # -- what it says of itself ---------------------------------------------------------------

    def _live(self, wake: datetime | None) -> None:
        if self._notifier.watchdog_sec:
            self._notifier.tell("WATCHDOG=1")
        if time.monotonic() - self._alive >= ALIVE_SEC - 1:
            self._write_status(wake)
            count = len(self.scheduler.tracks)
            self._notifier.tell(f"STATUS={count} schedules, next {wake.isoformat() if wake else 'none'}")

    def _write_status(self, wake: datetime | None, *, stopped: bool = False) -> None:
        self._alive = time.monotonic()
        who = identity(os.getpid())
        self.ledger.set_status(
            {
                "pid": os.getpid(),
                "identity": who.as_data() if who else {},
                "host": os.uname().nodename,
                "started": self._began.isoformat(),
                "tick": clock_now().isoformat(),
                "stale_after": (clock_now() + timedelta(seconds=3 * ALIVE_SEC)).isoformat(),
                "stopped": stopped,
                "wake": wake.isoformat() if wake else None,
                "lag_sec": round(self._lag, 3),
                "error": self._error,
                "watching": not self._watcher.problem,
                **status_of(self.shelf, self.scheduler, self.queue),
            }
        )

    def _told(self, record: dict[str, Any]) -> None:
        words = [f"{key}={value}" for key, value in record.items() if key not in ("time", "event")]
        self._say(f"{record['time']} {record['event']} {' '.join(words)}".rstrip())
