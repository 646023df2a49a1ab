"""The order of one attempt: preconditions, init, the steps, the handlers of its outcome, the verdict."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from dagfs.engine.call import ChildEnd, Manner, Order
from dagfs.engine.capture import write_run_outputs
from dagfs.engine.chronicle import Chronicle, Observer
from dagfs.engine.conditions import DAG_PRECONDITION
from dagfs.engine.execution import Execution
from dagfs.engine.family import Family, Nursery
from dagfs.engine.location import now
from dagfs.engine.loop import Loop
from dagfs.engine.made import made_by
from dagfs.engine.moment import utc_text
from dagfs.engine.roster import Roster
from dagfs.engine.wish import Steps
from dagfs.engine.work import Work, tell_first
from dagfs.engine.workplace import StepReferences
from dagfs.model import event as ev
from dagfs.model.dag import Step
from dagfs.model.run import StepRun, outputs_of
from dagfs.model.state import RunState, StepState
from dagfs.planning.cutoff import changed
from dagfs.planning.frontier import Outcome, verdict
from dagfs.planning.outcome import Ending
from dagfs.planning.published import run_outputs
from dagfs.planning.visibility import VisibleOutputs

_PRECONDITION_STEP = "dag"
_HANDLER_OF = {
    RunState.SUCCEEDED: "success",
    RunState.PARTIALLY_SUCCEEDED: "success",
    RunState.FAILED: "failure",
    RunState.REJECTED: "failure",
    RunState.ABORTED: "abort",
}
Stage = Callable[[], bool]
"""Whether a part of the order is over."""


class Runner:
    """Carries out one attempt whose claim is held; those of a run's children run beside it in one loop."""

    def __init__(
        self,
        work: Work,
        loop: Loop,
        nursery: Nursery,
        on_end: Callable[[], None] = lambda: None,
        *,
        may_wait: bool = True,
    ) -> None:
        """`may_wait` says whether it can be left for somebody to say a word: not so within a handler."""
        self.state: RunState | None = None
        """How the attempt ended, once it has."""
        self.stopped_by = 0
        """The first signal that asked to stop."""
        self._work, self._loop, self._on_end, self._may_wait = work, loop, on_end, may_wait
        self._setting = work.setting()
        self._chronicle, self._first = work.chronicle()
        self._dag = work.dag
        runs = self._chronicle.fold.steps
        self._visible = VisibleOutputs(work.dag.depends, lambda name: runs[name].outputs)
        self._family = Family(
            work, loop, nursery, lambda *a, **k: Runner(a[0], loop, nursery, a[1], **k), self.note
        )
        self._roster = Roster(
            *(work.dag, loop, self, self._family, self._execution, self._advance),
            lambda step: changed(step, runs, partial(made_by, self._setting.paths)),
        )
        self._told = self._roster.questions()
        """What the `wait` handler knows of already."""
        self._unmet = False
        self._stop = self._kill = self._timed_out = False
        self._stage: Stage = lambda: True
        self._course = self._in_order()

    @property
    def n(self) -> int:
        """The attempt's number."""
        return self._work.attempt.n

    @property
    def chronicle(self) -> Chronicle:
        return self._chronicle

    # --- what executions ask and tell

    def note(self, name: str, **data: Any) -> None:
        self._chronicle.note(name, **data)

    def is_stopping(self) -> bool:
        return self._stop or self._timed_out

    def is_killed(self) -> bool:
        return self._kill

    def step_runs(self) -> Mapping[str, StepRun]:
        return self._chronicle.fold.steps

    def utc_in(self, seconds: float) -> str:
        return utc_text(now(), seconds)

    def outputs_before(self, step: str) -> Mapping[str, str]:
        return self._visible.of(step) if step else outputs_of(self.step_runs().values())

    def descend(
        self,
        step: Step,
        subject: Mapping[str, str],
        orders: Sequence[Order],
        manner: Manner,
        done: Callable[[Ending, Sequence[ChildEnd]], None],
    ) -> None:
        # A handler is for one outcome: what an earlier one did counts for nothing.
        manner = Manner.OVER if "handler" in subject and manner is Manner.FIRST else manner
        may_wait = self._may_wait and "handler" not in subject
        fold = self._chronicle.fold
        descent = self._family.descend(fold, step, subject, orders, manner, done, may_wait=may_wait)
        descent.stopping, descent.killing = self.is_stopping(), self._kill
        descent.begin()

    # --- its life in the loop

    def begin(self, observers: Sequence[Observer] = ()) -> None:
        """Tell everybody how it begins, and let the loop carry it on."""
        self._loop.chronicles.add(self._chronicle)
        tell_first(self._work, self._chronicle, self._first, observers)
        self._take_words()
        self._loop.soon(self._advance)

    def look(self) -> None:
        """Somebody left a word, for a step of this run or of a child."""
        if self.state is not None or self.is_stopping():
            return
        self._take_words()
        self._family.look()
        self._roster.go_on_with_children()
        self._loop.soon(self._advance)

    def _take_words(self) -> None:
        """Write down what was said; a word for a step that does not wait says nothing."""
        for path, name, word in self._work.claim.words():
            run = self.step_runs().get(name)
            if word is not None and run is not None and name in self._roster.waiting and run.word is None:
                self.note(ev.STEP_ANSWERED, step=name, **word.as_data())
                self._chronicle.commit()
            self._work.claim.forget(path)

    def interrupt(self, number: int, *, kill: bool = False) -> None:
        """Somebody asks it to stop: the first time gracefully, the second time at once."""
        if self.state is not None:
            return
        self._kill = self._kill or kill or self._stop
        if not self._stop:
            self.note(ev.STOP_REQUESTED, signal=signal.Signals(number).name)
        self._stop = True
        self.stopped_by = self.stopped_by or number
        self._cut_short(number)

    def _cut_short(self, number: int) -> None:
        self._roster.stop()
        self._family.interrupt(number, kill=self._kill)
        # Children that wait are to be stopped too.
        self._roster.go_on_with_children()
        self._loop.soon(self._advance)

    def kill(self) -> None:
        """End all its processes: the run is no longer ours, so nothing is written."""
        self._stop = self._kill = True
        self._roster.stop()
        self._family.kill()

    def end(self, order: Order) -> ChildEnd:
        """How it ended, for the step that it is a child of."""
        attempt = self._chronicle.fold.attempt()
        assert self.state is not None
        params = self._work.attempt.params
        steps = StepReferences(self._setting.paths, self._dag.names, attempt.steps)
        return ChildEnd(
            *(order, self.state, attempt.reason, self._dag.name, params, attempt.outputs),
            steps=steps,
            unmet=attempt.unmet,
        )

    def close(self) -> None:
        """Let go of the journal, and of those of the children under way."""
        self._family.close()
        self._loop.chronicles.remove(self._chronicle)
        self._chronicle.close()

    def _advance(self) -> None:
        """Go on in the order as far as that is possible now."""
        if self.state is not None:
            return
        while self._stage():
            try:
                self._stage = next(self._course)
            except StopIteration as end:
                self.state = end.value
                self.close()
                self._on_end()
                return

    # --- the attempt

    def _in_order(self) -> Generator[Stage, None, RunState]:
        call_off = self._limit_time()
        may_run, reason = (yield from self._opening()) if not self._work.is_resumed else (True, "")
        if may_run:
            self._roster.take_over(self._work.adopted)
            yield self._roster.work_off
            while self._is_waiting():
                if not (yield from self._tell_waiting()):
                    call_off()
                    return self._leave_waiting()
                yield self._roster.work_off
        if self.is_stopping():
            # What was cut short did not fail by itself.
            reason = ""
            self._roster.give_up_waiting("stopped")
        elif self._roster.waiting:
            reason = "it waits for approval, which a handler cannot do"
            self._roster.give_up_waiting(reason)
        state = verdict(self._roster.outcomes(), stopped=self._stop or not may_run, timed_out=self._timed_out)
        call_off()
        reason = reason or self._reason(state)
        state, broken = yield from self._run_handlers(state)
        return self._conclude(state, reason or broken)

    def _opening(self) -> Generator[Stage, None, tuple[bool, str]]:
        """Whether the steps may run at all, or why not: preconditions of the DAG, and its init handler."""
        may_run, reason = yield from self._guarded_by_dag_preconditions()
        if may_run and "init" in self._dag.handler_on:
            may_run = (yield from self._handler("init", {})).state.is_success
            reason = "" if may_run else "the init handler failed"
        return may_run, reason

    def _limit_time(self) -> Callable[[], None]:
        limit = self._dag.timeout_sec
        return self._loop.timers.after(limit, self._on_timeout) if limit else lambda: None

    def _guarded_by_dag_preconditions(self) -> Generator[Stage, None, tuple[bool, str]]:
        conditions = self._dag.preconditions
        if not conditions:
            return True, ""
        step = Step(name=_PRECONDITION_STEP, command=("true",), preconditions=conditions)
        execution = self._execution(step, handler=DAG_PRECONDITION)
        outcome = yield from self._complete(execution, execution.check())
        self._unmet = outcome.state is StepState.SKIPPED
        return outcome.state.is_success, outcome.reason

    def _run_handlers(self, state: RunState) -> Generator[Stage, None, tuple[RunState, str]]:
        """Run the handlers of this outcome; the run's state after them, and why where they changed it."""
        failed: list[str] = []
        # What stopped the steps is not to stop these; another request is.
        self._stop = self._timed_out = False
        for event in (_HANDLER_OF.get(state, "failure"), "exit"):
            if event in self._dag.handler_on and not self._kill:
                extra = {"DAG_RUN_STATUS": state.value, "DAGFS_RUN_STATE": state.value}
                outcome = yield from self._handler(event, extra)
                failed += [event] if outcome.state in (StepState.FAILED, StepState.WAITING) else []
        if not failed or state is RunState.ABORTED:
            return state, ""
        return RunState.FAILED, f"the {' and '.join(failed)} handler failed"

    def _handler(self, event: str, extra: Mapping[str, str]) -> Generator[Stage, None, Outcome]:
        step = self._dag.handler_on[event]
        execution = self._execution(step, handler=event, extra=extra)
        return (yield from self._complete(execution, execution.run()))

    def _execution(self, step: Step, **more: Any) -> Execution:
        return Execution(self._setting, self, step, **more)

    def _complete(self, execution: Execution, steps: Steps) -> Generator[Stage, None, Outcome]:
        """Run one execution alone, to its end."""
        outcomes: list[Outcome] = []
        self._roster.take_in_hand(execution, steps, outcomes.append)
        yield lambda: bool(outcomes)
        return outcomes[0]

    def _is_waiting(self) -> bool:
        """Nothing more can be done before somebody has said a word."""
        may_wait = self._may_wait and not self.is_stopping()
        return may_wait and verdict(self._roster.outcomes()) is RunState.WAITING

    def _tell_waiting(self) -> Generator[Stage, None, bool]:
        """Run the `wait` handler for what it knows nothing of; meanwhile somebody may have said a word."""
        asked = self._roster.questions()
        if asked <= self._told or "wait" not in self._dag.handler_on:
            return False
        self._told |= asked
        state, names = RunState.WAITING.value, ",".join(sorted(self._roster.waiting))
        extra = {"DAG_RUN_STATUS": state, "DAGFS_RUN_STATE": state, "DAG_WAITING_STEPS": names}
        yield from self._handler("wait", extra)
        return True

    def _leave_waiting(self) -> RunState:
        self.note(ev.ATTEMPT_WAITING, reason=f"waits at {', '.join(sorted(self._roster.waiting))}")
        return self._published(RunState.WAITING)

    def _conclude(self, state: RunState, reason: str) -> RunState:
        paths = self._setting.paths.attempt(self._setting.attempt.n)
        write_run_outputs(self._setting.disk, paths, run_outputs(self._dag, self.step_runs()))
        unmet = {"unmet": True} if self._unmet else {}
        self.note(ev.ATTEMPT_FINISHED, state=state, reason=reason, **unmet)
        return self._published(state)

    def _published(self, state: RunState) -> RunState:
        self._chronicle.commit()
        self._chronicle.publish(last=True)
        return state

    def _reason(self, state: RunState) -> str:
        if self._timed_out:
            return f"timed out after {self._dag.timeout_sec:g} s"
        ends = (StepState.FAILED, StepState.LOST, StepState.REJECTED)
        failed = [run for run in self.step_runs().values() if run.state in ends and not run.tolerated]
        if state not in (RunState.FAILED, RunState.REJECTED) or not failed:
            return ""
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        why = f" ({failed[0].reason})" if failed[0].reason else ""
        return f"{state} at {failed[0].name}{more}{why}"

    def _on_timeout(self) -> None:
        if self._stop:
            # It is ending already, and not for want of time.
            return
        self.note(ev.RUN_TIMED_OUT, timeout_sec=self._dag.timeout_sec)
        self._timed_out = True
        self._cut_short(signal.SIGTERM)
