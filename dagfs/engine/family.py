"""The children of one runner's steps while they are under way: asked for, opened, told and stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dagfs.engine.call import ChildEnd, Manner, Order
from dagfs.engine.descent import ChildRunner, Descent
from dagfs.engine.loop import Loop
from dagfs.engine.work import Work
from dagfs.model.dag import Step
from dagfs.model.fold import Fold
from dagfs.model.run import ChildRun
from dagfs.planning.outcome import Ending

Done = Callable[[Ending, Sequence[ChildEnd]], None]


class Nursery(Protocol):
    """Opens the children of a run."""

    def open(
        self, parent: Work, step: Step, order: Order, known: ChildRun | None, manner: Manner
    ) -> Work | ChildEnd:
        """The child's attempt, or its end where nothing of it is to run. Raises DagfsError.

        `known` is the child as the parent's attempt knows it already.
        """


class MakeRunner(Protocol):
    """Makes the runner of a child; `on_end` is called at its end."""

    def __call__(self, work: Work, on_end: Callable[[], None], *, may_wait: bool) -> ChildRunner: ...


class Family:
    """All children of one run that are under way."""

    def __init__(
        self, work: Work, loop: Loop, nursery: Nursery, make: MakeRunner, note: Callable[..., None]
    ) -> None:
        self._work, self._loop, self._nursery = work, loop, nursery
        self._make, self._note = make, note
        self._descents: dict[Descent, None] = {}

    def __len__(self) -> int:
        """How many steps have children under way."""
        return len(self._descents)

    def descend(
        self,
        fold: Fold,
        step: Step,
        subject: Mapping[str, str],
        orders: Sequence[Order],
        manner: Manner,
        done: Done,
        *,
        may_wait: bool,
    ) -> Descent:
        """Set out to the children that a step asks for; `done` gets how that ended. To be begun."""
        known = dict(fold.children(**subject))
        name = subject.get("step")
        there = known.keys() | (fold.step(name).children.keys() if name else set())

        def end(ending: Ending, ends: Sequence[ChildEnd]) -> None:
            self._descents.pop(descent, None)
            call_off()
            done(ending, ends)

        def open_child(order: Order, on_end: Callable[[], None], way: Manner) -> ChildRunner | ChildEnd:
            way = Manner.OFF if way is Manner.ON and descent.stopping else way
            opened = self._nursery.open(self._work, step, order, known.get(order.child), way)
            if isinstance(opened, ChildEnd):
                return opened
            return self._make(opened, on_end, may_wait=may_wait)

        descent = Descent(step, subject, orders, manner, open_child, self._note, end, known, there)
        call_off = self._limit(step, descent)
        self._descents[descent] = None
        return descent

    def _limit(self, step: Step, descent: Descent) -> Callable[[], None]:
        if not step.timeout_sec:
            return lambda: None
        return self._loop.timers.after(step.timeout_sec, lambda: descent.time_out(signal.SIGTERM))

    def look(self) -> None:
        """Somebody left a word."""
        self._each(lambda descent: descent.look())

    def interrupt(self, number: int, *, kill: bool) -> None:
        """Ask all of them to stop."""
        self._each(lambda descent: descent.interrupt(number, kill=kill))

    def kill(self) -> None:
        """End all their processes; nothing is written any more."""
        self._each(lambda descent: descent.kill())

    def close(self) -> None:
        """Let go of their journals."""
        self._each(lambda descent: descent.close())

    def _each(self, act: Callable[[Descent], Any]) -> None:
        for descent in tuple(self._descents):
            act(descent)
