"""The children of one try of a step: opened in the order of their items, so many at once, then counted up."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from dagfs.engine.call import ChildEnd, Manner, Order, why
from dagfs.errors import DagfsError
from dagfs.model import event as ev
from dagfs.model.dag import Step
from dagfs.model.run import ChildRun
from dagfs.model.state import RunState
from dagfs.model.value import field, mutable
from dagfs.planning.outcome import Ending


class ChildRunner(Protocol):
    """A child under way."""

    @property
    def n(self) -> int:
        """Its own attempt."""
        ...

    def begin(self) -> None: ...

    def interrupt(self, number: int, *, kill: bool) -> None: ...

    def kill(self) -> None: ...

    def look(self) -> None: ...

    def close(self) -> None: ...

    def end(self, order: Order) -> ChildEnd:
        """How it ended, once it has."""
        ...


Open = Callable[[Order, Callable[[], None], Manner], "ChildRunner | ChildEnd"]
"""Opens one child in a manner: a runner that calls back at its end, or the end itself where nothing of it is
to run.

Raises DagfsError where it cannot be opened.
"""
Note = Callable[..., None]


@mutable
class Descent:
    """One step's children on their way. `done` is called once all have ended."""

    step: Step
    subject: Mapping[str, str]
    orders: Sequence[Order]
    manner: Manner
    open: Open
    note: Note
    done: Callable[[Ending, Sequence[ChildEnd]], None]
    known: Mapping[str, ChildRun]
    """The children of this attempt so far, by id."""
    there: Collection[str]
    """The ids of those that earlier attempts know of, too."""
    stopping: bool = False
    killing: bool = False
    timed_out: bool = False
    _ends: dict[str, ChildEnd] = field(default_factory=dict)
    _under_way: dict[str, ChildRunner] = field(default_factory=dict)
    _next: deque[Order] = field(default_factory=deque)
    _is_over: bool = False

    def begin(self) -> None:
        """Open as many as may run at once."""
        self._next.extend(self.orders)
        self._go_on()

    def interrupt(self, number: int, *, kill: bool) -> None:
        """Open no more, and ask those under way to stop."""
        self._next.extend(self._waiting())
        self.stopping, self.killing = True, self.killing or kill
        for runner in tuple(self._under_way.values()):
            runner.interrupt(number, kill=kill)
        self._go_on()

    def look(self) -> None:
        """Somebody left a word: for a child under way, or for one that waits until the others have ended."""
        for runner in tuple(self._under_way.values()):
            runner.look()
        if not self.stopping:
            self._next.extend(self._waiting())
            self._go_on()

    def _waiting(self) -> list[Order]:
        """Those that have ended because they wait, and are not to be opened again already."""
        asked = {child for child, end in self._ends.items() if end.state is RunState.WAITING}
        asked -= {order.child for order in self._next}
        return [order for order in self.orders if order.child in asked]

    def kill(self) -> None:
        """End all their processes at once; nothing is written any more."""
        self.stopping = True
        self._next.clear()
        for runner in tuple(self._under_way.values()):
            runner.kill()

    def close(self) -> None:
        """Let go of the journals of those under way."""
        for runner in self._under_way.values():
            runner.close()

    def time_out(self, number: int) -> None:
        """The step's time is over."""
        self.timed_out = True
        self.interrupt(number, kill=False)

    def _go_on(self) -> None:
        most = self.step.parallel.max_concurrent if self.step.parallel else 1
        while self._next and len(self._under_way) < max(1, most):
            order = self._next.popleft()
            if self._may_open(order):
                self._open(order)
        if not self._under_way and not self._is_over and not self._next:
            self._is_over = True
            ends = [self._ends[order.child] for order in self.orders if order.child in self._ends]
            self.done(self._ending(ends), ends)

    def _may_open(self, order: Order) -> bool:
        """Once it is to stop, only those that wait are opened: to be stopped themselves."""
        waits = order.child in self._ends or (self.manner is Manner.ON and order.child in self.there)
        return waits or not self.stopping

    def _open(self, order: Order) -> None:
        before = self._ends.get(order.child) or self.known.get(order.child)
        manner = Manner.ON if order.child in self._ends else self.manner
        try:
            opened = self.open(order, lambda: self._ended(order), manner)
        except (DagfsError, OSError, ValueError) as error:
            opened = ChildEnd(order, RunState.FAILED, " ".join(str(error).split()))
        if isinstance(opened, ChildEnd):
            if before is None or before.state is not opened.state:
                kept = opened.state.is_success
                self._note_end(opened, opened.attempt, **({"kept": True} if kept else {}))
            self._ends[order.child] = opened
            return
        self._ends.pop(order.child, None)
        self._under_way[order.child] = opened
        data = {"child": order.child, "child_attempt": opened.n} | (
            {"item": order.item} if order.item else {}
        )
        self.note(ev.CHILD_STARTED, **self.subject, **data)
        opened.begin()
        if self.stopping:
            opened.interrupt(signal.SIGTERM, kill=self.killing)

    def _ended(self, order: Order) -> None:
        runner = self._under_way.pop(order.child)
        end = self._ends[order.child] = runner.end(order)
        self._note_end(end, runner.n)
        self._go_on()

    def _note_end(self, end: ChildEnd, n: int, **more: bool) -> None:
        data = {"child": end.order.child, "child_attempt": n, "state": end.state, "reason": end.reason}
        item = {"item": end.order.item} if end.order.item else {}
        self.note(ev.CHILD_FINISHED, **self.subject, **data, **item, **more)

    def _ending(self, ends: Sequence[ChildEnd]) -> Ending:
        if self.timed_out:
            return Ending(cause="timeout")
        if self.stopping:
            return Ending(cause="stop")
        if any(end.state is RunState.WAITING for end in ends):
            return Ending(cause="waiting")
        if any(end.state is RunState.REJECTED for end in ends):
            return Ending(exit_code=1, cause="rejected", error=why(ends, _in_words))
        if ends and all(end.unmet for end in ends):
            # An exit code for where that counts as a failure.
            return Ending(exit_code=1, cause="unmet", error=_in_words(ends[0]))
        if all(end.state.is_success or end.unmet for end in ends):
            partly = any(end.state is RunState.PARTIALLY_SUCCEEDED for end in ends)
            return Ending(exit_code=0, cause="partly" if partly else "")
        return Ending(exit_code=1, error=why(ends, _in_words))


def _in_words(end: ChildEnd) -> str:
    before, nested, inner = end.reason.rpartition("(child ")
    if nested:
        # The child that failed by itself says more than those around it.
        return "child " + inner.removesuffix(")" * (before.count("(") - before.count(")") + 1))
    reason = f" ({end.reason})" if end.reason else ""
    return f"child {end.order.child} {str(end.state).replace('_', ' ')}{reason}"
