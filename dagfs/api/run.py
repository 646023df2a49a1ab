"""A run, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, Unpack

from dagfs.api.access import Access
from dagfs.api.options import FROM_FAILURE, RetryOptions, Saying, require_rerun
from dagfs.api.record import RunRecord
from dagfs.api.saying import Params, answer_words, given, new_id, pairs
from dagfs.engine.child import Child
from dagfs.engine.location import current_actor
from dagfs.engine.marking import mark_step
from dagfs.engine.proposal import propose_retry
from dagfs.engine.stopping import stop_run
from dagfs.errors import UsageError
from dagfs.model.event import Event
from dagfs.model.run import Marking
from dagfs.model.state import StepState
from dagfs.planning.plan import Plan


class Run(RunRecord):
    """A run as it stood when it was last read; `refresh` reads it again."""

    def children(self) -> list[Run]:
        """The runs of its sub-DAGs, as the newest attempt has them; their ids are `ROOT/CHILD`."""
        root = self.id.partition("/")[0]
        ids = [child for step in self.steps.values() for child in step.children]
        return [Run(self._access, f"{root}/{child}") for child in ids]

    # --- planning

    def edit(self, text: str | bytes) -> Path:
        """Write spec.next.yaml, in place of one that is there; `plan` says what comes of it."""
        path = self._access.reading.store.paths(self.id).next_spec
        self._access.engine.home.disk.replace(path, text.encode() if isinstance(text, str) else text)
        return path

    def plan(self, options: RetryOptions = FROM_FAILURE, **said: Unpack[Saying]) -> Plan:
        """What a retry would do with each step, and why; nothing changes. Keywords stand above `options`.

        Raises Busy while it runs, SpecError for a bad edit, UsageError.
        """
        wanted = replace(options, **said)
        return propose_retry(self._access.engine, self.id, wanted.answers(), spec=wanted.text()).plan

    # --- acting

    def retry(self, what: Plan | RetryOptions | None = None, **said: Unpack[Saying]) -> Self:
        """Continue this run and wait until it ends or waits for a word; the same object, read again.

        With a plan only if it still is the plan, else PlanMoved; its answers are used, and `spec` is needed
        again where the plan was made for one. Raises Refused, NothingToDo, Busy, SpecError, StoreError.
        """
        self.start_retry(what, **said).finish()
        return self.refresh()

    def start_retry(self, what: Plan | RetryOptions | None = None, **said: Unpack[Saying]) -> LiveRun:
        """The same, back as soon as the attempt exists."""
        plan = what if isinstance(what, Plan) else None
        options = replace(what if isinstance(what, RetryOptions) else FROM_FAILURE, **said)
        answers, spec = options.answers(), options.text()
        if plan is not None:
            answers = replace(plan.answers, reason=options.reason or plan.answers.reason)
        words = ["retry", *answer_words(answers), *given("--plan", plan.id if plan else "")]
        words += ["--spec", "-"] if spec is not None else []
        return LiveRun(self._access, self.id, [*words, "--", self.id], spec or b"")

    def rerun(
        self,
        what: Params | RetryOptions | None = None,
        *,
        latest: bool = False,
        id: str = "",
        **said: Unpack[Saying],
    ) -> Run:
        """A new run with this one's newest spec and parameters, or the DAG file as it is now; to its end.

        `what` may be parameters alone. Where steps are selected the new run has this one's attempts behind
        it, and keeps the rest of what has finished. Raises UsageError for what only a retry can be told.
        """
        return self.start_rerun(what, latest=latest, id=id, **said).finish()

    def start_rerun(
        self,
        what: Params | RetryOptions | None = None,
        *,
        latest: bool = False,
        id: str = "",
        **said: Unpack[Saying],
    ) -> LiveRun:
        """The same, back as soon as the run exists."""
        options = what if isinstance(what, RetryOptions) else RetryOptions(params=what or {})
        answers = require_rerun(replace(options, **said))
        run_id = id or new_id(self.dag)
        words = ["rerun", *given("--id", run_id), *answer_words(answers), *(["--latest"] if latest else [])]
        return LiveRun(self._access, run_id, [*words, "--", self.id])

    def approve(
        self, step: str = "", inputs: Mapping[str, object] | None = None, *, reason: str = ""
    ) -> Self:
        """Let a waiting step go on, of this run or of a child, and wait until the run ends or waits again.

        Where an engine is at work on the run already, that goes on, and this is back at once. The step need
        not be named where only one waits. Raises NotFound where none does, UsageError for missing inputs.
        """
        return self._say("approve", step, [*pairs("--input", inputs), *given("--reason", reason)])

    def reject(self, step: str = "", *, reason: str = "") -> Self:
        """Refuse what a waiting step asks, and wait for the run's end. NotFound, UsageError."""
        return self._say("reject", step, given("--reason", reason))

    def _say(self, verb: str, step: str, words: Sequence[str]) -> Self:
        names = [self.id, step] if step else [self.id]
        LiveRun(self._access, self.id, [verb, *words, "--", *names]).finish()
        return self.refresh()

    def stop(self, *, kill: bool = False, timeout: float = 0) -> Run:
        """Stop it and wait until nothing of it is left, `timeout` seconds at most. NothingToDo, TimedOut."""
        stop_run(self._access.engine, self.id, kill=kill, timeout=timeout)
        return self.refresh()

    def mark(self, step: str, state: str, why: str, *, outputs: Mapping[str, str] | None = None) -> Marking:
        """Say how a step stands: succeeded, failed or skipped. Busy, NotFound, Refused, NothingToDo."""
        try:
            wanted = StepState(state)
        except ValueError:
            raise UsageError(f"{state!r} is no state of a step") from None
        actor = current_actor("api")
        marking = mark_step(self._access.engine, self.id, step, wanted, why, outputs=outputs, actor=actor)
        self.refresh()
        return marking


class LiveRun:
    """A run at work: an iterator of its events, and a context that does not leave it behind.

    At the end of `with` it is waited for, or stopped where the block raised. One thread at a time may use it.
    """

    def __init__(self, access: Access, run_id: str, words: Sequence[str], stdin: bytes = b"") -> None:
        """Start a verb and wait until the run `run_id` exists."""
        self.id, self._access = run_id, access
        self._child = Child(access.path, words, stdin)
        self._first = self._child.next_event()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event, self._first = self._first, None
        event = event or self._child.next_event()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> LiveRun:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.stop()

    @property
    def run(self) -> Run:
        """The run as it stands now."""
        return Run(self._access, self.id)

    def finish(self) -> Run:
        """Wait until it ends, or waits for a word. What interrupts this, as ^C does, stops it first."""
        try:
            for _ in self:
                pass
        except BaseException:
            self.stop()
            raise
        return self.run

    def stop(self, *, kill: bool = False) -> None:
        """Ask it to stop, with `kill` at once, and wait until nothing of it is left."""
        self._child.stop(kill=kill)
