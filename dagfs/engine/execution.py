"""One step of one attempt from its preconditions to its end, written as it happens.

An `Execution` is a generator of wishes: `Start` a process, `Attach` to one, or `Sleep`. The runner
grants them in its own time and sends back how the process ended.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from dagfs.engine import capture
from dagfs.engine.environment import StepEnvironment, StepUnready, Values, step_environment
from dagfs.engine.launch import Launch
from dagfs.engine.request import Place, launch, prepare, render
from dagfs.errors import DagfsError
from dagfs.hooks.executor import Executor
from dagfs.model import event as ev
from dagfs.model.dag import Condition, Dag, Step
from dagfs.model.run import AttemptHeader, RunHeader, StepRun
from dagfs.model.state import StepState
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending, condition_met, judge, repeat_wait, retry_wait
from dagfs.spec.values import Scope, StepRef, ValueRefused, expand
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths, RunPaths, StepPaths
from dagfs.store.logs import read_range
from dagfs.store.record import Record

_LARGEST_CONDITION = 1 << 20


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


class Ledger(Protocol):
    """What an execution needs of its runner."""

    def note(self, name: str, **data: Any) -> None:
        """Record an event; it is durable before anybody is told of it."""

    def is_stopping(self) -> bool: ...

    def outputs_before(self, step: str) -> Mapping[str, str]:
        """Outputs of all steps upstream, the nearest of a name winning."""

    def step_runs(self) -> Mapping[str, StepRun]: ...

    def utc_in(self, seconds: float) -> str: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What all executions of an attempt share."""

    run: RunHeader
    attempt: AttemptHeader
    dag: Dag
    home: HomePaths
    paths: RunPaths
    values: Values
    machine: Mapping[str, str]
    executors: Mapping[str, Executor]
    disk: Disk
    grace_sec: float
    strict: bool


