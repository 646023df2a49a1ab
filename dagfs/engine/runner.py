"""The loop of one attempt: grants what its executions wish for, journals before effect, ends with a verdict.

Single-threaded: processes are awaited by pidfd, everything else by timer.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dagfs.engine.execution import Attach, Execution, Sleep, Start, Steps, Wish, utc_text
from dagfs.engine.signals import Signals
from dagfs.engine.timers import Timers
from dagfs.engine.tree import kill_by_token, open_process
from dagfs.engine.view import ending as ending_of
from dagfs.engine.workplace import Setting
from dagfs.engine.zygote import LaunchFailed, Zygote
from dagfs.errors import LostOwnership
from dagfs.model import event as ev
from dagfs.model.dag import Step
from dagfs.model.event import Event
from dagfs.model.run import Attempt, Fold, Run, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.frontier import Frontier, Outcome, verdict
from dagfs.planning.outcome import Ending
from dagfs.planning.visibility import VisibleOutputs
from dagfs.store.journal import JournalWriter
from dagfs.store.record import Record, read
from dagfs.store.runs import Claim
from dagfs.store.status import status_document

_STATUS_EVERY = 0.5
_LAUNCH_AGAIN = 0.5
_PRECONDITION_STEP = "dag"

Observer = Callable[[Event], None]


@dataclass(slots=True)
class Active:
    """An execution and where it is: running, sleeping or waiting for a free place."""

    execution: Execution
    steps: Steps
    pidfd: int = -1
    launch: Start | None = None
    sleeping: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run, in numbers and seconds."""

    active_steps: int
    timeout_sec: float = 0
    delay_sec: float = 0


@dataclass(slots=True)
class Interruption:
    """What has been asked of a run from outside."""

    stop: bool = False
    kill: bool = False
    timed_out: bool = False
    signal: int = 0


