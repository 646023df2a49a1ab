"""One step of one attempt from its preconditions to its end, written as it happens.

An `Execution` is a generator of wishes: `Start` a process, `Attach` to one, `Sleep`, or `Await` what is
none. The loop grants them in its own time and sends back how that ended.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from dagfs.engine import capture
from dagfs.engine.call import Manner
from dagfs.engine.conditions import LARGEST_TEXT, Conditions
from dagfs.engine.environment import StepEnvironment, StepUnready
from dagfs.engine.errand import Errand
from dagfs.engine.inputs import identified
from dagfs.engine.ledger import Ledger
from dagfs.engine.moment import seconds
from dagfs.engine.request import launch, prepare, render
from dagfs.engine.wish import Attach, Sleep, Start, Steps, Wish
from dagfs.engine.workplace import Setting, Workplace, try_token
from dagfs.errors import DagfsError
from dagfs.model import event as ev
from dagfs.model.dag import Step
from dagfs.model.run import StepRun, Word
from dagfs.model.state import StepState
from dagfs.model.value import field, frozen
from dagfs.planning.frontier import Outcome
from dagfs.planning.outcome import Ending, by_itself, judge, may_repeat, repeat_wait, retry_wait
from dagfs.planning.profile import placed, placement
from dagfs.planning.routing import passed_over
from dagfs.spec.values import expand
from dagfs.store.logs import follow
from dagfs.store.record import Record

_REFUSALS = (DagfsError, OSError, ValueError)
"""What only this step has to do with; a ValueError is a text that the system cannot take."""


@frozen
class _End:
    """How an execution ended, ready to be recorded."""

    outcome: Outcome
    ending: Ending = field(default_factory=Ending)
    """Of the newest try."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    outputs_sha256: str = ""


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
        step, self.handler = placed(step, setting.attempt.profile), handler
        self.step = step
        self._chosen = placement(step, setting.attempt.profile)
        self._setting, self._ledger = setting, ledger
        self._workplace = Workplace(setting, step, handler, extra or {})
        self._adopted, self._waited = adopted, waited
        self._conditions = Conditions(self._workplace, ledger)
        self._errand = Errand(self._workplace, ledger)
        self._manner = Manner.FIRST
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
            said = Ending(error=f"{message} ({hint})" if hint else message)
            # While it is being stopped nothing is to go on for it, and nothing is to count as done.
            judged = by_itself if self._ledger.is_stopping() else judge
            end = _End(judged(self.step, Ending(error=message)), said)
        # Not within the try: a journal that cannot be written says nothing about the step.
        self._finish(end)
        return end.outcome

    def check(self) -> Steps:
        """Only the preconditions: succeeded where they hold, else skipped, or failed. Nothing is recorded."""
        try:
            unmet = yield from self._conditions.first_unmet(self.step.preconditions)
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
            unmet = yield from self._conditions.first_unmet(self.step.preconditions)
            if self._ledger.is_stopping():
                return _End(Outcome(StepState.ABORTED, reason="stopped"))
            if unmet:
                return _End(Outcome(StepState.SKIPPED, reason=f"precondition not met: {unmet}"))
        while True:
            ending, outputs = self._put_out((yield from self._one_try()))
            if self._ledger.is_stopping():
                return self._cut_short(ending, outputs)
            pause = self._retry(ending)
            if pause is None:
                pause = yield from self._repeat(ending, outputs)
                if self._ledger.is_stopping():
                    return self._cut_short(ending, outputs)
            if pause is None:
                return self._end(ending, outputs)
            yield pause
            if self._ledger.is_stopping():
                return _End(Outcome(StepState.ABORTED, reason="stopped between two tries"), ending)

    def _cut_short(self, ending: Ending, outputs: Mapping[str, str]) -> _End:
        """The end of a step that was to be stopped as its newest try ended: what may go on is not done."""
        if may_repeat(self.step.repeat_policy, self._tries, ending):
            return _End(Outcome(StepState.ABORTED, reason="stopped between two tries"), ending)
        return self._end(ending, outputs)

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
        if self.step.inputs.files:
            inputs = identified(self._workplace.cwd, self.step.inputs.files)
            capture.announce_inputs(self._setting.disk, self._logs, inputs)
        yield from self._conditions.embed(self._tries)
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
        where = {"executor": self.step.executor.type} if self._chosen else {}
        return name, {**self._errand.subject(), "try": self._tries, **offsets, **where}

    def _own_try(self) -> Generator[Wish, Ending, Ending]:
        """One try without a process: the engine itself does the work."""
        resumed, self._waited = self._waited, None
        if resumed is not None:
            self._manner = Manner.ON
            started: tuple[str, Mapping[str, Any]] = (ev.STEP_RESUMED, self._errand.subject())
        else:
            self._tries += 1
            self._logs = self._workplace.paths
            self._workplace.make_folder(self._logs.artifacts)
            started = self._started()
        return (yield from self._errand.run(started, self._manner, self._variables(), self._logs))

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
        self._manner = Manner.AGAIN
        if self.handler:
            return Sleep(wait)
        data = {
            "step": self.step.name,
            "try": self._tries,
            "exit_code": ending.exit_code,
            "until": self._ledger.utc_in(wait),
            "reason": by_itself(self.step, ending).reason,
        }
        return Sleep(wait, ((ev.STEP_RETRYING, data),))

    def _repeat(self, ending: Ending, outputs: Mapping[str, str]) -> Generator[Wish, Ending, Sleep | None]:
        """The pause before a step that ended is run again, or None."""
        policy = self.step.repeat_policy
        if not policy.mode:
            return None
        met = False
        if policy.condition:
            met = yield from self._conditions.is_met(policy, self._tries, ending, outputs)
        wait = repeat_wait(policy, self._tries, ending, met)
        self._manner = Manner.OVER
        return None if wait is None else Sleep(wait)

    def _variables(self) -> StepEnvironment:
        return self._conditions.variables(self._tries)

    # --- the end

    def _put_out(self, ending: Ending) -> tuple[Ending, Mapping[str, str]]:
        """What the newest try put out, and how it ended for that."""
        if ending.cause != "waiting":
            self._errand.sum_up(self._logs)
        return capture.put_out(self.step, ending, self._leavings(), self._errand.outputs())

    def _leavings(self) -> capture.Leavings:
        return capture.Leavings(
            self._logs,
            self._logs.output_file(self._tries),
            self._offsets,
            cwd=self._workplace.cwd,
            limit=self._setting.dag.max_output_size,
            expand=lambda text: expand(text, self._variables().scope),
            redactor=self._setting.values.redactor,
        )

    def _end(self, ending: Ending, outputs: Mapping[str, str]) -> _End:
        """Judge the last try and keep what it left."""
        outcome = judge(self.step, ending, self._printed())
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
            inputs=identified(self._workplace.cwd, files) if (files := self.step.inputs.files) else None,
        )
        if outcome.state.is_success and self._errand.asks:
            outcome = Outcome(StepState.WAITING, reason="waits for approval")
        if outcome.state is StepState.WAITING and self.handler:
            outcome = Outcome(StepState.FAILED, reason="a handler cannot wait for approval")
        return _End(outcome, ending, outputs, sha256)

    def _printed(self) -> str:
        if not self.step.continue_on.output:
            return ""
        data = follow(self._logs.stdout, self._offsets[0], limit=LARGEST_TEXT)
        return data.decode("utf-8", "replace")

    def _finish(self, end: _End) -> None:
        outcome, left = end.outcome, end.ending
        data: dict[str, Any] = {**self._errand.subject(), "state": outcome.state, "reason": outcome.reason}
        if self._tries:
            data |= {"try": self._tries, "exit_code": left.exit_code, "signal": left.signal}
        data |= {"error": left.error} if left.error else {}
        data |= {"outputs": end.outputs, "outputs_sha256": end.outputs_sha256} if end.outputs else {}
        data |= {"tolerated": True} if outcome.tolerated else {}
        data |= {"chosen": list(self._errand.chosen)} if self._errand.chosen is not None else {}
        if outcome.state is StepState.WAITING:
            # Where it is its children that wait, it has no question of its own yet.
            asked = {} if left.cause == "waiting" else self._errand.question(self._variables())
            self._ledger.note(ev.STEP_WAITING, **data, **asked)
        else:
            self._ledger.note(self._event(ev.STEP_FINISHED, ev.HANDLER_FINISHED), **data)

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
