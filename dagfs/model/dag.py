"""What a spec says, once read: a `Dag` of `Step`s. Frozen, comparable, and plain data on disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

from dagfs.model.plain import Data as Data  # noqa: PLC0414
from dagfs.model.plain import Mark as Mark  # noqa: PLC0414
from dagfs.model.plain import Plain as Plain  # noqa: PLC0414
from dagfs.model.plain import tuples
from dagfs.model.schedule import Retention, Schedule
from dagfs.model.value import field, frozen


@frozen
class Variable(Plain):
    """One entry of an `env:` block, unevaluated."""

    name: str = ""
    value: str = ""


@frozen
class Condition(Plain):
    """Something that must hold. Without `expected`, `condition` is a command that must exit 0."""

    condition: str = ""
    expected: str | None = None
    """A literal that one line of the value must equal, or `re:` and a regular expression."""
    negate: bool = False
    eval: str = ""
    """Text in place of `condition` whose backquotes and `$(…)` a shell runs (Dagu 2)."""


@frozen
class ContinueOn(Plain):
    """When the steps behind a step go on although it did not succeed."""

    failure: bool = False
    skipped: bool = False
    exit_code: tuple[int, ...] = ()
    output: tuple[str, ...] = ()
    """Texts, or `re:` patterns, looked for in the step's standard output."""
    mark_success: bool = False
    """Record the step as succeeded when one of the above applied."""


@frozen
class RetryPolicy(Plain):
    """How often a failed try is repeated within an attempt. Times in seconds."""

    limit: int = 0
    interval_sec: float = 0
    exit_code: tuple[int, ...] = ()
    """Only these codes are tried again; empty means any that is not 0."""
    backoff: float = 1
    """Each wait is this many times the one before; 1 keeps it constant."""
    max_interval_sec: float = 0
    """The longest wait; 0 means no bound."""


@frozen
class RepeatPolicy(Plain):
    """How a step that ended is run again: `while` something holds, or `until` it does."""

    mode: str = ""
    """`while`, `until`, or empty for no repetition."""
    interval_sec: float = 0
    limit: int = 0
    """The most executions in all; 0 means no bound."""
    condition: str = ""
    expected: str | None = None
    exit_code: tuple[int, ...] = ()
    backoff: float = 1
    max_interval_sec: float = 0


@frozen
class Output(Plain):
    """A variable that takes what the step prints on standard output, without surrounding space."""

    name: str = ""
    key: str = ""
    """The name among the run's outputs, where it is not derived from `name`."""
    omit: bool = False
    """Leave it out of the run's outputs."""


@frozen
class Param(Plain):
    """One parameter as declared. A positional one is named by its place: `1`, `2`, …"""

    name: str = ""
    value: str = ""
    """The default, unevaluated."""
    description: str = ""
    required: bool = False
    """A run must be given a value; the default is none."""
    eval: str = ""
    """A default whose backquotes and `$(…)` a shell runs (Dagu 2)."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """The JSON schema that its value must fit; empty for any text."""


@frozen
class OutputField(Plain):
    """One named output that a step publishes, and where its value comes from."""

    name: str = ""
    type: str = "string"
    """`string`, or `json` for text that must be JSON."""
    value: str = ""
    """The value itself, unevaluated, where it is written in the spec."""
    source: str = ""
    """`stdout`, `stderr`, `file` (at `path`) or `value`; empty for what it writes to `$DAGFS_OUTPUT`."""
    path: str = ""
    decode: str = ""
    """`json`, `yaml`, `lines` or `text`: how the source is read before `select`."""
    select: str = ""
    """Where in the decoded value it is: a path such as `.items[0].id`."""


@frozen
class Call(Plain):
    """Another DAG that a step runs."""

    dag: str = ""
    """The name of one in the same file, of one in the home, or a path. May hold references."""
    params: tuple[Param, ...] = ()
    """What it is given, unevaluated; positional ones are `1`, `2`, …"""
    text: str = ""
    """One reference that stands for all parameters: its value is read as parameter text."""
    body: str = ""
    """The DAG itself as a YAML document, where it is written inline (`foreach.steps`)."""
    body_sha256: str = ""
    """The digest of what `body` says, whatever its layout and comments."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return tuple(Param.from_data(each) for each in value) if key == "params" else value


