"""dagfs from Python: `from dagfs import api`. Errors are those of `dagfs.errors`.

Reading, planning, marking and stopping happen in this process. What runs steps is a `dagfs` process of its
own, because an engine forks and a user's program may have threads; its events come back as they happen.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from dagfs.engine.bootstrap import Engine
from dagfs.engine.bootstrap import open_home as open_engine
from dagfs.engine.child import Child
from dagfs.engine.location import current_actor, find_home, new_token, now, open_reading
from dagfs.engine.marking import mark_step
from dagfs.engine.proposal import propose_retry
from dagfs.engine.stopping import stop_run
from dagfs.engine.view import View, view_run
from dagfs.errors import NotFound, UsageError
from dagfs.model.event import Event
from dagfs.model.run import Attempt, Marking, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.plan import Answers, Plan
from dagfs.store import dags
from dagfs.store.journal import read as read_journal
from dagfs.store.layout import new_run_id
from dagfs.store.logs import follow

__all__ = [
    "Attempt",
    "Event",
    "Home",
    "LiveRun",
    "Marking",
    "Plan",
    "Run",
    "RunState",
    "StepRun",
    "StepState",
    "open_home",
]

Params = Mapping[str, object]
OnStale = str | Mapping[str, str]
_NO_ANSWER: Mapping[str, str] = MappingProxyType({})


def open_home(path: str | os.PathLike[str] | None = None) -> Home:
    """The home at `path`, else the one that `dagfs` would find from here. NotFound."""
    given = None if path is None else os.fspath(path)
    return Home(find_home(given, Path.cwd(), os.environ))


class Home:
    """A home. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._reading = open_reading(self.path)
        self._lock = threading.Lock()
        self._opened: Engine | None = None

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def dags(self) -> list[Path]:
        """Every DAG file, sorted."""
        return dags.names(self._reading.paths)

    def run(
        self,
        dag: str | os.PathLike[str],
        params: Params | None = None,
        *,
        id: str = "",
        reason: str = "",
    ) -> Run:
        """Make a run of a DAG, by name or path, and wait for its end, however it ends."""
        return self.start(dag, params, id=id, reason=reason).finish()

    def start(
        self,
        dag: str | os.PathLike[str],
        params: Params | None = None,
        *,
        id: str = "",
        reason: str = "",
    ) -> LiveRun:
        """The same, back as soon as the run exists; SpecError, NotFound, Refused where it never will."""
        name = os.fspath(dag)
        run_id = id or _new_id(Path(name).stem)
        words = ["run", *_given("--id", run_id), *_params(params), *_given("--reason", reason)]
        return LiveRun(self, run_id, [*words, "--", name])

    def find(self, reference: str = "@") -> Run:
        """The run that `@`, `DAG@-1`, an id, the beginning of one or a path means. NotFound, Refused."""
        return Run(self, self._reading.store.find(reference))

    def runs(
        self, *, limit: int | None = None, dag: str | None = None, states: Collection[str] = ()
    ) -> list[Run]:
        """Runs, newest first. One that cannot be read is left out; `dagfs fsck` tells why."""
        found = self._reading.store.summaries(limit, dag, [str(state) for state in states])
        return [Run(self, each["run"]) for each in found if each["state"] != "damaged"]

    @property
    def engine(self) -> Engine:
        """The home with its plugins, opened at the first need. Not part of the stable interface."""
        with self._lock:
            if self._opened is None:
                self._opened = open_engine(self.path)
            return self._opened

    def _view(self, run_id: str) -> View:
        return view_run(self._reading.store, run_id)


