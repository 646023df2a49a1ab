"""Watches over one step from its start until nothing of it is left: stops it, kills it, reaps its tree.

One loop, woken by signals, by output and by time.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress

from dagfs.engine.aftermath import clean_up_in_shim
from dagfs.engine.launch import Launch
from dagfs.engine.pump import Streams
from dagfs.engine.spawn import NoRoom, Unstartable, spawn
from dagfs.engine.tree import children
from dagfs.errors import StoreError
from dagfs.store.process import identity
from dagfs.store.record import STARTED, Exit, RecordWriter

_IGNORED = (
    signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGALRM,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2,
)  # fmt: skip
_HEARD = (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
_NEVER = float("inf")
_NO_ROOM_PATIENCE_SEC = 60.0
_LOOK_AGAIN_SEC = 0.05
_LONGEST_WAIT_SEC = 3600.0


def set_handlers() -> None:
    """What signals do in a shim; set in the zygote, which blocks them all, to be inherited."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    for number in _HEARD:
        signal.signal(number, lambda *_: None)


def listen() -> int:
    """Hear from now on the signals that matter, as bytes from the descriptor given."""
    wake, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return wake


def kill_all() -> int:
    """Kill and reap whatever is left; gives how many."""
    count = 0
    while True:
        for pid in children():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return count
        count += 1


class Supervisor:
    """Starts the step, watches over it and says how it ended."""

    def __init__(self, launch: Launch, record: RecordWriter, wake: int) -> None:
        """`wake` is where signals are heard, see `listen`."""
        self._launch = launch
        self._record = record
        self._streams: Streams | None = None
        self._wake = wake
        self._poller = select.poll()
        self._poller.register(self._wake, select.POLLIN)
        self._main = 0
        self._status: int | None = None
        self._cause: str | None = None
        self._asked = False
        self._times_out_at = _NEVER
        self._kills_at = _NEVER
        self._killed = 0
        self._untouchable: set[int] = set()
        self._is_alone = False

    @property
    def left_nothing(self) -> bool:
        """It ended without a trace in this process: no child, signal or descriptor is left of it."""
        pumps = self._streams.pumps if self._streams else ()
        return self._is_alone and self._cause is None and not pumps and not self._is_told()

    def _is_told(self) -> bool:
        """Whether something is asked of it still, which came too late."""
        numbers = b""
        with suppress(BlockingIOError):
            while more := os.read(self._wake, 512):
                numbers += more
        return any(number != signal.SIGCHLD for number in numbers)

    def run(self) -> Exit:
        """From the start until nothing of the step is left."""
        os.umask(self._launch.umask)
        try:
            self._streams = Streams(self._launch)
            self._start(self._streams)
        except Unstartable as error:
            return Exit(error.code, cause=self._cause, error=error.message)
        while not self._is_over():
            self._wait(self._patience())
        for pump in self._streams.pumps:
            pump.drain()
        if self._cause and self._launch.cleanup:
            clean_up_in_shim(self._launch)
            self._killed += kill_all()
        return self._exit(self._streams.lost)

    # --- the start

    def _start(self, streams: Streams) -> None:
        try:
            os.chdir(self._launch.cwd)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Unstartable(f"cannot enter {self._launch.cwd}: {reason}") from None
        self._main = self._spawn(streams)
        # To stay there would keep its file system from being unmounted.
        os.chdir("/")
        streams.hand_over()
        for pump in streams.pumps:
            self._poller.register(pump.read_end, select.POLLIN)
        if self._launch.timeout_sec > 0:
            self._times_out_at = time.monotonic() + self._launch.timeout_sec
        who = identity(self._main)
        with suppress(StoreError):
            self._record.note(STARTED, who.as_data() if who else {"pid": self._main})

    def _spawn(self, streams: Streams) -> int:
        """Spawn, again and again while this machine has no room; a stop ends that."""
        deadline, pause = time.monotonic() + _NO_ROOM_PATIENCE_SEC, 0.01
        while True:
            try:
                return spawn(self._launch, streams.stdout, streams.stderr)
            except NoRoom:
                if time.monotonic() > deadline:
                    raise
            self._wait(pause)
            if self._cause:
                raise Unstartable("stopped before it began")
            pause = min(pause * 2, 1.0)

    # --- watching

    def _is_over(self) -> bool:
        """One look at everything: reap, do what is due, and tell whether nothing of the step is left."""
        alone = self._reap()
        now = time.monotonic()
        if self._status is None:
            if now >= self._times_out_at and self._cause is None:
                self._stop("timeout")
        elif alone or self._may_leave():
            return True
        elif self._cause is None or not self._group_is_alive():
            self._kills_at = 0
        if now >= self._kills_at:
            self._kill()
        return self._status is not None and bool(self._untouchable) and self._untouchable >= set(children())

    def _may_leave(self) -> bool:
        return self._launch.keep_leftovers and self._cause is None

    def _reap(self) -> bool:
        """Take the ends of all that ended; whether no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._is_alone = self._status is not None
                return True
            if pid == 0:
                return False
            self._untouchable.discard(pid)
            if pid == self._main:
                self._status = status
            elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                self._killed += self._kills_at <= time.monotonic()

    def _group_is_alive(self) -> bool:
        """Whether others who got the stop signal still use the grace given to them."""
        try:
            os.killpg(self._main, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _patience(self) -> float:
        """Seconds until something is due even if nothing happens."""
        if self._status is not None or self._kills_at == 0:
            # Grandchildren become children, and members leave a group, without a word to us.
            return _LOOK_AGAIN_SEC
        due = min(self._kills_at, self._times_out_at if self._cause is None else _NEVER)
        return max(0.0, due - time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Until a signal, output or the time; signals are obeyed, output is copied."""
        for fd, _ in self._poller.poll(min(seconds, _LONGEST_WAIT_SEC) * 1000 + 1):
            if fd == self._wake:
                self._obey(os.read(self._wake, 512))
            elif self._streams is not None:
                pump = next(each for each in self._streams.pumps if each.read_end == fd)
                if pump.copy() == 0:
                    self._poller.unregister(fd)

    # --- ending it

    def _obey(self, numbers: bytes) -> None:
        if self._main and self._status is None:
            # What has ended by itself was not stopped.
            self._reap()
        if self._status is not None and self._cause is None:
            return
        for number in numbers:
            if number == signal.SIGCHLD:
                continue
            if number == signal.SIGUSR1 or self._asked:
                self._cause = "timeout" if self._cause == "timeout" else "kill"
                self._kills_at = 0
            elif self._cause is None:
                self._stop("stop")
            self._asked = True

    def _stop(self, cause: str) -> None:
        """Begin the graceful end."""
        self._cause = cause
        self._kills_at = time.monotonic() + max(0.0, self._launch.grace_sec)
        if not self._main:
            return
        # A stopped process acts on its signal only once it goes on.
        for number in (self._launch.stop_signal, signal.SIGCONT):
            with suppress(OSError):
                os.killpg(self._main, number)

    def _kill(self) -> None:
        """Kill the children; theirs become ours, and their turn comes next.

        None of them is reaped meanwhile, so each number still means the same process.
        """
        self._kills_at = 0
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                self._untouchable.add(pid)

    def _exit(self, lost: int) -> Exit:
        code = os.waitstatus_to_exitcode(self._status or 0)
        return Exit(
            exit_code=128 - code if code < 0 else code,
            signal=-code if code < 0 else None,
            cause=self._cause,
            leftovers=self._killed,
            survivors=len(self._untouchable.intersection(children())),
            truncated=lost,
        )