@frozen
class Parallel(Plain):
    """A step's DAG is run once for each item."""

    items: tuple[Any, ...] = ()
    """Texts, or mappings of texts, unevaluated."""
    source: str = ""
    """A text with references that comes to all items: a JSON list, else words or lines."""
    max_concurrent: int = 10
    item: str = "ITEM"
    """What references call the item: `${ITEM}`, or `${foreach.item}`."""
    key: str = ""
    """The field that tells items apart from one attempt to the next; empty for the whole value."""
    collect: tuple[Variable, ...] = ()
    """What each item's run that succeeded hands on: names, and texts evaluated in that run."""
    is_foreach: bool = False
    """Each place is an item, equal ones too; no items at all are no error."""

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        if key == "collect":
            return tuple(Variable.from_data(each) for each in value)
        return tuple(value) if isinstance(value, list) else value


@frozen
class Route(Plain):
    """Steps that run when a router's value fits."""

    pattern: str = ""
    """A literal, or `re:` and a regular expression."""
    steps: tuple[str, ...] = ()


@frozen
class Router(Plain):
    """A step that chooses which of the steps behind it run; the others are skipped."""

    value: str = ""
    routes: tuple[Route, ...] = ()

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return tuple(Route.from_data(each) for each in value) if key == "routes" else value


@frozen
class Approval(Plain):
    """The step waits for somebody's word once its own work, if it has any, is done."""

    prompt: str = ""
    input: tuple[str, ...] = ()
    """Names of values that the approver may give; they become the step's outputs."""
    required: tuple[str, ...] = ()
    """Those that the approver must give."""
    rewind_to: str = ""
    """The step to go back to when it is not approved; empty: the run is rejected."""


@frozen
class Secret(Plain):
    """A value looked up when an attempt begins, passed to steps, and never written down."""

    name: str = ""
    provider: str = "env"
    key: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@frozen
class Inputs(Plain):
    """Files that a step's work is made with, its scripts above all."""

    files: tuple[str, ...] = ()
    """Paths and globs (`lib/**/*.py`), relative to the step's working directory."""
    strict: bool = False
    """A change of one is as a change of the step; otherwise a plan only says so."""


@frozen
class Executor(Plain):
    """Where a step runs: the name of an executor plugin and its settings."""

    type: str = "shell"
    config: Mapping[str, Any] = field(default_factory=dict)


_NESTED: dict[str, type[Plain]] = {
    "continue_on": ContinueOn,
    "retry_policy": RetryPolicy,
    "repeat_policy": RepeatPolicy,
    "output": Output,
    "executor": Executor,
    "call": Call,
    "parallel": Parallel,
    "router": Router,
    "approval": Approval,
    "inputs": Inputs,
    "schedule": Schedule,
    "retention": Retention,
}
_NESTED_LISTS: dict[str, type[Plain]] = {
    "preconditions": Condition,
    "params": Param,
    "env": Variable,
    "consts": Variable,
    "secrets": Secret,
    "outputs": OutputField,
}


@frozen
class Step(Plain):
    """One step as the spec defines it. Field names are the YAML keys in snake_case."""

    name: str = ""
    id: str = ""
    description: str = ""
    command: tuple[str, ...] = ()
    """Command lines, run in turn by the shell until one fails (`command:` and `run:`)."""
    script: str = ""
    shell: tuple[str, ...] = ()
    """Program and arguments of the step's own shell; empty means the DAG's."""
    working_dir: str = ""
    env: tuple[Variable, ...] = ()
    depends: tuple[str, ...] = ()
    """Names of the steps it waits for, ids resolved, those implied by `type: chain` included."""
    output: Output = Output()
    stdout: str = ""
    """A file that receives standard output beside the log."""
    stderr: str = ""
    continue_on: ContinueOn = ContinueOn()
    retry_policy: RetryPolicy = RetryPolicy()
    repeat_policy: RepeatPolicy = RepeatPolicy()
    preconditions: tuple[Condition, ...] = ()
    timeout_sec: float = 0
    """The longest one try may take; 0 means no bound."""
    signal_on_stop: str = ""
    """The signal sent first when the step is stopped; empty means SIGTERM."""
    executor: Executor = Executor()
    call: Call = Call()
    """The sub-DAG it runs in place of a command."""
    parallel: Parallel | None = None
    router: Router | None = None
    approval: Approval | None = None
    outputs: tuple[OutputField, ...] = ()
    """Named outputs it publishes, beside `output`."""
    log_output: str = ""
    """`separate` or `merged` (both streams in stdout.log); empty means the DAG's."""
    mail_on_error: bool = False
    idempotent: bool = True
    """It may run again without somebody saying so by its name."""
    inputs: Inputs = Inputs()
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False, repr=False)
    """Where each field stands in the spec, by field name; `""` is the step itself."""

    @property
    def calls(self) -> bool:
        """It runs another DAG."""
        return bool(self.call.dag or self.call.body)

    @property
    def is_engine_work(self) -> bool:
        """The engine itself does it: no executor is asked and no process started."""
        return bool(self.calls or self.router or self.executor.type == "hitl")

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        return _nested_field(key, value)

    def mark(self, path: str = "") -> Mark:
        """Where `path` (a field, or `executor.config.image`) stands, or the step, or line 0."""
        while path and path not in self.marks:
            path = path.rpartition(".")[0]
        return self.marks.get(path, Mark(0, 0))