class Run:
    """A run as it stood when it was last read; `refresh` reads it again."""

    def __init__(self, home: Home, run_id: str) -> None:
        self.home, self.id = home, run_id
        self._seen = home._view(run_id)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {self.state})"

    def refresh(self) -> Run:
        """Read it again; the same object."""
        self._seen = self.home._view(self.id)
        return self

    # --- reading

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.home._reading.store.paths(self.id).root

    @property
    def dag(self) -> str:
        return self._seen.run.header.dag

    @property
    def root(self) -> str:
        """The first run of its family; its own id where it was made from no other."""
        return self._seen.run.header.root or self.id

    @property
    def parent(self) -> str:
        """The run that it was made from, or `""`."""
        return self._seen.run.header.parent

    @property
    def state(self) -> RunState:
        return self._seen.state

    @property
    def reason(self) -> str:
        """Why it stands so, for people."""
        return self._seen.run.last.reason

    @property
    def params(self) -> Mapping[str, str]:
        return self._seen.run.last.header.params

    @property
    def steps(self) -> Mapping[str, StepRun]:
        """How each step stands, by name, in the order of the spec."""
        return self._seen.run.last.steps

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts, oldest first."""
        return self._seen.run.attempts

    @property
    def outputs(self) -> Mapping[str, Mapping[str, str]]:
        """The outputs of each step that has some: `run.outputs["extract"]["ROWS"]`."""
        return {name: step.outputs for name, step in self.steps.items() if step.outputs}

    @property
    def spec(self) -> str:
        """The captured spec of the newest attempt."""
        return self.home._reading.store.spec(self.id, self.attempts[-1].n).decode("utf-8", "replace")

    @property
    def next_spec(self) -> str | None:
        """The pending edit; None where there is none."""
        data = self.home._reading.store.read_next(self.id)
        return None if data is None else data.decode("utf-8", "replace")

    def log(self, step: str, *, stderr: bool = False, attempt: int | None = None) -> str:
        """All that a step printed, in the newest attempt that ran it or in a given one. NotFound."""
        chosen = [each for each in self.attempts if attempt in (None, each.n)][-1:]
        if not chosen or step not in chosen[0].steps:
            where = f" in attempt {attempt}" if attempt else ""
            raise NotFound(f"run {self.id} has no step {step!r}{where}")
        number = chosen[0].steps[step].log_attempt or chosen[0].n
        paths = self.home._reading.store.paths(self.id).attempt(number).step(step)
        data, file = b"", paths.stderr if stderr else paths.stdout
        while piece := follow(file, len(data)):
            data += piece
        return data.decode("utf-8", "replace")

    def events(self) -> Iterator[Event]:
        """All events of all attempts as they stand now; each attempt begins with `attempt_started`."""
        paths = self.home._reading.store.paths(self.id)
        for each in self.attempts:
            yield from read_journal(paths.attempt(each.n).journal, token=each.header.token).events

    # --- planning

    def edit(self, text: str | bytes) -> Path:
        """Write spec.next.yaml, in place of one that is there; `plan` says what comes of it."""
        data = text.encode() if isinstance(text, str) else text
        path = self.home._reading.store.paths(self.id).next_spec
        self.home.engine.home.disk.replace(path, data)
        return path

    def plan(
        self,
        *,
        on_stale: OnStale = _NO_ANSWER,
        allow: Collection[str] = (),
        reason: str = "",
        spec: str | bytes | None = None,
        kill_orphans: bool = False,
    ) -> Plan:
        """What a retry would do with each step, and why; nothing changes.

        `on_stale` is `rerun`, `keep` or `error`, or one of them by step; `spec` stands for spec.next.yaml.
        Raises Busy while it runs, SpecError for a bad edit.
        """
        answers = Answers(_stale(on_stale), tuple(allow), reason, kill_orphans)
        return propose_retry(self.home.engine, self.id, answers, spec=_bytes(spec)).plan

    # --- acting

    def retry(
        self,
        plan: Plan | None = None,
        *,
        on_stale: OnStale = _NO_ANSWER,
        allow: Collection[str] = (),
        reason: str = "",
        spec: str | bytes | None = None,
        kill_orphans: bool = False,
    ) -> Run:
        """Continue this run and wait for its end; the same object, read again.

        With a plan only if it still is the plan, else PlanMoved; its answers are used, and `spec` is needed
        again where the plan was made for one. Raises Refused, NothingToDo, Busy, SpecError, StoreError.
        """
        return self.start_retry(
            plan, on_stale=on_stale, allow=allow, reason=reason, spec=spec, kill_orphans=kill_orphans
        ).finish(self)

    def start_retry(
        self,
        plan: Plan | None = None,
        *,
        on_stale: OnStale = _NO_ANSWER,
        allow: Collection[str] = (),
        reason: str = "",
        spec: str | bytes | None = None,
        kill_orphans: bool = False,
    ) -> LiveRun:
        """The same, back as soon as the attempt exists."""
        if plan is not None:
            answers = plan.answers
            answers = Answers(answers.on_stale, answers.allow, reason or answers.reason, answers.kill_orphans)
        else:
            answers = Answers(_stale(on_stale), tuple(allow), reason, kill_orphans)
        words = ["retry", *_answer_words(answers), *_given("--plan", plan.id if plan else "")]
        words += ["--spec", "-"] if spec is not None else []
        return LiveRun(self.home, self.id, [*words, "--", self.id], _bytes(spec) or b"")

    def rerun(
        self,
        params: Params | None = None,
        *,
        latest: bool = False,
        id: str = "",
        reason: str = "",
    ) -> Run:
        """A new run with this one's newest spec and parameters, or the DAG file as it is now; to its end."""
        run_id = id or _new_id(self.dag)
        words = ["rerun", "--id", run_id, *_params(params), *_given("--reason", reason)]
        words += ["--latest"] if latest else []
        return LiveRun(self.home, run_id, [*words, "--", self.id]).finish()

    def stop(self, *, kill: bool = False, timeout: float = 0) -> Run:
        """Stop it and wait until nothing of it is left, `timeout` seconds at most. NothingToDo, Refused."""
        stop_run(self.home.engine, self.id, kill=kill, timeout=timeout)
        return self.refresh()

    def mark(self, step: str, state: str, why: str, *, outputs: Mapping[str, str] | None = None) -> Marking:
        """Say how a step stands: succeeded, failed or skipped. Busy, NotFound, Refused, NothingToDo."""
        try:
            wanted = StepState(state)
        except ValueError:
            raise UsageError(f"{state!r} is no state of a step") from None
        actor = current_actor("api")
        marking = mark_step(self.home.engine, self.id, step, wanted, why, outputs=outputs, actor=actor)
        self.refresh()
        return marking


