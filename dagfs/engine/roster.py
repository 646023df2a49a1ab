"""The steps of one attempt between ready and settled: which are at work, and which wait for somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from dagfs.engine.execution import Execution
from dagfs.engine.family import Family
from dagfs.engine.ledger import Ledger
from dagfs.engine.loop import Active, Loop
from dagfs.engine.wish import Steps
from dagfs.model import event as ev
from dagfs.model.dag import Dag, Step
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.planning.frontier import Frontier, Outcome
from dagfs.store.record import Record

Question = tuple[str, bool]
"""A step that waits, and whether it is its children that do."""


class MakeExecution(Protocol):
    """Makes the execution of a step."""

    def __call__(
        self, step: Step, *, adopted: tuple[StepRun, Record] | None = None, waited: StepRun | None = None
    ) -> Execution: ...


class Roster:
    """Starts what may start, as far as there is room, and goes on with what waited."""

    def __init__(
        self,
        dag: Dag,
        loop: Loop,
        ledger: Ledger,
        family: Family,
        make: MakeExecution,
        advance: Callable[[], None],
        changed: Callable[[StepRun], str],
    ) -> None:
        """`advance` lets the runner go on in its order, once something has changed.

        `changed` names a step before a deferred one that did not make the same again, or none.
        """
        self._dag, self._loop, self._ledger, self._family = dag, loop, ledger, family
        self._make, self._advance, self._changed = make, advance, changed
        runs = ledger.step_runs()
        self._frontier = Frontier(dag, dict(_settled(runs)))
        self._active: set[Active] = set()
        self.waiting = {name: None for name, run in runs.items() if run.state is StepState.WAITING}
        """The steps that wait for a word, or whose children do."""
        self._is_hungry = False

    def outcomes(self) -> Iterator[Outcome]:
        """How all steps stand, for the verdict."""
        for run in self._ledger.step_runs().values():
            # What nobody wanted to run yet is no failure; but it keeps the run from being whole.
            never_ran = run.left and run.state is StepState.NOT_STARTED
            yield Outcome(run.state, run.tolerated or never_ran)

    def questions(self) -> set[Question]:
        """What waits now."""
        runs = self._ledger.step_runs()
        return {(name, runs[name].question is None) for name in self.waiting}

    def work_off(self) -> bool:
        """Start what may start; whether the steps are over."""
        self._hear_words()
        self._start_ready()
        return not self._active and (self._ledger.is_stopping() or not self._frontier.has_ready())

    def take_over(self, adopted: Mapping[str, Record]) -> None:
        """Go on with processes that another engine started, and with children that waited."""
        for name, record in adopted.items():
            run = self._ledger.step_runs()[name]
            self._begin(self._make(self._dag.by_name[name], adopted=(run, record)))
        self.go_on_with_children()

    def go_on_with_children(self) -> None:
        """Steps whose children wait: each of them finds out by itself whether it still has to."""
        for name in tuple(self.waiting):
            if (run := self._ledger.step_runs()[name]).question is None:
                self._go_on_with(run)

    def stop(self) -> None:
        """Ask all that is at work to end."""
        for active in tuple(self._active):
            self._loop.stop(active)

    def give_up_waiting(self, why: str) -> None:
        """Nobody will say a word any more."""
        for name in self.waiting:
            self._ledger.note(ev.STEP_FINISHED, step=name, state=StepState.ABORTED, reason=why)

    def take_in_hand(
        self, execution: Execution, steps: Steps, on_end: Callable[[Outcome], None], delay: float = 0
    ) -> None:
        """Carry out one execution, after `delay` seconds."""

        def end(outcome: Outcome) -> None:
            self._active.discard(active)
            on_end(outcome)
            self._loop.soon(self._advance)

        active = Active(execution, steps, end)
        self._active.add(active)
        self._loop.begin(active, delay)

    # --- one step

    def _begin(self, execution: Execution, delay: float = 0) -> None:
        name = execution.step.name
        self.take_in_hand(execution, execution.run(), lambda outcome: self._settle(name, outcome), delay)

    def _settle(self, name: str, outcome: Outcome) -> None:
        if outcome.state is StepState.WAITING:
            self.waiting[name] = None
        else:
            self._frontier.settle(name, outcome)

    def _hear_words(self) -> None:
        """Go on with the steps that somebody has said a word to."""
        for name in tuple(self.waiting) if not self._ledger.is_stopping() else ():
            if (run := self._ledger.step_runs()[name]).word is not None:
                self._go_on_with(run)

    def _go_on_with(self, waited: StepRun) -> None:
        del self.waiting[waited.name]
        self._begin(self._make(self._dag.by_name[waited.name], waited=waited))

    # --- what is ready

    def _start_ready(self) -> None:
        self._settle_blocked()
        while not self._ledger.is_stopping() and self._has_place and self._frontier.has_ready():
            name = self._frontier.take()
            assert name is not None
            if self._ledger.step_runs()[name].state is StepState.NOT_STARTED and not self._stays(name):
                self._begin(self._make(self._dag.by_name[name]), self._dag.delay_sec)
            self._settle_blocked()
        if self._frontier.has_ready() and not self._loop.has_place and not self._is_hungry:
            self._is_hungry = True
            self._loop.want_place(self._have_place)

    def _stays(self, name: str) -> bool:
        """A deferred step is kept after all: what was before it made the same again."""
        run = self._ledger.step_runs()[name]
        if run.prior is None:
            return False
        other, before = self._changed(run), [each for each in run.against if run.against[each]]
        if other:
            self._ledger.note(ev.NOTICE, step=name, message=f"{name} runs: the outputs of {other} changed")
            return False
        why = f"the outputs of {', '.join(before[:2])} stayed the same"
        self._ledger.note(ev.STEP_KEPT, step=name, attempt=run.prior.attempt, reason=why)
        self._frontier.settle(name, Outcome(run.prior.state))
        return True

    def _have_place(self) -> None:
        self._is_hungry = False
        self._advance()

    @property
    def _has_place(self) -> bool:
        most = self._dag.max_active_steps
        if most and sum(not active.sleeping for active in self._active) >= most:
            return False
        return self._loop.has_place and len(self._family) < self._loop.places

    def _settle_blocked(self) -> None:
        for name, outcome in self._frontier.blocked():
            self._ledger.note(ev.STEP_FINISHED, step=name, state=outcome.state, reason=outcome.reason)


def _settled(steps: Mapping[str, StepRun]) -> Iterator[tuple[str, Outcome]]:
    for name, run in steps.items():
        if run.state.is_settled or run.left:
            yield name, Outcome(run.state, run.tolerated, run.reason)
