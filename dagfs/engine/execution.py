"""One step of one attempt from its preconditions to its end, written as it happens.

An `Execution` is a generator of wishes: `Start` a process, `Attach` to one, `Sleep`, or `Await` what is
none. The loop grants them in its own time and sends back how that ended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from dagfs.engine import capture
from dagfs.engine.call import ChildEnd, Order, orders, summary
from dagfs.engine.environment import StepEnvironment, StepUnready
from dagfs.engine.launch import Launch
from dagfs.engine.request import launch, prepare, render
from dagfs.engine.wish import Attach, Await, Sleep, Start, Steps, Wish
from dagfs.engine.workplace import Setting, Workplace, try_token
from dagfs.errors import DagfsError
from dagfs.model import event as ev
from dagfs.model.dag import Approval, Condition, ContinueOn, Router, Step
from dagfs.model.run import StepRun, Word
from dagfs.model.state import StepState
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending, condition_met, judge, may_repeat, repeat_wait, retry_wait
from dagfs.planning.routing import chosen, passed_over
from dagfs.spec.evaluation import commands_in, embedding_texts, here_document
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
class _End:
    """How an execution ended, ready to be recorded."""

    outcome: Outcome
    ending: Ending = field(default_factory=Ending)
    """Of the newest try."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    outputs_sha256: str = ""
    chosen: tuple[str, ...] | None = None
    """The steps that a router chose."""


