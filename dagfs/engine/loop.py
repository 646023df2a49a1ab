"""Grants what executions wish for: processes by pidfd, pauses by timer, one turn at a time.

Each turn journals what is to begin, makes it durable, and only then begins it.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from dagfs.engine.chronicle import Chronicle
from dagfs.engine.execution import Attach, Execution, Start, Steps, Wish
from dagfs.engine.signals import Signals
from dagfs.engine.timers import Timers
from dagfs.engine.tree import kill_by_token, open_process
from dagfs.engine.view import ending as ending_of
from dagfs.engine.zygote import LaunchFailed, Zygote
from dagfs.errors import StoreError
from dagfs.model import event as ev
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending
from dagfs.store.record import read

_LAUNCH_AGAIN_SEC = 0.5


@dataclass(eq=False, slots=True)
class Active:
    """An execution under way, and what it waits for: its process, a pause, or a free place."""

    execution: Execution
    steps: Steps
    on_end: Callable[[Outcome], None]
    launch: Start | None = None
    pidfd: int = -1
    sleeping: bool = False
    told: bool = False
    """Its process was asked to stop; asked once more, its shim would kill it before its grace is over."""


@dataclass(slots=True)
class Interruption:
    """What has been asked of a run from outside."""

    stop: bool = False
    kill: bool = False
    signal: int = 0
    """The first signal that asked to stop."""


class Loop:
    """The one loop of an engine. Enter it to have signals stop what runs in it."""

    def __init__(self, chronicle: Chronicle, zygote: Zygote, places: int) -> None:
        """`places` is how many processes may run at once."""
        self.timers = Timers()
        self.asked = Interruption()
        self._chronicle, self._zygote, self._places = chronicle, zygote, places
        self._selector = selectors.EpollSelector()
        self._signals = Signals(self._selector, self._on_signal)
        self._waiting: deque[Active] = deque()
        self._active: dict[Active, None] = {}
        self._running = 0

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.__exit__()
        self._selector.close()

    @property
    def is_idle(self) -> bool:
        return not self._active

    @property
    def has_place(self) -> bool:
        """One more process could run at once."""
        return len(self._waiting) + self._running < self._places

    def begin(
        self, execution: Execution, steps: Steps, on_end: Callable[[Outcome], None], *, delay: float = 0
    ) -> None:
        """Take an execution in hand; `on_end` is called with its outcome. `delay` in seconds."""
        active = Active(execution, steps, on_end)
        self._active[active] = None
        if delay:
            self._sleep(active, delay)
        else:
            self._advance(active, None)

    def turn_until(self, is_over: Callable[[], bool], refill: Callable[[], None]) -> None:
        """Turns until `is_over`. `refill` begins what may begin."""
        while True:
            refill()
            self._grant()
            self._chronicle.publish()
            if is_over():
                return
            self._wait()

    def stop(self) -> None:
        """Ask all that runs to end, and end all pauses; with `asked.kill`, kill it."""
        for active in list(self._active):
            if active.pidfd >= 0:
                self._signal(active)
            elif active.sleeping:
                active.sleeping = False
                self._advance(active, None)

    # --- one execution

    def _advance(self, active: Active, ending: Ending | None) -> None:
        """Let an execution go on to its next wish, or to its end."""
        try:
            wish = next(active.steps) if ending is None else active.steps.send(ending)
        except StopIteration as stop:
            del self._active[active]
            active.on_end(stop.value)
            return
        self._take(active, wish)

    def _take(self, active: Active, wish: Wish) -> None:
        if isinstance(wish, Start):
            active.launch = wish
            self._waiting.append(active)
        elif isinstance(wish, Attach):
            self._attach(active, wish)
        else:
            for name, data in wish.events:
                self._chronicle.note(name, **data)
            self._sleep(active, wish.seconds)

    def _sleep(self, active: Active, seconds: float) -> None:
        active.sleeping = True
        self.timers.after(seconds, lambda: self._wake(active))

    def _wake(self, active: Active) -> None:
        if active.sleeping:
            active.sleeping = False
            self._advance(active, None)

    def _attach(self, active: Active, wish: Attach) -> None:
        active.launch = None
        pidfd = open_process(wish.record.shim) if wish.record.shim else None
        if pidfd is not None:
            self._watch(active, pidfd)
            return
        record = read(wish.path)
        if record is not None and record.is_running:
            # It lives, but there is no descriptor to be had for it just now.
            self.timers.after(_LAUNCH_AGAIN_SEC, lambda: self._attach(active, wish))
        else:
            self._advance(active, ending_of(record))

    def _watch(self, active: Active, pidfd: int) -> None:
        active.pidfd, active.told = pidfd, False
        self._running += 1
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._exited(active))
        if active.execution.is_stopping:
            self._signal(active)

    # --- a turn

    def _grant(self) -> None:
        """Journal the starts that there is room for, make them durable, then start."""
        starting: list[Active] = []
        while self._waiting and self._running + len(starting) < self._places:
            active = self._waiting.popleft()
            if active.execution.is_stopping:
                self._advance(active, Ending(cause="stop"))
                continue
            for name, data in active.launch.events if active.launch else ():
                self._chronicle.note(name, **data)
            starting.append(active)
        self._chronicle.commit()
        for active in starting:
            self._launch(active)

    def _launch(self, active: Active) -> None:
        assert active.launch is not None
        try:
            child = self._zygote.launch(active.launch.launch)
        except LaunchFailed:
            # No process to be had just now: the start is journaled, so only the launch is tried again.
            self._running += 1
            self.timers.after(_LAUNCH_AGAIN_SEC, lambda: self._launch_again(active))
            return
        self._watch(active, child.pidfd)

    def _launch_again(self, active: Active) -> None:
        self._running -= 1
        if active.execution.is_stopping:
            self._advance(active, Ending(cause="stop"))
        else:
            self._launch(active)

    def _wait(self) -> None:
        waits = [each for each in (self.timers.wait(), self._chronicle.patience()) if each is not None]
        for key, _ in self._selector.select(min(waits) if waits else None):
            key.data()
        self.timers.fire()

    def _exited(self, active: Active) -> None:
        self._selector.unregister(active.pidfd)
        os.close(active.pidfd)
        active.pidfd = -1
        self._running -= 1
        self._advance(active, self._ending(active))

    def _ending(self, active: Active) -> Ending:
        """How the process ended, by its record."""
        execution = active.execution
        path = active.launch.launch.record if active.launch else str(execution.record_path)
        try:
            record = read(path)
        except StoreError as error:
            # A step may spoil its own folder; the others are not to suffer for it.
            return Ending(error=error.message)
        if record is None:
            return Ending(error=f"there is no record {path}: was its folder removed, or is the disk full?")
        if record.exit is not None:
            return ending_of(record)
        killed = kill_by_token(active.launch.launch.token if active.launch else execution.token)
        return Ending(cause="lost", error=f"its supervising process was killed; {killed} left-overs ended")

    # --- interruptions

    def _on_signal(self, number: int) -> None:
        """First: stop gracefully. Second: kill."""
        if self.asked.stop:
            self.asked.kill = True
        else:
            self._chronicle.note(ev.STOP_REQUESTED, signal=signal.Signals(number).name)
        self.asked.stop = True
        self.asked.signal = self.asked.signal or number
        self.stop()

    def _signal(self, active: Active) -> None:
        if active.told and not self.asked.kill:
            return
        active.told = True
        number = signal.SIGUSR1 if self.asked.kill else signal.SIGTERM
        try:
            signal.pidfd_send_signal(active.pidfd, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            # Adopted from the engine of another user.
            name = active.execution.name
            message = f"{name} runs as another user, who alone can stop it: waiting for its end"
            self._chronicle.note(ev.NOTICE, message=message)