class Runner:
    """Carries out one attempt whose claim it holds, and gives how it ended."""

    def __init__(
        self,
        setting: Setting,
        claim: Claim,
        zygote: Zygote,
        fold: Fold,
        limits: Limits,
        *,
        now: Callable[[], datetime],
        adopted: Mapping[str, Record],
    ) -> None:
        self._setting = setting
        self._claim = claim
        self._zygote = zygote
        self._fold = fold
        self._limits = limits
        self._now = now
        self._observers: list[Observer] = []
        self._adopted = adopted
        self._journal: JournalWriter = claim.journal(setting.attempt.n)
        self._frontier = Frontier(setting.dag, dict(_settled(fold.steps)))
        self._selector = selectors.EpollSelector()
        self._timers = Timers()
        self._waiting: deque[Active] = deque()
        self._active: dict[str, Active] = {}
        self._running = 0
        self._unsaid: list[Event] = []
        self._dirty = True
        self._status_due = 0.0
        self._asked = Interruption()
        self._steps_may_start = False
        self._visible = VisibleOutputs(setting.dag.depends, lambda name: fold.step(name).outputs)

    # --- the ledger of the executions

    def note(self, name: str, **data: Any) -> None:
        event = self._journal.append(name, data, durable=name not in _LAZY)
        self._fold.apply(event)
        self._unsaid.append(event)
        self._dirty = True

    def is_stopping(self) -> bool:
        return self._asked.stop or self._asked.timed_out

    def step_runs(self) -> Mapping[str, StepRun]:
        return self._fold.steps

    def utc_in(self, seconds: float) -> str:
        return utc_text(self._now(), seconds)

    def outputs_before(self, step: str) -> Mapping[str, str]:
        if not step:
            runs = self._fold.steps.values()
            return {name: value for run in runs for name, value in run.outputs.items()}
        return self._visible.of(step)

    # --- the attempt

    def run(self) -> RunState:
        """Run to the end. The claim stays held; raises StoreError and LostOwnership."""
        with Signals(self._selector, self._on_signal):
            try:
                return self._run_all()
            except LostOwnership:
                self._asked.kill = True
                self._stop_all()
                raise
            finally:
                self._journal.close()
                self._selector.close()

    def _run_all(self) -> RunState:
        if self._limits.timeout_sec:
            self._timers.after(self._limits.timeout_sec, self._on_timeout)
        may_run, reason = self._guarded_by_dag_preconditions()
        if may_run and "init" in self._setting.dag.handler_on:
            may_run = self._handler("init", {}).state.is_success
            reason = "" if may_run else "the init handler failed"
        if may_run:
            self._run_steps()
        stopped = self._asked.stop or not may_run
        state = verdict(self._outcomes(), stopped=stopped, timed_out=self._asked.timed_out)
        reason = reason or self._reason(state)
        state, broken = self._run_handlers(state)
        return self._conclude(state, reason or broken)

    def _run_steps(self) -> None:
        self._steps_may_start = True
        self._start_adopted()
        self._loop(self._steps_are_over)
        self._steps_may_start = False

    def _guarded_by_dag_preconditions(self) -> tuple[bool, str]:
        conditions = self._setting.dag.preconditions
        if not conditions:
            return True, ""
        step = Step(name=_PRECONDITION_STEP, command=("true",), preconditions=conditions)
        execution = Execution(self._setting, self, step, handler="precondition")
        outcome = self._complete(execution, quiet=True)
        met = outcome.state is not StepState.SKIPPED
        return met, "" if met else outcome.reason

    def _run_handlers(self, state: RunState) -> tuple[RunState, str]:
        """Run the handlers of this outcome; the run's state after them, and why where they changed it."""
        events = [_HANDLER_OF.get(state, "failure"), "exit"]
        failed: list[str] = []
        self._asked = replace(self._asked, stop=False, timed_out=False)
        self._timers.clear()
        for event in events:
            if event in self._setting.dag.handler_on and not self._asked.kill:
                outcome = self._handler(
                    event, {"DAG_RUN_STATUS": state.value, "DAGFS_RUN_STATE": state.value}
                )
                failed += [event] if outcome.state is StepState.FAILED else []
        if not failed or state is RunState.ABORTED:
            return state, ""
        return RunState.FAILED, f"the {' and '.join(failed)} handler failed"

    def _handler(self, event: str, extra: Mapping[str, str]) -> Outcome:
        step = self._setting.dag.handler_on[event]
        return self._complete(Execution(self._setting, self, step, handler=event, extra=extra))

    def _complete(self, execution: Execution, *, quiet: bool = False) -> Outcome:
        """Run one execution alone, to its end."""
        active = Active(execution, execution.check() if quiet else execution.run())
        self._active[execution.name] = active
        self._advance(active, None)
        self._loop(lambda: active.outcome is not None)
        assert active.outcome is not None
        return active.outcome

    def _conclude(self, state: RunState, reason: str) -> RunState:
        self.note(ev.ATTEMPT_FINISHED, state=state, reason=reason)
        self._journal.commit()
        self._publish(last=True)
        return state

    def _reason(self, state: RunState) -> str:
        if self._asked.timed_out:
            return f"timed out after {self._limits.timeout_sec:g} s"
        failed = [
            name for name, run in self._fold.steps.items() if run.state in (StepState.FAILED, StepState.LOST)
        ]
        if state is RunState.FAILED and failed:
            first = self._fold.steps[failed[0]]
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            return f"failed at {first.name}{more}" + (f" ({first.reason})" if first.reason else "")
        return ""

    def _outcomes(self) -> Iterator[Outcome]:
        for run in self._fold.steps.values():
            yield Outcome(run.state, run.tolerated)

    def _steps_are_over(self) -> bool:
        if self._active:
            return False
        return self.is_stopping() or not self._frontier.has_ready()

    # --- the loop

    def _loop(self, is_over: Callable[[], bool]) -> None:
        """Turns until `is_over`: start what may start, journal, act, tell, wait."""
        while True:
            self._start_ready()
            self._grant()
            self._publish()
            if is_over():
                return
            self._wait()

    def _start_adopted(self) -> None:
        for name, record in self._adopted.items():
            step = self._setting.dag.by_name[name]
            execution = Execution(self._setting, self, step, adopted=(self._fold.step(name), record))
            self._begin(execution)

    def _start_ready(self) -> None:
        if not self._steps_may_start:
            return
        self._settle_blocked()
        while not self.is_stopping() and len(self._waiting) + self._running < self._limits.active_steps:
            name = self._frontier.take()
            if name is None:
                return
            if name in self._adopted:
                continue
            execution = Execution(self._setting, self, self._setting.dag.by_name[name])
            if self._limits.delay_sec:
                self._delay(execution)
            else:
                self._begin(execution)
            self._settle_blocked()

    def _delay(self, execution: Execution) -> None:
        active = Active(execution, execution.run(), sleeping=True)
        self._active[execution.name] = active
        self._timers.after(self._limits.delay_sec, lambda: self._wake(active))

    def _begin(self, execution: Execution) -> None:
        active = Active(execution, execution.run())
        self._active[execution.name] = active
        self._advance(active, None)

    def _settle_blocked(self) -> None:
        for name, outcome in self._frontier.blocked():
            self.note(ev.STEP_FINISHED, step=name, state=outcome.state, reason=outcome.reason)

    def _advance(self, active: Active, ending: Ending | None) -> None:
        """Let an execution go on to its next wish."""
        try:
            wish = next(active.steps) if ending is None else active.steps.send(ending)
        except StopIteration as stop:
            self._ended(active, stop.value)
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
                self.note(name, **data)
            self._sleep(active, wish)

    def _sleep(self, active: Active, wish: Sleep) -> None:
        active.sleeping = True
        self._timers.after(wish.seconds, lambda: self._wake(active))

    def _wake(self, active: Active) -> None:
        if active.sleeping:
            active.sleeping = False
            self._advance(active, None)

    def _ended(self, active: Active, outcome: Outcome) -> None:
        active.outcome = outcome
        self._active.pop(active.execution.name, None)
        if not active.execution.handler:
            self._frontier.settle(active.execution.step.name, outcome)

    def _grant(self) -> None:
        """Journal the starts that there is room for, make them durable, then start."""
        starting: list[Active] = []
        while self._waiting and self._running + len(starting) < self._limits.active_steps:
            active = self._waiting.popleft()
            if self.is_stopping():
                self._advance(active, Ending(cause="stop"))
                continue
            for name, data in active.launch.events if active.launch else ():
                self.note(name, **data)
            starting.append(active)
        self._claim.check()
        self._journal.commit()
        for active in starting:
            self._launch(active)

    def _launch(self, active: Active) -> None:
        assert active.launch is not None
        try:
            child = self._zygote.launch(active.launch.launch)
        except LaunchFailed:
            # No process to be had just now: the start is journaled, so only the launch is tried again.
            self._running += 1
            self._timers.after(_LAUNCH_AGAIN, lambda: self._launch_again(active))
            return
        active.pidfd = child.pidfd
        self._running += 1
        self._selector.register(child.pidfd, selectors.EVENT_READ, active)
        if self._asked.stop or self._asked.kill:
            self._signal(active)

    def _launch_again(self, active: Active) -> None:
        self._running -= 1
        if self.is_stopping():
            self._advance(active, Ending(cause="stop"))
        else:
            self._launch(active)

    def _attach(self, active: Active, wish: Attach) -> None:
        pidfd = open_process(wish.record.shim) if wish.record.shim else None
        if pidfd is None:
            self._advance(active, ending_of(read(wish.path)))
            return
        active.pidfd = pidfd
        self._running += 1
        active.launch = None
        self._selector.register(active.pidfd, selectors.EVENT_READ, active)

    def _wait(self) -> None:
        timeout = self._timers.wait()
        if self._dirty:
            due = max(0.0, self._status_due - time.monotonic())
            timeout = due if timeout is None else min(timeout, due)
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, Active):
                self._exited(key.data)
            else:
                key.data()
        self._timers.fire()

    def _exited(self, active: Active) -> None:
        self._selector.unregister(active.pidfd)
        os.close(active.pidfd)
        active.pidfd = -1
        self._running -= 1
        self._advance(active, self._ending(active))

    def _ending(self, active: Active) -> Ending:
        execution = active.execution
        path = active.launch.launch.record if active.launch else str(execution.record_path)
        record = read(path)
        if record is None:
            return Ending(error=f"its record {path} could not be made: is the disk full?")
        if record.exit is not None:
            return ending_of(record)
        token = active.launch.launch.token if active.launch else execution.token
        killed = kill_by_token(token)
        return Ending(cause="lost", error=f"its supervising process was killed; {killed} left-overs ended")

    # --- interruptions

    def _on_signal(self, number: int) -> None:
        """First: stop gracefully. Second: kill."""
        if self._asked.stop:
            self._asked.kill = True
        else:
            self.note(ev.STOP_REQUESTED, signal=signal.Signals(number).name)
        self._asked.stop = True
        self._asked.signal = self._asked.signal or number
        self._stop_all()

    def _on_timeout(self) -> None:
        self.note(ev.RUN_TIMED_OUT, timeout_sec=self._limits.timeout_sec)
        self._asked.timed_out = True
        self._stop_all()

    def _stop_all(self) -> None:
        for active in list(self._active.values()):
            if active.pidfd >= 0:
                self._signal(active)
            elif active.sleeping:
                active.sleeping = False
                self._advance(active, None)

    def _signal(self, active: Active) -> None:
        number = signal.SIGUSR1 if self._asked.kill else signal.SIGTERM
        try:
            signal.pidfd_send_signal(active.pidfd, number)
        except ProcessLookupError:
            pass

    @property
    def stopped_by(self) -> int:
        """The first signal that asked to stop, or 0."""
        return self._asked.signal

    # --- telling

    def tell(self, observers: Iterable[Observer], earlier: Iterable[Event]) -> None:
        """Tell these of every event from now on, and first of the `earlier` ones."""
        for observer in observers:
            for event in earlier:
                observer(event)
            self._observers.append(observer)

    def _publish(self, *, last: bool = False) -> None:
        events, self._unsaid = self._unsaid, []
        for event in events:
            for observer in self._observers:
                observer(event)
        if self._dirty and (last or time.monotonic() >= self._status_due):
            self._write_status()
            self._dirty = False
            self._status_due = time.monotonic() + _STATUS_EVERY

    def _write_status(self) -> None:
        attempt: Attempt = self._fold.attempt()
        document = status_document(Run(self._setting.run, (attempt,)), as_of=self._journal.position)
        self._claim.write_status(attempt.n, document)


_LAZY = frozenset({ev.STEP_RETRYING, ev.NOTICE})
_HANDLER_OF = {
    RunState.SUCCEEDED: "success",
    RunState.PARTIALLY_SUCCEEDED: "success",
    RunState.FAILED: "failure",
    RunState.REJECTED: "failure",
    RunState.ABORTED: "abort",
    RunState.WAITING: "wait",
}


def _settled(steps: Mapping[str, StepRun]) -> Iterator[tuple[str, Outcome]]:
    for name, run in steps.items():
        if run.state.is_settled:
            yield name, Outcome(run.state, run.tolerated, run.reason)
