"""The order of one attempt: preconditions, init, the steps, the handlers of its outcome, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagfs.engine.chronicle import Chronicle
from dagfs.engine.execution import DAG_PRECONDITION, Execution, Steps, utc_text
from dagfs.engine.loop import Loop
from dagfs.engine.workplace import Setting
from dagfs.engine.zygote import Zygote
from dagfs.errors import LostOwnership
from dagfs.model import event as ev
from dagfs.model.dag import Step
from dagfs.model.run import StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.frontier import Frontier, Outcome, verdict
from dagfs.planning.visibility import VisibleOutputs
from dagfs.store.record import Record

_PRECONDITION_STEP = "dag"
_HANDLER_OF = {
    RunState.SUCCEEDED: "success",
    RunState.PARTIALLY_SUCCEEDED: "success",
    RunState.FAILED: "failure",
    RunState.REJECTED: "failure",
    RunState.ABORTED: "abort",
    RunState.WAITING: "wait",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run, in numbers and seconds."""

    active_steps: int
    timeout_sec: float = 0
    delay_sec: float = 0


class Runner:
    """Carries out one attempt whose claim it holds, and gives how it ended."""

    def __init__(
        self,
        setting: Setting,
        chronicle: Chronicle,
        zygote: Zygote,
        limits: Limits,
        *,
        now: Callable[[], datetime],
        adopted: Mapping[str, Record],
    ) -> None:
        self._setting, self._chronicle, self._limits = setting, chronicle, limits
        self._now, self._adopted = now, adopted
        self._loop = Loop(chronicle, zygote, limits.active_steps)
        runs = chronicle.fold.steps
        self._frontier = Frontier(setting.dag, dict(_settled(runs)))
        self._visible = VisibleOutputs(setting.dag.depends, lambda name: runs[name].outputs)
        self._timed_out = False

    # --- what executions ask and tell

    def note(self, name: str, **data: Any) -> None:
        self._chronicle.note(name, **data)

    def is_stopping(self) -> bool:
        return self._loop.asked.stop or self._timed_out

    def step_runs(self) -> Mapping[str, StepRun]:
        return self._chronicle.fold.steps

    def utc_in(self, seconds: float) -> str:
        return utc_text(self._now(), seconds)

    def outputs_before(self, step: str) -> Mapping[str, str]:
        if not step:
            runs = self.step_runs().values()
            return {name: value for run in runs for name, value in run.outputs.items()}
        return self._visible.of(step)

    # --- the attempt

    def run(self, begin: Callable[[], None] = lambda: None) -> RunState:
        """Run to the end. The claim stays held; raises StoreError and LostOwnership.

        `begin` is called once a signal to stop is heard: whoever is told of the run may send one at once.
        """
        try:
            with self._loop:
                begin()
                return self._run_all()
        finally:
            self._chronicle.close()

    @property
    def stopped_by(self) -> int:
        """The first signal that asked to stop, or 0."""
        return self._loop.asked.signal

    def _run_all(self) -> RunState:
        try:
            return self._in_order()
        except LostOwnership:
            self._loop.asked.kill = True
            self._loop.stop()
            raise

    def _in_order(self) -> RunState:
        if self._limits.timeout_sec:
            self._loop.timers.after(self._limits.timeout_sec, self._on_timeout)
        may_run, reason = self._guarded_by_dag_preconditions()
        if may_run and "init" in self._setting.dag.handler_on:
            may_run = self._handler("init", {}).state.is_success
            reason = "" if may_run else "the init handler failed"
        if may_run:
            self._start_adopted()
            self._loop.turn_until(self._steps_are_over, self._start_ready)
        if self.is_stopping():
            # What was cut short did not fail by itself.
            reason = ""
        stopped = self._loop.asked.stop or not may_run
        state = verdict(self._outcomes(), stopped=stopped, timed_out=self._timed_out)
        reason = reason or self._reason(state)
        state, broken = self._run_handlers(state)
        return self._conclude(state, reason or broken)

    def _guarded_by_dag_preconditions(self) -> tuple[bool, str]:
        conditions = self._setting.dag.preconditions
        if not conditions:
            return True, ""
        step = Step(name=_PRECONDITION_STEP, command=("true",), preconditions=conditions)
        execution = Execution(self._setting, self, step, handler=DAG_PRECONDITION)
        outcome = self._complete(execution, execution.check())
        return outcome.state.is_success, outcome.reason

    def _run_handlers(self, state: RunState) -> tuple[RunState, str]:
        """Run the handlers of this outcome; the run's state after them, and why where they changed it."""
        failed: list[str] = []
        # What stopped the steps is not to stop these; another request is.
        self._loop.asked.stop = self._timed_out = False
        self._loop.timers.clear()
        for event in (_HANDLER_OF.get(state, "failure"), "exit"):
            if event in self._setting.dag.handler_on and not self._loop.asked.kill:
                extra = {"DAG_RUN_STATUS": state.value, "DAGFS_RUN_STATE": state.value}
                failed += [event] if self._handler(event, extra).state is StepState.FAILED else []
        if not failed or state is RunState.ABORTED:
            return state, ""
        return RunState.FAILED, f"the {' and '.join(failed)} handler failed"

    def _handler(self, event: str, extra: Mapping[str, str]) -> Outcome:
        step = self._setting.dag.handler_on[event]
        execution = Execution(self._setting, self, step, handler=event, extra=extra)
        return self._complete(execution, execution.run())

    def _complete(self, execution: Execution, steps: Steps) -> Outcome:
        """Run one execution alone, to its end."""
        outcomes: list[Outcome] = []
        self._loop.begin(execution, steps, outcomes.append)
        self._loop.turn_until(lambda: bool(outcomes), lambda: None)
        return outcomes[0]

    def _conclude(self, state: RunState, reason: str) -> RunState:
        self.note(ev.ATTEMPT_FINISHED, state=state, reason=reason)
        self._chronicle.commit()
        self._chronicle.publish(last=True)
        return state

    def _reason(self, state: RunState) -> str:
        if self._timed_out:
            return f"timed out after {self._limits.timeout_sec:g} s"
        failed = [run for run in self.step_runs().values() if run.state in (StepState.FAILED, StepState.LOST)]
        if state is not RunState.FAILED or not failed:
            return ""
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        why = f" ({failed[0].reason})" if failed[0].reason else ""
        return f"failed at {failed[0].name}{more}{why}"

    def _outcomes(self) -> Iterator[Outcome]:
        for run in self.step_runs().values():
            yield Outcome(run.state, run.tolerated)

    def _on_timeout(self) -> None:
        if self._loop.asked.stop:
            # It is ending already, and not for want of time.
            return
        self.note(ev.RUN_TIMED_OUT, timeout_sec=self._limits.timeout_sec)
        self._timed_out = True
        self._loop.stop()

    # --- the steps

    def _steps_are_over(self) -> bool:
        return self._loop.is_idle and (self.is_stopping() or not self._frontier.has_ready())

    def _start_adopted(self) -> None:
        for name, record in self._adopted.items():
            step = self._setting.dag.by_name[name]
            adopted = (self.step_runs()[name], record)
            self._begin(Execution(self._setting, self, step, adopted=adopted))

    def _start_ready(self) -> None:
        self._settle_blocked()
        while not self.is_stopping() and self._loop.has_place:
            name = self._frontier.take()
            if name is None:
                return
            if name not in self._adopted:
                execution = Execution(self._setting, self, self._setting.dag.by_name[name])
                self._begin(execution, delay=self._limits.delay_sec)
                self._settle_blocked()

    def _begin(self, execution: Execution, *, delay: float = 0) -> None:
        name = execution.step.name
        settle = self._frontier.settle
        self._loop.begin(execution, execution.run(), lambda outcome: settle(name, outcome), delay=delay)

    def _settle_blocked(self) -> None:
        for name, outcome in self._frontier.blocked():
            self.note(ev.STEP_FINISHED, step=name, state=outcome.state, reason=outcome.reason)


def _settled(steps: Mapping[str, StepRun]) -> Iterator[tuple[str, Outcome]]:
    for name, run in steps.items():
        if run.state.is_settled:
            yield name, Outcome(run.state, run.tolerated, run.reason)
