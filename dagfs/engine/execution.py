"""One step of one attempt from its preconditions to its end, written as it happens.

An `Execution` is a generator of wishes: `Start` a process, `Attach` to one, or `Sleep`. The runner
grants them in its own time and sends back how the process ended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from dagfs.engine import capture
from dagfs.engine.environment import StepEnvironment, StepUnready
from dagfs.engine.launch import Launch
from dagfs.engine.request import launch, prepare, render
from dagfs.engine.workplace import Setting, Workplace, try_token
from dagfs.errors import DagfsError
from dagfs.model import event as ev
from dagfs.model.dag import Condition, ContinueOn, Step
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending, condition_met, judge, may_repeat, repeat_wait, retry_wait
from dagfs.spec.values import expand
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow
from dagfs.store.record import Record

CONDITIONS = "conditions"
"""Where below a step's folder its conditions are looked at, each in a folder of its own."""
DAG_PRECONDITION = "precondition"
"""The conditions of the whole DAG are looked at as if for a handler of this name."""
_LARGEST_CONDITION = 1 << 20
_REFUSALS = (DagfsError, OSError, ValueError)
"""What only this step has to do with; a ValueError is a text that the system cannot take."""


@dataclass(frozen=True, slots=True)
class Start:
    """Run this; the events go into the journal first."""

    launch: Launch
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Attach:
    """Wait for a process that another engine started."""

    record: Record
    path: Path


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds, unless the run is stopped before."""

    seconds: float
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()


Wish = Start | Attach | Sleep
Steps = Generator[Wish, Ending, Outcome]


@dataclass(frozen=True, slots=True)
class _End:
    """How an execution ended, ready to be recorded."""

    outcome: Outcome
    ending: Ending = field(default_factory=Ending)
    """Of the newest try."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    outputs_sha256: str = ""


class Ledger(Protocol):
    """What an execution needs of its runner."""

    def note(self, name: str, **data: Any) -> None:
        """Record an event; it is durable before anybody is told of it."""

    def is_stopping(self) -> bool: ...

    def outputs_before(self, step: str) -> Mapping[str, str]:
        """Outputs of all steps upstream, the nearest of a name winning."""

    def step_runs(self) -> Mapping[str, StepRun]: ...

    def utc_in(self, seconds: float) -> str: ...


