"""Grants what executions wish for: processes by pidfd, pauses by timer, one turn at a time.

Each turn journals what is to begin, makes it durable, and only then begins it. One loop serves a run and
all its children.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Callable
from typing import Self

from dagfs.engine.chronicle import Chronicles
from dagfs.engine.execution import Execution
from dagfs.engine.pool import Adopted, Pool
from dagfs.engine.signals import Signals
from dagfs.engine.timers import Timers
from dagfs.engine.tree import kill_by_token, open_process
from dagfs.engine.view import ending as ending_of
from dagfs.engine.wish import Attach, Await, Events, Start, Steps, Wish
from dagfs.engine.zygote import LaunchFailed
from dagfs.errors import StoreError
from dagfs.model import event as ev
from dagfs.model.value import mutable
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending
from dagfs.store.record import read

_LAUNCH_AGAIN_SEC = 0.5


@mutable
class Active:
    """An execution under way, and what it waits for: its process, a pause, a free place, or others."""

    execution: Execution
    steps: Steps
    on_end: Callable[[Outcome], None]
    launch: Start | None = None
    shim: Adopted | None = None
    is_second: bool = False
    """Its launch came to nothing once; if it does again, that is no accident."""
    sleeping: bool = False


class Loop:
    """The one loop of an engine. Enter it to have signals told to `on_signal`."""

    def __init__(self, pool: Pool, places: int, on_signal: Callable[[int], None]) -> None:
        """`places` is how many processes may run at once."""
        self.timers = Timers()
        self.chronicles = Chronicles()
        self._pool, self.places = pool, places
        self._selector = selectors.EpollSelector()
        self._signals = Signals(self._selector, on_signal)
        self._due: deque[Callable[[], None]] = deque()
        self._hungry: deque[Callable[[], None]] = deque()
        self._waiting: deque[Active] = deque()
        self._running = 0

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.__exit__()
        self._selector.close()

    @property
    def has_place(self) -> bool:
        """One more process could run at once."""
        return len(self._waiting) + self._running < self.places

    def want_place(self, action: Callable[[], None]) -> None:
        """Let `action` happen, once, when one more process could run."""
        self._hungry.append(action)

    def soon(self, action: Callable[[], None]) -> None:
        """Let `action` happen in this turn, after what happens now."""
        self._due.append(action)

    def begin(self, active: Active, delay: float = 0) -> None:
        """Take an execution in hand, after `delay` seconds."""
        if delay:
            self._sleep(active, delay)
        else:
            self._advance(active, None)

    def turn_until(self, is_over: Callable[[], bool]) -> None:
        """Turns until `is_over`."""
        while True:
            self._settle()
            self.chronicles.publish()
            if is_over():
                return
            self._wait()

    def stop(self, active: Active) -> None:
        """Ask an execution to end: its process is told, its pause is over."""
        if active.shim is not None:
            self._signal(active, active.shim)
        elif active.sleeping:
            self._wake(active)

    # --- one execution

    def _advance(self, active: Active, ending: Ending | None) -> None:
        """Let an execution go on to its next wish, or to its end."""
        try:
            wish = next(active.steps) if ending is None else active.steps.send(ending)
        except StopIteration as stop:
            active.on_end(stop.value)
            return
        self._take(active, wish)

    def _take(self, active: Active, wish: Wish) -> None:
        if isinstance(wish, Start):
            active.launch, active.is_second = wish, False
            self._waiting.append(active)
        elif isinstance(wish, Attach):
            self._attach(active, wish)
        elif isinstance(wish, Await):
            self._note(active, wish.events)
            wish.begin(lambda ending: self.soon(lambda: self._advance(active, ending)))
        else:
            self._note(active, wish.events)
            self._sleep(active, wish.seconds)

    def _note(self, active: Active, events: Events) -> None:
        for name, data in events:
            active.execution.note(name, **data)

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
            self._watch(active, Adopted(pidfd))
            return
        record = read(wish.path)
        if record is not None and record.is_running:
            # It lives, but there is no descriptor to be had for it just now.
            self.timers.after(_LAUNCH_AGAIN_SEC, lambda: self._attach(active, wish))
        else:
            self._advance(active, ending_of(record))

    def _watch(self, active: Active, shim: Adopted) -> None:
        active.shim = shim
        self._running += 1
        self._selector.register(shim, selectors.EVENT_READ, lambda: self._exited(active, shim))
        if active.execution.is_stopping:
            self._signal(active, shim)

    # --- a turn

    def _settle(self) -> None:
        """All that can be done now, before there is something to wait for."""
        while True:
            while self._due:
                self._due.popleft()()
            self._grant()
            if self._hungry and self.has_place:
                self.soon(self._hungry.popleft())
            if not self._due:
                return

    def _grant(self) -> None:
        """Journal the starts that there is room for, make them durable, then start."""
        starting: list[Active] = []
        while self._waiting and self._running + len(starting) < self.places:
            active = self._waiting.popleft()
            if active.execution.is_stopping:
                self._advance(active, Ending(cause="stop"))
                continue
            self._note(active, active.launch.events if active.launch else ())
            starting.append(active)
        self.chronicles.commit()
        for active in starting:
            self._launch(active)

    def _launch(self, active: Active) -> None:
        assert active.launch is not None
        try:
            child = self._pool.launch(active.launch.launch)
        except LaunchFailed:
            # No process to be had just now: the start is journaled, so only the launch is tried again.
            self._running += 1
            self.timers.after(_LAUNCH_AGAIN_SEC, lambda: self._launch_later(active))
            return
        self._watch(active, child)

    def _launch_later(self, active: Active) -> None:
        self._running -= 1
        self._launch_again(active)

    def _launch_again(self, active: Active) -> None:
        if active.execution.is_stopping:
            self._advance(active, Ending(cause="stop"))
        else:
            self._launch(active)

    def _wait(self) -> None:
        waits = [each for each in (self.timers.wait(), self.chronicles.patience()) if each is not None]
        for key, _ in self._selector.select(min(waits) if waits else None):
            key.data()
        self.timers.fire()

    def _exited(self, active: Active, shim: Adopted) -> None:
        self._selector.unregister(shim)
        self._pool.take_back(shim)
        active.shim = None
        self._running -= 1
        ending = self._ending(active)
        if ending is None:
            active.is_second = True
            self._launch_again(active)
        else:
            self._advance(active, ending)

    def _ending(self, active: Active) -> Ending | None:
        """How the process ended, by its record; None where its shim went before it had begun anything."""
        execution = active.execution
        path = active.launch.launch.record if active.launch else str(execution.record_path)
        try:
            record = read(path)
        except StoreError as error:
            # A step may spoil its own folder; the others are not to suffer for it.
            return Ending(error=error.message)
        if record is None and active.launch and not active.is_second and os.path.isdir(os.path.dirname(path)):
            return None
        if record is None:
            return Ending(error=f"there is no record {path}: was its folder removed, or is the disk full?")
        if record.exit is not None:
            return ending_of(record)
        killed = kill_by_token(active.launch.launch.token if active.launch else execution.token)
        return Ending(cause="lost", error=f"its supervising process was killed; {killed} left-overs ended")

    def _signal(self, active: Active, shim: Adopted) -> None:
        try:
            shim.tell(kill=active.execution.is_killed)
        except PermissionError:
            # Adopted from the engine of another user.
            name = active.execution.name
            message = f"{name} runs as another user, who alone can stop it: waiting for its end"
            active.execution.note(ev.NOTICE, message=message)
