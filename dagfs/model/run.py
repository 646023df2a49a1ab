"""A run, its attempts and their steps as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagfs.model.dag import Plain
from dagfs.model.profile import Profile
from dagfs.model.state import RunState, StepState
from dagfs.model.value import field, frozen

MARKABLE = (StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED)
"""What somebody may say a step is."""


@frozen
class Actor(Plain):
    """Who asked for something, and through what."""

    user: str = ""
    uid: int = -1
    host: str = ""
    source: str = "cli"
    """`cli`, `api`, `web` or `scheduler`."""
    remote: str = ""
    """The address that it was asked from through the web page."""

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.host else self.user


@frozen
class RunHeader(Plain):
    """`run.json`: what never changes about a run."""

    id: str = ""
    dag: str = ""
    store: str = ""
    """The id of the store it was made in."""
    created: str = ""
    """RFC 3339, UTC."""
    source: str = ""
    """The path the spec was read from."""
    base_sha256: str = ""
    """Of the base.yaml that its specs are read with; empty where there was none."""
    trigger: str = "manual"
    queue: str = ""
    """The queue whose limit it counts for; empty for none."""
    actor: Actor = Actor()
    root: str = ""
    parent: str = ""
    """The run whose step made it, or that it was made from."""
    step: str = ""
    """The step of `parent` whose work it is, for a child."""
    item: str = ""
    """The item it is for, as JSON, where the step runs once for each item."""
    alias: str = ""
    """What Dagu would call it; the value of `dagRunId` in its step's output."""
    engine: str = ""
    """The version of dagfs that made it."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return Actor.from_data(value) if key == "actor" else value


@frozen
class AttemptHeader(Plain):
    """`attempt.json`: what was decided when the attempt began, beside the spec's own text."""

    n: int = 1
    spec: str = "spec.v1.yaml"
    spec_sha256: str = ""
    base: int = 0
    """The attempt it continues; 0 for the first."""
    created: str = ""
    actor: Actor = Actor()
    reason: str = ""
    token: str = ""
    """Names this attempt's engine in every line of its journal."""
    plan: str = ""
    """The id of the plan it carries out."""
    dag_dir: str = ""
    """The folder that relative paths of the spec start from."""
    shell: tuple[str, ...] = ()
    """The shell of steps that name none, as decided at the first attempt."""
    working_dir: str = ""
    """`dag` or `run`: where steps start that name no working directory."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Every parameter with its evaluated value, positional ones as `1`, `2`, …"""
    overrides: tuple[tuple[str, str], ...] = ()
    """The parameters given from outside, as given."""
    env_sha256: Mapping[str, str] = field(default_factory=dict)
    """Digests of the evaluated `env:` and dotenv values, by name, salted with the run's id."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values that references of a child find beside its own: its item, its parent's outputs."""
    under: int = 0
    """The attempt of its parent that asked for it, for a child."""
    afresh: Mapping[str, int] = field(default_factory=dict)
    """Steps whose children start over instead of continuing, with the attempt since which: what an earlier
    one of theirs did counts no more."""
    asked: tuple[str, ...] = ()
    """What its plan was asked for beside the edit, as options: `--from load`."""
    wrapper: tuple[str, ...] = ()
    """The words of a command that the steps `wrapped` were put behind."""
    wrapped: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    """Rules that were allowed to be broken, for `reason`."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """Plugin names to versions."""
    engine: str = ""
    profile: Profile = field(default_factory=Profile)
    """Where steps ran in place of what the spec says."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        if key == "actor":
            return Actor.from_data(value)
        if key == "profile":
            return Profile.from_data(value)
        if key == "overrides":
            return tuple((name, text) for name, text in value)
        return tuple(value) if isinstance(value, list) else value


@frozen
class Marking:
    """Somebody said how a step stands, whatever its process did."""

    step: str
    state: StepState
    was: StepState
    attempt: int
    """The attempt whose end it followed."""
    actor: Actor
    time: str
    reason: str

    def __str__(self) -> str:
        return f"marked {self.state} by {self.actor}: {self.reason}"

    def as_data(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "state": self.state,
            "was": self.was,
            "attempt": self.attempt,
            "actor": self.actor.as_data(),
            "time": self.time,
            "reason": self.reason,
        }