class Execution:
    """A step, or a handler, on its way through one attempt."""

    def __init__(
        self,
        setting: Setting,
        ledger: Ledger,
        step: Step,
        *,
        handler: str = "",
        extra: Mapping[str, str] | None = None,
        adopted: tuple[StepRun, Record] | None = None,
    ) -> None:
        """`handler` is the event a handler is for; `adopted` a process that another engine started."""
        self.step, self.handler = step, handler
        self._setting, self._ledger = setting, ledger
        self._workplace = Workplace(setting, step, handler, extra or {})
        self._adopted = adopted
        self._logs = self._workplace.paths
        self._tries = self._retries = self._offset = 0
        self._began = time.time()
        if adopted is not None:
            state = adopted[0]
            self._began = seconds(state.started) or self._began
            self._tries, self._retries, self._offset = state.tries, state.retries, state.offsets[0]
            self._logs = setting.paths.attempt(state.log_attempt).step(state.name)

    @property
    def name(self) -> str:
        return self.handler or self.step.name

    @property
    def is_stopping(self) -> bool:
        """Nothing more of it is to begin."""
        return self._ledger.is_stopping()

    @property
    def record_path(self) -> Path:
        """The record of the newest try."""
        return self._logs.record(self._tries)

    @property
    def token(self) -> str:
        """What names the newest try among this machine's processes."""
        return try_token(self._setting.run.id, self._logs, self._tries)

    def run(self) -> Steps:
        """All of it; returns the outcome after the finishing event is recorded."""
        try:
            end = yield from self._run()
        except _REFUSALS as error:
            message, hint = _in_words(error)
            ending = Ending(error=f"{message} ({hint})" if hint else message)
            end = _End(Outcome(StepState.FAILED, reason=message), ending)
        # Not within the try: a journal that cannot be written says nothing about the step.
        self._finish(end)
        return end.outcome

    def check(self) -> Steps:
        """Only the preconditions: succeeded where they hold, else skipped, or failed. Nothing is recorded."""
        try:
            unmet = yield from self._preconditions()
        except _REFUSALS as error:
            reason = f"a precondition could not be checked: {_in_words(error)[0]}"
            return Outcome(StepState.FAILED, reason=reason)
        if unmet:
            return Outcome(StepState.SKIPPED, reason=f"precondition not met: {unmet}")
        return Outcome(StepState.SUCCEEDED)

    def _run(self) -> Generator[Wish, Ending, _End]:
        if self._adopted is None:
            unmet = yield from self._preconditions()
            if self._ledger.is_stopping():
                return _End(Outcome(StepState.ABORTED, reason="stopped"))
            if unmet:
                return _End(Outcome(StepState.SKIPPED, reason=f"precondition not met: {unmet}"))
        while True:
            ending = yield from self._one_try()
            if self._ledger.is_stopping():
                return self._cut_short(ending)
            pause = self._retry(ending)
            if pause is None:
                pause = yield from self._repeat(ending)
                if self._ledger.is_stopping():
                    return self._cut_short(ending)
            if pause is None:
                return self._end(ending)
            yield pause
            if self._ledger.is_stopping():
                return _End(Outcome(StepState.ABORTED, reason="stopped between two tries"), ending)

    def _cut_short(self, ending: Ending) -> _End:
        """The end of a step that was to be stopped as its newest try ended: what may go on is not done."""
        if may_repeat(self.step.repeat_policy, self._tries, ending):
            return _End(Outcome(StepState.ABORTED, reason="stopped between two tries"), ending)
        return self._end(ending)

    # --- tries

    def _one_try(self) -> Generator[Wish, Ending, Ending]:
        if self._adopted is not None:
            record, self._adopted = self._adopted[1], None
            return (yield Attach(record, self.record_path))
        self._tries += 1
        self._logs = self._workplace.paths
        self._workplace.make_folder(self._logs.artifacts)
        variables = self._variables()
        executor = self._setting.executors.get(self.step.executor.type)
        if executor is None:
            raise StepUnready(
                f"no plugin brings the executor {self.step.executor.type!r}", hint="see `dagfs plugins`"
            )
        process = prepare(executor, render(self.step, self._workplace.place(self._tries), variables))
        started = launch(
            self._setting.disk,
            self.step,
            process,
            self._workplace.place(self._tries),
            variables,
            grace=self._setting.grace_sec,
            token=self.token,
        )
        return (yield Start(started, (self._started(),)))

    def _started(self) -> tuple[str, Mapping[str, Any]]:
        """The event that goes before the spawn: where this try's output will begin."""
        self._offset = _size(self._logs.stdout)
        offsets = {"stdout": self._offset, "stderr": _size(self._logs.stderr)}
        if self._tries == 1:
            self._began = time.time()
        name = self._event(ev.STEP_STARTED, ev.HANDLER_STARTED)
        return name, {**self._subject(), "try": self._tries, **offsets}

    def _retry(self, ending: Ending) -> Sleep | None:
        """The pause before the next try of one that failed, or None."""
        failed = ending.exit_code != 0 or bool(ending.error)
        wait = retry_wait(self.step.retry_policy, self._retries, ending) if failed else None
        if wait is None:
            return None
        self._retries += 1
        if self.handler:
            return Sleep(wait)
        data = {
            "step": self.step.name,
            "try": self._tries,
            "exit_code": ending.exit_code,
            "until": self._ledger.utc_in(wait),
            "reason": judge(replace(self.step, continue_on=ContinueOn()), ending).reason,
        }
        return Sleep(wait, ((ev.STEP_RETRYING, data),))

    def _repeat(self, ending: Ending) -> Generator[Wish, Ending, Sleep | None]:
        """The pause before a step that ended is run again, or None."""
        policy = self.step.repeat_policy
        if not policy.mode:
            return None
        met = False
        if policy.condition:
            met = yield from self._holds(Condition(policy.condition, policy.expected), "repeat")
        wait = repeat_wait(policy, self._tries, ending, met)
        return None if wait is None else Sleep(wait)

    def _variables(self) -> StepEnvironment:
        outputs = self._ledger.outputs_before("" if self.handler else self.step.name)
        return self._workplace.environment(self._tries, outputs, self._ledger.step_runs())

    # --- conditions

    def _preconditions(self) -> Generator[Wish, Ending, str]:
        """The text of the first condition that does not hold, or `""`."""
        for number, condition in enumerate(self.step.preconditions, 1):
            met = yield from self._holds(condition, f"precondition.{number}")
            if not met:
                return condition.condition
        return ""

    def _holds(self, condition: Condition, label: str) -> Generator[Wish, Ending, bool]:
        variables = self._variables()
        text = condition.condition
        if condition.expected is not None and "`" not in text and "$(" not in text:
            return condition_met(condition, None, expand(text, variables.scope))
        if condition.expected is not None:
            # A here-document expands commands without reading quotes, and values stay variables.
            text = f"cat <<DAGFS_CONDITION\n{text}\nDAGFS_CONDITION\n"
        name = f"{label}.{self._tries}.{secrets.token_hex(2)}"
        folder = StepPaths(self._workplace.paths.root / CONDITIONS / name)
        self._workplace.make_folder(folder.root)
        ending = yield Start(self._condition_launch(text, folder, variables))
        value = follow(folder.stdout, 0, limit=_LARGEST_CONDITION).decode("utf-8", "replace")
        return condition_met(condition, ending.exit_code, value.strip())

    def _condition_launch(self, text: str, folder: StepPaths, variables: StepEnvironment) -> Launch:
        step = Step(name=self.step.name, command=(text,), shell=self.step.shell)
        place = replace(self._workplace.place(1), paths=folder)
        process = prepare(self._setting.executors["shell"], render(step, place, variables))
        return launch(
            self._setting.disk,
            step,
            process,
            place,
            variables,
            grace=self._setting.grace_sec,
            token=try_token(self._setting.run.id, folder, 1),
        )

    # --- the end

    def _end(self, ending: Ending) -> _End:
        """Judge the last try and keep what it left."""
        outcome = judge(self.step, ending, self._printed())
        outputs: dict[str, str] = {}
        if outcome.state in (StepState.SUCCEEDED, StepState.FAILED):
            try:
                output_file = self._logs.output_file(self._tries)
                outputs = capture.collect_outputs(self.step, self._logs, self._offset, output_file)
            except capture.OutputRefused as refused:
                outcome = Outcome(StepState.FAILED, reason=refused.message)
                ending = replace(ending, error=refused.message)
        paths = self._workplace.paths
        self._workplace.make_folder(paths.root)
        if self._setting.strict:
            for log in (self._logs.stdout, self._logs.stderr):
                if log.exists():
                    self._setting.disk.sync_file(str(log))
        sha256 = capture.write_outputs(self._setting.disk, paths, outputs)
        capture.write_manifest(
            self._setting.disk,
            paths,
            self._logs.artifacts,
            self._setting.paths.work,
            capture.earliest_change(self._began),
            strict=self._setting.strict,
        )
        return _End(outcome, ending, outputs, sha256)

    def _printed(self) -> str:
        if not self.step.continue_on.output:
            return ""
        data = follow(self._logs.stdout, self._offset, limit=_LARGEST_CONDITION)
        return data.decode("utf-8", "replace")

    def _finish(self, end: _End) -> None:
        outcome, left = end.outcome, end.ending
        data: dict[str, Any] = {**self._subject(), "state": outcome.state, "reason": outcome.reason}
        if self._tries:
            data |= {"try": self._tries, "exit_code": left.exit_code, "signal": left.signal}
        data |= {"error": left.error} if left.error else {}
        data |= {"outputs": end.outputs, "outputs_sha256": end.outputs_sha256} if end.outputs else {}
        data |= {"tolerated": True} if outcome.tolerated else {}
        self._ledger.note(self._event(ev.STEP_FINISHED, ev.HANDLER_FINISHED), **data)

    def _subject(self) -> dict[str, str]:
        return {"handler": self.handler} if self.handler else {"step": self.step.name}

    def _event(self, for_step: str, for_handler: str) -> str:
        return for_handler if self.handler else for_step


def _in_words(error: DagfsError | OSError | ValueError) -> tuple[str, str]:
    """What went wrong, and what to do about it where that is known."""
    if isinstance(error, DagfsError):
        return error.message, error.hint or ""
    if isinstance(error, ValueError):
        return " ".join(str(error).split()), ""
    reason = error.strerror or str(error)
    return f"{reason}: {error.filename}" if error.filename else reason, ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def utc_text(moment: datetime, seconds: float = 0) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """What `utc_text` made, in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