class LiveRun:
    """A run at work: an iterator of its events, and a context that does not leave it behind.

    At the end of `with` it is waited for, or stopped where the block raised. One thread at a time may use it.
    """

    def __init__(self, home: Home, run_id: str, words: Sequence[str], stdin: bytes = b"") -> None:
        """Start a verb and wait until the run `run_id` exists."""
        self.home, self.id = home, run_id
        self._child = Child(home.path, words, stdin)
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
        return Run(self.home, self.id)

    def finish(self, run: Run | None = None) -> Run:
        """Wait for its end, however it ends. What interrupts the waiting, as ^C does, stops it first."""
        try:
            for _ in self:
                pass
        except BaseException:
            self.stop()
            raise
        return run.refresh() if run else self.run

    def stop(self, *, kill: bool = False) -> None:
        """Ask it to stop, with `kill` at once, and wait until nothing of it is left."""
        self._child.stop(kill=kill)


# --- words for the command line


def _new_id(name: str) -> str:
    return new_run_id(now(), name, new_token()[:4])


def _params(params: Params | None) -> list[str]:
    return [f"--param={name}={value}" for name, value in (params or {}).items()]


def _given(option: str, value: str) -> list[str]:
    """One word, so that a value that begins with a dash stays a value."""
    return [f"{option}={value}"] if value else []


def _stale(on_stale: OnStale) -> tuple[tuple[str, str], ...]:
    if isinstance(on_stale, str):
        return (("*", on_stale),)
    return tuple(dict(on_stale).items())


def _answer_words(answers: Answers) -> list[str]:
    words = [
        f"--on-stale={answer if step == '*' else f'{step}={answer}'}" for step, answer in answers.on_stale
    ]
    words += [f"--allow={rule}" for rule in answers.allow]
    words += ["--kill-orphans"] if answers.kill_orphans else []
    return words + _given("--reason", answers.reason)


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