@dataclass(slots=True)
class Execution:
    """A step, or a handler, on its way through one attempt."""

    setting: Setting
    ledger: Ledger
    step: Step
    handler: str = ""
    """The event a handler is for; empty for a step."""
    extra: Mapping[str, str] = field(default_factory=dict)
    adopted: tuple[StepRun, Record] | None = None
    tries: int = 0
    retries: int = 0
    _began_ns: int = 0

    @property
    def name(self) -> str:
        return self.handler or self.step.name

    @property
    def paths(self) -> StepPaths:
        attempt = self.setting.paths.attempt(self.setting.attempt.n)
        return attempt.handler(self.handler) if self.handler else attempt.step(self.step.name)

    def _subject(self) -> dict[str, str]:
        return {"handler": self.handler} if self.handler else {"step": self.step.name}

    def _event(self, for_step: str, for_handler: str) -> str:
        return for_handler if self.handler else for_step

    def run(self) -> Steps:
        """All of it; returns the outcome after the finishing event is recorded."""
        try:
            return (yield from self._run())
        except (DagfsError, ValueRefused, OSError) as error:
            message = error.message if isinstance(error, DagfsError) else str(error)
            hint = error.hint if isinstance(error, DagfsError) else None
            return self._finish(Outcome(StepState.FAILED, reason=message), Ending(error=message), hint=hint)

    def _run(self) -> Steps:
        if self.adopted is None:
            unmet = yield from self._preconditions(self.step.preconditions)
            if self.ledger.is_stopping():
                return self._finish(Outcome(StepState.ABORTED, reason="stopped"), Ending(cause="stop"))
            if unmet:
                return self._finish(Outcome(StepState.SKIPPED, reason=f"precondition not met: {unmet}"))
        while True:
            ending = yield from self._one_try()
            wait = retry_wait(self.step.retry_policy, self.retries, ending)
            failed = ending.exit_code != 0 or bool(ending.error)
            if failed and wait is not None and not self.ledger.is_stopping():
                yield self._retrying(ending, wait)
                self.retries += 1
            elif (again := (yield from self._repeats(ending))) is not None and not self.ledger.is_stopping():
                yield Sleep(again)
            else:
                return self._end(ending)
            if self.ledger.is_stopping():
                return self._finish(Outcome(StepState.ABORTED, reason="stopped between two tries"), ending)

    def check(self) -> Steps:
        """Only the preconditions: succeeded where they hold, else skipped. Nothing is recorded."""
        unmet = yield from self._preconditions(self.step.preconditions)
        if unmet:
            return Outcome(StepState.SKIPPED, reason=f"precondition not met: {unmet}")
        return Outcome(StepState.SUCCEEDED)

    def settle(self, ending: Ending) -> Outcome:
        """Record the end of an adopted process without any further try."""
        return self._end(ending)

    def record_path(self) -> Path:
        """The record of the newest try."""
        return self._log_paths().record(self.tries)

    def token(self) -> str:
        """What names the newest try among this machine's processes."""
        return try_token(self.setting.run.id, self._log_paths(), self.tries)

    def _retrying(self, ending: Ending, wait: float) -> Sleep:
        if self.handler:
            return Sleep(wait)
        reason = judge(replace(self.step, continue_on=type(self.step.continue_on)()), ending).reason
        data = {
            "step": self.step.name,
            "try": self.tries,
            "exit_code": ending.exit_code,
            "until": self.ledger.utc_in(wait),
            "reason": reason,
        }
        return Sleep(wait, ((ev.STEP_RETRYING, data),))

    def _one_try(self) -> Generator[Wish, Ending, Ending]:
        if self.adopted is not None:
            state, record = self.adopted
            self.tries, self.retries = state.tries, state.retries
            path = self.setting.paths.attempt(state.log_attempt).step(state.name)
            ending = yield Attach(record, path.record(state.tries))
            return ending
        self.tries += 1
        if self.tries == 1:
            self._make_folder(self.paths.artifacts)
        request = render(self.step, self._place(), variables := self._variables())
        process = prepare(self._executor(), request)
        started = self._launch(process, variables)
        offsets = {"stdout": _size(self.paths.stdout), "stderr": _size(self.paths.stderr)}
        data = {**self._subject(), "try": self.tries, **offsets}
        self._began_ns = time.time_ns()
        return (yield Start(started, ((self._event(ev.STEP_STARTED, ev.HANDLER_STARTED), data),)))

    def _make_folder(self, folder: Path) -> None:
        """A folder below the attempt's, with what is missing between."""
        top = self.setting.paths.attempt(self.setting.attempt.n).root
        for name in [*reversed(folder.relative_to(top).parents), folder.relative_to(top)][1:]:
            self.setting.disk.make_dir(top / name)

    def _launch(self, process: Any, variables: StepEnvironment) -> Launch:
        return launch(
            self.setting.disk,
            self.step,
            process,
            self._place(),
            variables,
            grace=self.setting.grace_sec,
            token=try_token(self.setting.run.id, self.paths, self.tries),
        )

    def _executor(self) -> Executor:
        kind = self.step.executor.type
        executor = self.setting.executors.get(kind)
        if executor is None:
            raise StepUnready(f"no plugin brings the executor {kind!r}", hint="see `dagfs plugins`")
        return executor

    def _place(self) -> Place:
        setting = self.setting
        return Place(
            run=setting.run.id,
            attempt=setting.attempt.n,
            try_=self.tries,
            shell=setting.dag.shell or setting.attempt.shell,
            cwd=self._cwd(),
            paths=self.paths,
        )

    def _cwd(self) -> str:
        """The step's directory, else the DAG's, else the home's choice; made where it is not there."""
        setting = self.setting
        base = Path(setting.paths.work if setting.attempt.working_dir == "run" else setting.attempt.dag_dir)
        scope = Scope({**setting.machine, **setting.values.env, **setting.values.params, **self._own()})
        for text in (setting.dag.working_dir, self.step.working_dir):
            if text:
                base = Path(base, os.path.expanduser(expand(text, scope)))
        try:
            base.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StepUnready(f"cannot use working_dir {base}: {error.strerror}") from error
        return str(base)

    def _variables(self) -> StepEnvironment:
        setting = self.setting
        cwd = self._cwd()
        outputs = self.ledger.outputs_before("" if self.handler else self.step.name)
        references = {name: self._reference(each) for name, each in self._visible().items()}
        own = {**self._own(), "PWD": cwd}
        return step_environment(self.step, setting.machine, setting.values, outputs, references, own)

    def _visible(self) -> Mapping[str, StepRun]:
        """Every word for a step that has run to how it stands."""
        runs = self.ledger.step_runs()
        named = {word: runs[name] for word, name in self.setting.dag.names.items() if name in runs}
        return {word: run for word, run in named.items() if run.attempt}

    def _reference(self, state: StepRun) -> StepRef:
        logs = self.setting.paths.attempt(state.log_attempt or state.attempt).step(state.name)
        return StepRef(
            stdout=str(logs.stdout),
            stderr=str(logs.stderr),
            exit_code=state.exit_code,
            artifacts=str(logs.artifacts),
            outputs=state.outputs,
        )

    def _own(self) -> dict[str, str]:
        """The variables that dagfs sets for every step, and those that Dagu's users know."""
        setting, paths = self.setting, self.paths
        return {
            "DAGFS_HOME": str(setting.home.root),
            "DAGFS_RUN_ID": setting.run.id,
            "DAGFS_RUN_DIR": str(setting.paths.root),
            "DAGFS_WORK_DIR": str(setting.paths.work),
            "DAGFS_ARTIFACTS_DIR": str(paths.artifacts),
            "DAGFS_ATTEMPT": str(setting.attempt.n),
            "DAGFS_IS_RETRY": "true" if setting.attempt.n > 1 else "false",
            "DAGFS_STEP": self.name,
            "DAGFS_TRY": str(self.tries),
            "DAGFS_OUTPUT": str(paths.output_file(self.tries)),
            "DAG_NAME": setting.dag.name,
            "DAG_RUN_ID": setting.run.id,
            "DAG_RUN_STEP_NAME": self.step.name,
            "DAG_RUN_STEP_STDOUT_FILE": str(paths.stdout),
            "DAG_RUN_STEP_STDERR_FILE": str(paths.stderr),
            "DAG_RUN_WORK_DIR": str(setting.paths.work),
            "DAG_RUN_LOG_FILE": str(setting.paths.attempt(setting.attempt.n).journal),
            **self.extra,
        }

    def _preconditions(self, conditions: tuple[Condition, ...]) -> Generator[Wish, Ending, str]:
        """The text of the first condition that does not hold, or `""`."""
        for number, condition in enumerate(conditions, 1):
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
        folder = StepPaths(self.paths.root / "conditions" / f"{label}.{self.tries}.{secrets.token_hex(2)}")
        self._make_folder(folder.root)
        ending = yield Start(self._condition_launch(text, folder, variables))
        value = read_range(folder.stdout, 0, _LARGEST_CONDITION).decode("utf-8", "replace")
        return condition_met(condition, ending.exit_code, value.strip())

    def _condition_launch(self, text: str, folder: StepPaths, variables: StepEnvironment) -> Launch:
        step = Step(name=self.step.name, command=(text,), shell=self.step.shell)
        place = replace(self._place(), paths=folder, try_=1)
        process = prepare(self.setting.executors["shell"], render(step, place, variables))
        token = try_token(self.setting.run.id, folder, 1)
        return launch(
            self.setting.disk, step, process, place, variables, grace=self.setting.grace_sec, token=token
        )

    def _repeats(self, ending: Ending) -> Generator[Wish, Ending, float | None]:
        policy = self.step.repeat_policy
        if not policy.mode or self.ledger.is_stopping():
            return None
        met = False
        if policy.condition:
            met = yield from self._holds(Condition(policy.condition, policy.expected), "repeat")
        return repeat_wait(policy, self.tries, ending, met)

    def _end(self, ending: Ending) -> Outcome:
        outcome = judge(self.step, ending, self._printed())
        outputs: dict[str, str] = {}
        error = None
        if outcome.state in (StepState.SUCCEEDED, StepState.FAILED):
            try:
                outputs = capture.collect_outputs(
                    self.step, self._log_paths(), self._offset(), self._output_file()
                )
            except capture.OutputRefused as refused:
                outcome, error = Outcome(StepState.FAILED, reason=refused.message), refused.message
        sha = ""
        if self.adopted is not None:
            self._make_folder(self.paths.root)
        if outputs:
            sha = capture.write_outputs(self.setting.disk, self.paths, outputs)
        self._write_manifest()
        return self._finish(outcome, ending, outputs, sha, error=error)

    def _write_manifest(self) -> None:
        began = self._began_ns or time.time_ns()
        artifacts, work = self._log_paths().artifacts, self.setting.paths.work
        capture.write_manifest(
            self.setting.disk, self.paths, artifacts, work, began, strict=self.setting.strict
        )

    def _log_paths(self) -> StepPaths:
        if self.adopted is None:
            return self.paths
        state = self.adopted[0]
        return self.setting.paths.attempt(state.log_attempt).step(state.name)

    def _offset(self) -> int:
        state = self.ledger.step_runs().get(self.step.name)
        return state.offsets[0] if state and not self.handler else 0

    def _output_file(self) -> Path:
        return self._log_paths().output_file(self.tries)

    def _printed(self) -> str:
        if not self.step.continue_on.output:
            return ""
        start = self._offset()
        return read_range(self._log_paths().stdout, start, start + _LARGEST_CONDITION).decode(
            "utf-8", "replace"
        )

    def _finish(
        self,
        outcome: Outcome,
        ending: Ending | None = None,
        outputs: Mapping[str, str] | None = None,
        sha256: str = "",
        *,
        error: str | None = None,
        hint: str | None = None,
    ) -> Outcome:
        left = ending or Ending()
        data: dict[str, Any] = {**self._subject(), "state": outcome.state, "reason": outcome.reason}
        if self.tries:
            data |= {"try": self.tries, "exit_code": left.exit_code, "signal": left.signal}
        message = error or left.error
        data |= {"error": f"{message} ({hint})" if hint else message} if message else {}
        data |= {"outputs": outputs, "outputs_sha256": sha256} if outputs else {}
        data |= {"tolerated": True} if outcome.tolerated else {}
        self.ledger.note(self._event(ev.STEP_FINISHED, ev.HANDLER_FINISHED), **data)
        return outcome


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def try_token(run: str, paths: StepPaths, try_: int) -> str:
    """Names one try among all processes of this machine; it is in the environment of all it starts.

    Made of what the run has on disk, so that a later engine can name it too.
    """
    return hashlib.sha256(f"{run}\0{paths.root}\0{try_}".encode()).hexdigest()[:24]


def utc_text(moment: datetime, seconds: float = 0) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