def _nested_field(key: str, value: Any) -> Any:
    if key in _NESTED:
        return _NESTED[key].from_data(value)
    if key in _NESTED_LISTS:
        return tuple(_NESTED_LISTS[key].from_data(item) for item in value)
    return tuples(value) if isinstance(value, list) else value


HANDLER_EVENTS = ("init", "success", "failure", "abort", "exit", "wait")
"""What a handler can be for, in the order of `handler_on`."""


@frozen
class Dag(Plain):
    """A whole spec. Field names are the YAML keys in snake_case. Times in seconds."""

    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    type: str = "graph"
    """`graph` or `chain`, as decided when the spec was read; `depends` already says the same."""
    dialect: str = "dagu2"
    """How the text was read: `dagu1` or `dagu2`."""
    params: tuple[Param, ...] = ()
    params_schema: str | Mapping[str, Any] = ""
    """What all parameters together must fit: a JSON schema, or the file that holds one."""
    env: tuple[Variable, ...] = ()
    dotenv: tuple[str, ...] = (".env",)
    shell: tuple[str, ...] = ()
    working_dir: str = ""
    preconditions: tuple[Condition, ...] = ()
    handler_on: Mapping[str, Step] = field(default_factory=dict)
    timeout_sec: float = 0
    delay_sec: float = 0
    max_active_steps: int = 0
    """The most steps running at once; 0 leaves it to dagfs.yaml."""
    steps: tuple[Step, ...] = ()
    consts: tuple[Variable, ...] = ()
    """Literal values, `${consts.NAME}`."""
    secrets: tuple[Secret, ...] = ()
    locals: Mapping[str, str] = field(default_factory=dict)
    """Sub-DAGs of the same file: name to the text of a YAML file that can stand by itself."""
    log_output: str = "separate"
    max_output_size: int = 1 << 20
    """The most bytes of one captured output."""
    container: Mapping[str, Any] = field(default_factory=dict)
    """The container that steps run in which name no other place. Keys in snake_case."""
    ssh: Mapping[str, Any] = field(default_factory=dict)
    """The machine that steps run on which name no other place."""
    smtp: Mapping[str, Any] = field(default_factory=dict)
    """The server that takes mail: host, port, username, password."""
    registry_auths: Mapping[str, Any] = field(default_factory=dict)
    """Logins of container registries."""
    mail_on: Mapping[str, bool] = field(default_factory=dict)
    """At which ends of a run mail is sent: `failure`, `success`, `wait`."""
    error_mail: Mapping[str, Any] = field(default_factory=dict)
    """Mail about failures: from, to (a list), prefix, attach_logs."""
    info_mail: Mapping[str, Any] = field(default_factory=dict)
    wait_mail: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    """When the scheduler starts runs of it; a run that goes on does not look at this."""
    queue: str = ""
    """The queue that its runs wait in; empty means one of its own."""
    priority: int = 0
    """Higher ones leave a queue first."""
    max_active_runs: int = 0
    """The most runs of it at once that the scheduler starts; 0 means no limit of its own."""
    retention: Retention = field(default_factory=Retention)
    retry_policy: RetryPolicy = RetryPolicy()
    """How often the scheduler retries a run that failed."""
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False, repr=False)
    """Where each root field stands in the spec; entries of params and env are `env.NAME`."""

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.steps}

    @cached_property
    def depends(self) -> Mapping[str, tuple[str, ...]]:
        """The graph: `{step: steps it waits for}`."""
        return {step.name: step.depends for step in self.steps}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Every word that names a step, its name or its id, to the step's name."""
        ids = {step.id: step.name for step in self.steps if step.id}
        return {**ids, **{step.name: step.name for step in self.steps}}

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        if key == "steps":
            return tuple(Step.from_data(item) for item in value)
        if key == "handler_on":
            return {event: Step.from_data(item) for event, item in cast("Data", value).items()}
        return _nested_field(key, value)

    def mark(self, path: str = "") -> Mark:
        """Where `path` stands in the spec, or the nearest thing around it, or line 0."""
        while path and path not in self.marks:
            path = path.rpartition(".")[0]
        return self.marks.get(path, Mark(0, 0))