class Ledger(Protocol):
    """What an execution needs of its runner."""

    def note(self, name: str, **data: Any) -> None:
        """Record an event; it is durable before anybody is told of it."""

    def is_stopping(self) -> bool: ...

    def is_killed(self) -> bool: ...

    def outputs_before(self, step: str) -> Mapping[str, str]:
        """Outputs of all steps upstream, the nearest of a name winning."""

    def step_runs(self) -> Mapping[str, StepRun]: ...

    def utc_in(self, seconds: float) -> str: ...

    def descend(
        self,
        step: Step,
        subject: Mapping[str, str],
        orders: Sequence[Order],
        done: Callable[[Ending, Sequence[ChildEnd]], None],
    ) -> None:
        """Carry out the children that a step asks for; `done` gets how that ended."""


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
        waited: StepRun | None = None,
    ) -> None:
        """`handler` is the event a handler is for; `adopted` a process that another engine started.

        `waited` is how the step stands that waited until now: for a word, or for its children.
        """
        self.step, self.handler = step, handler
        self._setting, self._ledger = setting, ledger
        self._workplace = Workplace(setting, step, handler, extra or {})
        self._adopted, self._waited = adopted, waited
        self._children: Sequence[ChildEnd] = ()
        self._chosen: tuple[str, ...] | None = None
        self._embedded: Mapping[str, str] = {}
        """What the commands in the step's values printed, by their text."""
        self._logs = self._workplace.paths
        self._tries = self._retries = 0
        self._offsets = (0, 0)
        self._began = time.time()
        state = adopted[0] if adopted else waited
        if state is not None:
            self._began = seconds(state.started) or self._began
            self._tries, self._retries, self._offsets = state.tries, state.retries, state.offsets
            self._logs = setting.paths.attempt(state.log_attempt or setting.attempt.n).step(state.name)

    @property
    def name(self) -> str:
        return self.handler or self.step.name

    @property
    def is_stopping(self) -> bool:
        """Nothing more of it is to begin."""
        return self._ledger.is_stopping()

    @property
    def is_killed(self) -> bool:
        """What is to end is to end at once."""
        return self._ledger.is_killed()

    def note(self, name: str, **data: Any) -> None:
        """Record an event of its run."""
        self._ledger.note(name, **data)

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
        if self._waited is not None and self._waited.word is not None:
            return self._answered(self._waited, self._waited.word)
        if self._adopted is None and self._waited is None:
            if router := self._passed_over():
                return _End(Outcome(StepState.SKIPPED, reason=f"not chosen by router {router}"))
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
        if self.step.is_engine_work:
            return (yield from self._own_try())
        self._tries += 1
        self._logs = self._workplace.paths
        self._workplace.make_folder(self._logs.artifacts)
        yield from self._run_embedded()
        variables = self._variables()
        executor = self._setting.executors.get(self.step.executor.type)
        if executor is None:
            raise StepUnready(
                f"no plugin brings the executor {self.step.executor.type!r}", hint="see `dagfs plugins`"
            )
        process = prepare(
            executor, render(self.step, self._workplace.place(self._tries), variables, executor)
        )
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
        self._offsets = _size(self._logs.stdout), _size(self._logs.stderr)
        offsets = dict(zip(("stdout", "stderr"), self._offsets, strict=True))
        if self._tries == 1:
            self._began = time.time()
        name = self._event(ev.STEP_STARTED, ev.HANDLER_STARTED)
        return name, {**self._subject(), "try": self._tries, **offsets}

    # --- work of the engine itself: sub-DAGs, routers, questions

    def _own_try(self) -> Generator[Wish, Ending, Ending]:
        """One try without a process: what it prints goes into its log all the same."""
        resumed, self._waited = self._waited, None
        if resumed is not None:
            started: tuple[str, Mapping[str, Any]] = (ev.STEP_RESUMED, self._subject())
        else:
            self._tries += 1
            self._logs = self._workplace.paths
            self._workplace.make_folder(self._logs.artifacts)
            started = self._started()
        if self.step.router is not None:
            self._ledger.note(started[0], **started[1])
            return self._route(self.step.router)
        if self.step.call.dag or self.step.call.body:
            return (yield from self._call(started))
        self._ledger.note(started[0], **started[1])
        self._print("Waiting for human approval...\n")
        return Ending(exit_code=0)

    def _route(self, router: Router) -> Ending:
        value = expand(router.value, self._variables().scope)
        self._chosen = chosen(router, value)
        self._print(f"{value}\n")
        return Ending(exit_code=0)

    def _call(self, started: tuple[str, Mapping[str, Any]]) -> Generator[Wish, Ending, Ending]:
        variables, setting = self._variables(), self._setting
        inherited = tuple(setting.values.params.items())
        seen = self._seen_by_body() if self.step.call.body else {}
        wanted = orders(self.step, variables.scope, setting.run, inherited, seen)
        return (yield Await(lambda done: self._descend(wanted, done), (started,)))

    def _descend(self, wanted: Sequence[Order], done: Callable[[Ending], None]) -> None:
        def end(ending: Ending, ends: Sequence[ChildEnd]) -> None:
            self._children = ends
            done(ending)

        self._ledger.descend(self.step, self._subject(), wanted, end)

    def _seen_by_body(self) -> dict[str, str]:
        """What steps before it have put out, as far as the text of its body speaks of it."""
        body = self.step.call.body
        seen = dict(self._ledger.outputs_before("" if self.handler else self.step.name))
        runs = self._ledger.step_runs()
        for word, name in self._setting.dag.names.items():
            for key, value in runs[name].outputs.items() if name in runs else ():
                seen |= {f"steps.{word}.outputs.{key}": value, f"{word}.outputs.{key}": value}
        return {name: value for name, value in seen.items() if name in body or name.split(".")[-1] in body}

    def _print(self, text: str) -> None:
        log = self._setting.disk.open_append(self._logs.stdout)
        try:
            log.write(self._setting.values.redactor.text(text).encode("utf-8", "surrogateescape"))
        finally:
            log.close()

    def _passed_over(self) -> str:
        runs = self._ledger.step_runs()
        return "" if self.handler else passed_over(self._setting.dag, self.step, runs.__getitem__)

    def _answered(self, state: StepRun, word: Word) -> _End:
        """The end of a step that waited for a word, once that was said."""
        if not word.approved:
            return _End(Outcome(StepState.REJECTED, reason=str(word)), Ending(exit_code=state.exit_code))
        outputs = {**state.outputs, **word.inputs}
        paths = self._workplace.paths
        self._workplace.make_folder(paths.root)
        sha256 = capture.write_outputs(self._setting.disk, paths, outputs)
        outcome = Outcome(StepState.SUCCEEDED, reason=str(word))
        return _End(outcome, Ending(exit_code=state.exit_code), outputs, sha256)

    # --- between tries

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
            asked = Condition(policy.condition, policy.expected, eval=policy.condition)
            met = yield from self._holds(asked, "repeat")
        wait = repeat_wait(policy, self._tries, ending, met)
        return None if wait is None else Sleep(wait)

    def _variables(self) -> StepEnvironment:
        outputs = self._ledger.outputs_before("" if self.handler else self.step.name)
        return self._workplace.environment(self._tries, outputs, self._ledger.step_runs(), self._embedded)

    def _run_embedded(self) -> Generator[Wish, Ending, None]:
        """Run the commands within the step's own values, so that each try sees what they print (Dagu 1)."""
        self._embedded = {}
        if self._setting.dag.dialect != "dagu1":
            return
        for number, text in enumerate(commands_in(embedding_texts(self.step)), 1):
            ending, said = yield from self._run_text(text, f"value.{number}")
            if ending.exit_code != 0:
                raise StepUnready(f"the command {text!r} in its values failed with {ending.exit_code}")
            self._embedded = {**self._embedded, text: said}

    # --- conditions

    def _preconditions(self) -> Generator[Wish, Ending, str]:
        """The text of the first condition that does not hold, or `""`."""
        for number, condition in enumerate(self.step.preconditions, 1):
            met = yield from self._holds(condition, f"precondition.{number}")
            if not met:
                return condition.eval or condition.condition
        return ""

    def _holds(self, condition: Condition, label: str) -> Generator[Wish, Ending, bool]:
        text = condition.eval or condition.condition
        runs = bool(condition.eval) or self._setting.dag.dialect == "dagu1"
        if condition.expected is not None and not (runs and ("`" in text or "$(" in text)):
            return condition_met(condition, None, expand(text, self._variables().scope))
        if condition.expected is not None:
            # It expands commands without reading quotes, and values stay variables.
            text = here_document(text)
        ending, value = yield from self._run_text(text, label)
        return condition_met(condition, ending.exit_code, value)

    def _run_text(self, text: str, label: str) -> Generator[Wish, Ending, tuple[Ending, str]]:
        """Run a shell text in a folder of its own, and give its end and what it printed."""
        variables = self._variables()
        name = f"{label}.{self._tries}.{secrets.token_hex(2)}"
        folder = StepPaths(self._workplace.paths.root / CONDITIONS / name)
        self._workplace.make_folder(folder.root)
        ending = yield Start(self._condition_launch(text, folder, variables))
        value = follow(folder.stdout, 0, limit=_LARGEST_CONDITION).decode("utf-8", "replace")
        return ending, value.strip()

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

    def _leavings(self, is_complete: bool) -> capture.Leavings:
        return capture.Leavings(
            self._logs,
            self._logs.output_file(self._tries),
            self._offsets,
            cwd=self._workplace.cwd,
            limit=self._setting.dag.max_output_size,
            is_complete=is_complete,
            expand=lambda text: expand(text, self._variables().scope),
            redactor=self._setting.values.redactor,
        )

    def _end(self, ending: Ending) -> _End:
        """Judge the last try and keep what it left."""
        if self._children and ending.cause != "waiting":
            self._print(summary(self.step, self._children))
        outcome = judge(self.step, ending, self._printed())
        outputs: dict[str, str] = {}
        if outcome.state in (StepState.SUCCEEDED, StepState.FAILED):
            try:
                left = self._leavings(outcome.state is StepState.SUCCEEDED)
                outputs = self._of_child() | capture.collect_outputs(self.step, left)
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
        if outcome.state is StepState.SUCCEEDED and self._asks:
            outcome = Outcome(StepState.WAITING, reason="waits for approval")
        return _End(outcome, ending, outputs, sha256, self._chosen)

    @property
    def _asks(self) -> bool:
        return self.step.approval is not None or self.step.executor.type == "hitl"

    def _of_child(self) -> dict[str, str]:
        """What the one child put out, which in Dagu 2 its step has put out too."""
        if len(self._children) != 1 or self.step.parallel or self._setting.dag.dialect == "dagu1":
            return {}
        return dict(self._children[0].outputs)

    def _printed(self) -> str:
        if not self.step.continue_on.output:
            return ""
        data = follow(self._logs.stdout, self._offsets[0], limit=_LARGEST_CONDITION)
        return data.decode("utf-8", "replace")

    def _finish(self, end: _End) -> None:
        outcome, left = end.outcome, end.ending
        data: dict[str, Any] = {**self._subject(), "state": outcome.state, "reason": outcome.reason}
        if self._tries:
            data |= {"try": self._tries, "exit_code": left.exit_code, "signal": left.signal}
        data |= {"error": left.error} if left.error else {}
        data |= {"outputs": end.outputs, "outputs_sha256": end.outputs_sha256} if end.outputs else {}
        data |= {"tolerated": True} if outcome.tolerated else {}
        data |= {"chosen": list(end.chosen)} if end.chosen is not None else {}
        if outcome.state is StepState.WAITING:
            self._ledger.note(ev.STEP_WAITING, **data, **self._question())
        else:
            self._ledger.note(self._event(ev.STEP_FINISHED, ev.HANDLER_FINISHED), **data)

    def _question(self) -> dict[str, Any]:
        """What is asked of somebody; nothing where it is its children that wait."""
        if not self._asks or self._children:
            return {}
        approval = self.step.approval or Approval()
        prompt = expand(approval.prompt, self._variables().scope)
        return {"prompt": prompt, "input": list(approval.input), "required": list(approval.required)}

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
