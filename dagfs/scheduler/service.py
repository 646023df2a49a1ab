"""The scheduler as a process: waits for the clock, for files, for signals and for its children."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.home import read_home
from dagfs.engine.location import now as clock_now
from dagfs.engine.reading import reading_options
from dagfs.engine.trouble import Trouble, encode_trouble
from dagfs.errors import DagfsError, StoreError
from dagfs.scheduler.census import Census
from dagfs.scheduler.chores import LOOK_SEC, Chores
from dagfs.scheduler.gazette import Gazette
from dagfs.scheduler.launch import Processes
from dagfs.scheduler.limits import limits_of
from dagfs.scheduler.loop import Scheduler, said
from dagfs.scheduler.report import status_of
from dagfs.scheduler.shelf import Shelf
from dagfs.scheduler.systemd import Systemd
from dagfs.scheduler.watch import Watcher
from dagfs.spec.parse import Options
from dagfs.store.ledger import Ledger
from dagfs.store.process import identity, pid_namespace
from dagfs.store.waiting import Queue

RESCAN_SEC = 30.0
UNWATCHED_SEC = 5.0
"""How often files are looked at where changes are not noticed."""
ALIVE_SEC = 10.0
"""The sign of life is never older."""
AHEAD = timedelta(seconds=1.5)
"""So long before something is due its processes are made ready."""
_AFTER_ERROR_SEC = 5.0
_STAGED = re.compile(r"/\.new-[0-9a-z]+")
_END_SEC = 1.0
_STOPS_SEC = 8.0
"""How long the stopping of runs may take to begin, where nothing is ready for it yet."""
_OLDER_SEC = 0.1
"""Between two looks at older runs, after a start."""
_SLICE_SEC = 0.2
"""So long files are read before anything else gets its turn."""


@dataclass
class _Wishes:
    """What signals asked for."""

    stop: bool = False
    reload: bool = False


class Service:
    """One scheduler of one home, from its start to its end."""

    def __init__(self, engine: Engine, say: Callable[[str], None], *, stop_runs: bool = False) -> None:
        """`say` is told in a line whatever happens; with `stop_runs` its end stops every run."""
        home = self._home = engine.home
        self._executors, self._say, self._stop_runs = engine.plugins.executors, say, stop_runs
        self.ledger = Ledger(home.disk, home.paths.scheduler, clock_now, self._told)
        self.queue = Queue(home.disk, home.paths.scheduler)
        self.census = Census(home.store, self.ledger.status().get("active", ()))
        self.launcher = Processes(home.paths.root, plugins=home.settings.plugins is not False)
        self._options = reading_options(home, executors=self._executors)
        self.shelf = Shelf(home.paths, self._options)
        self.scheduler = Scheduler(
            self.ledger,
            self.queue,
            self.census,
            self.launcher,
            now=clock_now,
            zone=home.settings.timezone,
            limits=limits_of(home.settings),
        )
        self._chores = Chores(home.paths, self.ledger, self.shelf, self.census, self.scheduler, self.launcher)
        self._gazette = Gazette(self._claim_news)
        self._systemd = Systemd(os.environ)
        self._wishes = _Wishes()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watcher = Watcher(home.paths.dags, self.wake)
        self._began = clock_now()
        self._settled: list[Path] = []
        self._lag = 0.0
        self._error = self._told_problem = ""
        self._next: datetime | None = None
        """When something is due next."""
        self._has_older = False
        self._told_unread: set[str] = set()
        self._next_rescan = 0.0
        self._alive = -ALIVE_SEC

    # -- the whole life -----------------------------------------------------------------------

    def run(self) -> int:
        """Work until a signal asks it to end; the signal's number."""
        self._home.store.ensure()
        self.ledger.prepare()
        with suppress(StoreError):
            # So that there is a folder to watch: the first file in it is known at once.
            self._home.disk.make_dir(self._home.paths.dags)
        asked = self._catch_signals()
        self.launcher.prepare()
        self._watcher.start()
        self._tell_watching()
        try:
            self._rescan()
            while self.shelf.is_unfinished and not self._wishes.stop:
                self._rescan()
            self.ledger.note("scheduler_started", pid=os.getpid(), dags=len(self.shelf.dags))
            self._systemd.tell("READY=1")
            while not self._wishes.stop:
                self._wait(self._step())
            self._next = None
        finally:
            self._end()
        return asked[-1] if asked else 0

    def wake(self) -> None:
        """Have the next turn begin at once; may be called from any thread."""
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"w")

    def _wait(self, pause: float) -> None:
        """Until something happens, and no longer than that."""
        poller = select.poll()
        for fd in (self._reader, self.launcher.fileno()):
            if fd >= 0:
                poller.register(fd, select.POLLIN)
        if poller.poll(pause * 1000):
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
        self._systemd.tell("STOPPING=1")
        signal.set_wakeup_fd(-1)
        self._watcher.stop()
        with suppress(DagfsError):
            self.scheduler.close()
        with suppress(DagfsError):
            if self._stop_runs:
                self.census.refresh()
                self.launcher.stop(self.scheduler.active_runs())
        self.launcher.close(_STOPS_SEC if self._stop_runs else _END_SEC)
        with suppress(DagfsError):
            self.ledger.note("scheduler_stopped", pid=os.getpid())
            self._write_status(stopped=True)

    # -- one round ----------------------------------------------------------------------------

    def _step(self) -> float:
        """Everything there is to do now; how long to wait for the next thing, in seconds."""
        chores = self._chores
        parts = (
            *(self._notice_files, self._reload, chores.look_for_files, chores.look_at_runs, chores.clean),
            *(self._turn, self._look_back),
        )
        # Whatever is wrong with one, the others are still to be done.
        troubles = [trouble for part in parts if (trouble := _trouble_with(part))]
        self._tell_trouble("; ".join(troubles))
        for part in (self._live, self._tell_people):
            # On a full disk there is nothing to be said of that either.
            _trouble_with(part)
        pause = self._pause(self._next)
        if troubles:
            return min(pause, _AFTER_ERROR_SEC)
        if self.shelf.is_unfinished or self._settled or self.scheduler.is_behind:
            return 0.0
        return min(pause, _OLDER_SEC) if self._has_older else pause

    def _turn(self) -> None:
        """Start what is due. Where that fails the next turn is soon."""
        self._next = None
        due = self.scheduler.upcoming(1)
        if due:
            late = (clock_now() - due[0][0]).total_seconds()
            self._lag = late if late > 0 else self._lag
        self._next = self.scheduler.turn()
        if soon := self.scheduler.expected(clock_now() + AHEAD):
            self.launcher.expect(soon)

    def _look_back(self) -> None:
        self._has_older = self.census.look_at_older()

    def _tell_trouble(self, trouble: str) -> None:
        if trouble and trouble != self._error:
            self.ledger.note("error", reason=trouble)
            # Whoever looks is to see it at once.
            self._alive = -ALIVE_SEC
        self._error = trouble

    def _pause(self, wake: datetime | None) -> float:
        """Never long, so that a clock that was set, or a machine that slept, is noticed soon."""
        pause = min(LOOK_SEC, self._chores.pause)
        if self._systemd.watchdog_sec:
            pause = min(pause, self._systemd.watchdog_sec / 3)
        if wake is not None:
            left = wake - clock_now()
            pause = min(pause, (left - AHEAD if left > AHEAD else left).total_seconds())
        settled = self._watcher.next_settled()
        if settled is not None:
            pause = min(pause, settled)
        return max(0.0, pause) + 0.001

    # -- files --------------------------------------------------------------------------------

    def _notice_files(self) -> None:
        settled, folders = self._watcher.settled()
        self._settled += settled
        waiting = self.shelf.has_unsettled or self.shelf.is_unfinished
        if folders or waiting or time.monotonic() >= self._next_rescan:
            self._rescan(self._settled)
            self._settled = self._settled if self.shelf.is_unfinished else []
        elif self._settled:
            self._took(self._look())

    def _look(self) -> set[str]:
        """Look at files that have settled, a slice of them where they are many."""
        deadline = time.monotonic() + _SLICE_SEC
        changed: set[str] = set()
        while self._settled and time.monotonic() < deadline:
            changed |= self.shelf.look([self._settled.pop()])
        return changed

    def _rescan(self, settled: Sequence[Path] = ()) -> None:
        if self._watcher.check():
            self._tell_watching()
        self._notice_base()
        deadline = time.monotonic() + _SLICE_SEC
        enough = lambda: self._wishes.stop or time.monotonic() > deadline  # noqa: E731
        self._took(self.shelf.rescan(settled, enough, self._watcher.being_written()))
        self._tell_unread()
        every = UNWATCHED_SEC if self._watcher.problem else RESCAN_SEC
        self._next_rescan = time.monotonic() + every

    def _tell_unread(self) -> None:
        unread = self.shelf.unread
        for name in unread.keys() - self._told_unread:
            known = any(f"dags/{key}".startswith(name) for key in self.shelf.dags)
            self.ledger.note("dag_error", file=name, error=unread[name], last_good=known)
        if unread.keys() != self._told_unread:
            self._told_unread, self._alive = set(unread), -ALIVE_SEC

    def _notice_base(self) -> None:
        """Another base.yaml is another reading of every file. One that cannot be read leaves all as it is."""
        with suppress(DagfsError):
            options = reading_options(self._home, executors=self._executors)
            if options != self._options:
                self._read_anew(options)

    def _read_anew(self, options: Options) -> None:
        self._options = options
        self.shelf.renew(options)

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
        before, problem = self._told_problem, self._watcher.problem
        self._told_problem = problem
        if problem and problem != before:
            self.ledger.note("not_watching", reason=problem, every_sec=UNWATCHED_SEC)

    def _reload(self) -> None:
        if not self._wishes.reload:
            return
        self._wishes.reload = False
        self._home = read_home(self._home.paths.root)
        settings = self._home.settings
        self.scheduler.configure(settings.timezone, limits_of(settings))
        self.launcher.renew()
        self.ledger.note("reloaded")
        self._read_anew(reading_options(self._home, executors=self._executors))
        self._rescan()

    # -- what it says -------------------------------------------------------------------------

    def _tell_people(self) -> None:
        """Have notifiers told, each time in a process of its own: a plugin may take its time, or die."""
        for trouble in self._gazette.due():
            self.launcher.command("scheduler", "--tell", text=encode_trouble(self._with_spec(trouble)))
        for command, why in self.launcher.failed():
            self.ledger.note("command_failed", command=command, reason=why)

    def _with_spec(self, trouble: Trouble) -> Trouble:
        """With the last good version of the file that it is about."""
        dags = self.shelf.dags
        named = (each for each in dags.values() if each.name == trouble.subject)
        dag = dags.get(trouble.subject) or next(named, None)
        return replace(trouble, file=str(dag.path), text=dag.text) if dag else trouble

    def _claim_news(self, key: str) -> bool:
        try:
            return self.ledger.claim_news(key)
        except DagfsError:
            # On a full disk there is the more to be told.
            return True

    def _live(self) -> None:
        if self._systemd.watchdog_sec:
            self._systemd.tell("WATCHDOG=1")
        if time.monotonic() - self._alive >= ALIVE_SEC - 1:
            self._write_status()
            count, wake = len(self.scheduler.tracks), self._next
            self._systemd.tell(f"STATUS={count} schedules, next {wake.isoformat() if wake else 'none'}")

    def _write_status(self, *, stopped: bool = False) -> None:
        wake = self._next
        self._alive = time.monotonic()
        who = identity(os.getpid())
        self.ledger.set_status(
            {
                "pid": os.getpid(),
                "identity": who.as_data() if who else {},
                "pid_namespace": pid_namespace(),
                "host": os.uname().nodename,
                "started": self._began.isoformat(),
                "tick": clock_now().isoformat(),
                "stale_after": (clock_now() + timedelta(seconds=3 * ALIVE_SEC)).isoformat(),
                "stopped": stopped,
                "wake": wake.isoformat() if wake else None,
                "lag_sec": round(self._lag, 3),
                "error": self._error,
                "watching": not self._watcher.problem,
                "problem": self._watcher.problem,
                **status_of(self.shelf, self.scheduler, self.queue),
            }
        )

    def _told(self, record: dict[str, Any]) -> None:
        self._gazette.hear(record)
        words = [f"{key}={value}" for key, value in record.items() if key not in ("time", "event")]
        self._say(f"{record['time']} {record['event']} {' '.join(words)}".rstrip())


def _trouble_with(part: Callable[[], object]) -> str:
    """What went wrong with a part of the work; empty where nothing did."""
    try:
        part()
    except Exception as error:  # noqa: BLE001 - whatever it is, all other DAGs are still to be started
        # The name of a file that was to be written is another one each time.
        return _STAGED.sub("", said(error))
    return ""