@frozen
class Word:
    """What somebody said to a step that waited for it."""

    approved: bool
    actor: Actor
    time: str
    reason: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{'approved' if self.approved else 'rejected'} by {self.actor}{why}"

    def as_data(self) -> dict[str, Any]:
        return {
            "approved": self.approved,
            "actor": self.actor.as_data(),
            "time": self.time,
            "reason": self.reason,
            "inputs": dict(self.inputs),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Word:
        """Read back what `as_data` wrote; KeyError, TypeError or ValueError for anything else."""
        return cls(
            bool(data["approved"]),
            Actor.from_data(data["actor"]),
            str(data["time"]),
            str(data["reason"]),
            {str(name): str(value) for name, value in data["inputs"].items()},
        )


@frozen
class ChildRun:
    """A child of a step: one run of its sub-DAG."""

    id: str
    """The second part of its address."""
    attempt: int
    """The child's own attempt that belongs to this one of its parent."""
    state: RunState = RunState.RUNNING
    item: str = ""
    """Its item as JSON, where there is one for each item."""
    kept: bool = False
    """It was finished in an earlier attempt, and nothing of it ran again."""
    reason: str = ""

    def as_data(self) -> dict[str, Any]:
        found = {"item": self.item, "kept": self.kept, "reason": self.reason}
        said = {key: value for key, value in found.items() if value}
        return {"attempt": self.attempt, "state": str(self.state), **said}


@frozen
class StepRun:
    """One step in one attempt: how it stands, and where its work lies."""

    name: str
    state: StepState = StepState.NOT_STARTED
    attempt: int = 0
    """The attempt that holds its outputs and artifacts: an earlier one when it was kept, 0 for none."""
    ever_started: bool = False
    """It was started in this attempt or in an earlier one."""
    kept: bool = False
    """Its work was done in an earlier attempt and not repeated in this one."""
    tries: int = 0
    """Executions, repetitions included."""
    retries: int = 0
    """How many of those followed a failure."""
    exit_code: int | None = None
    signal: int | None = None
    started: str | None = None
    finished: str | None = None
    until: str | None = None
    """When a retrying step starts again."""
    reason: str = ""
    """Why it stands as it does, for people."""
    error: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    outputs_sha256: str = ""
    offsets: tuple[int, int] = (0, 0)
    """Where the newest try's output begins in stdout.log and stderr.log, in bytes."""
    log_attempt: int = 0
    """The attempt whose folder holds the logs; differs from `attempt` for an adopted step."""
    stale: bool = False
    """Kept although its definition has changed since it ran, because somebody said so."""
    basis: int = 0
    """The attempt whose spec its work answers to, or was accepted for."""
    tolerated: bool = False
    """It failed, and the spec lets the run go on (`continue_on`)."""
    marking: Marking | None = None
    """Who said that it stands so, where somebody did."""
    outputs_attempt: int = 0
    """The attempt that holds outputs given with a marking; 0 where the step itself put them out."""
    children: Mapping[str, ChildRun] = field(default_factory=dict)
    """The runs of its sub-DAG by id, in the order in which they began."""
    wanted: int = 0
    """How many children its newest try asked for."""
    chosen: tuple[str, ...] | None = None
    """The steps that a router chose."""
    question: Mapping[str, Any] | None = None
    """What it waits for: `prompt`, `input` and `required` of its approval."""
    word: Word | None = None
    """What somebody said to that."""
    left: bool = False
    """It was unfinished, and not selected to run in this attempt."""
    prior: StepRun | None = None
    """Its finished work of an earlier attempt, which counts again where all before it make the same again."""
    against: Mapping[str, str] = field(default_factory=dict)
    """For that, steps before it to digests of what they had made; empty for one that may only be kept."""
    unrecorded: bool = False
    """Seen on disk but not in the journal: it ended after its engine had died."""
    executor: str = ""
    """The executor of its newest try, where a profile chose it."""


@frozen
class Attempt:
    """One execution of a run, as its journal tells it."""

    header: AttemptHeader
    state: RunState = RunState.RUNNING
    started: str | None = None
    finished: str | None = None
    reason: str = ""
    unmet: bool = False
    """Nothing of it ran, because a precondition of the whole DAG was not met."""
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    handlers: Mapping[str, StepRun] = field(default_factory=dict)
    markings: tuple[Marking, ...] = ()
    """Every marking that followed its end, oldest first."""
    events: int = 0
    """The number of the last event folded in."""

    @property
    def n(self) -> int:
        return self.header.n

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of all its steps; of those with the same name that of the last step."""
        return outputs_of(self.steps.values())


@frozen
class Run:
    """A run with all its attempts, oldest first; there is always at least one."""

    header: RunHeader
    attempts: tuple[Attempt, ...]

    @property
    def id(self) -> str:
        return self.header.id

    @property
    def last(self) -> Attempt:
        """The newest attempt, whose state is the run's."""
        return self.attempts[-1]

    @property
    def state(self) -> RunState:
        return self.last.state


def outputs_of(steps: Iterable[StepRun]) -> dict[str, str]:
    """The outputs of several steps; of those with the same name the last one's."""
    return {name: value for step in steps for name, value in step.outputs.items()}
