"""The executor contract: how a plugin says what to run for a step, in values alone.

An executor never starts anything itself. It turns a `StepRequest` into a `Process`; the engine's shim
runs that, owns its log files, keeps its exit code through the engine's death and kills its whole tree.
What outlives a local process (a container, a remote command) is the executor's to find again: its process
looks for what an earlier try left and goes on with that, and `Process.cleanup` ends and removes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from dagfs.model.dag import Step
from dagfs.model.value import field, frozen


@frozen
class StepRequest:
    """All that one try of a step may use. Every value in it is final: nothing is left to expand."""

    run: str
    attempt: int
    step: str
    try_: int
    command: tuple[str, ...] = ()
    """Shell texts. References in them are already names of variables in `env`, never values.

    Where `shell` is `("direct",)`, or a script is given too, they are instead the words of one command.
    """
    script: str = ""
    """A shell text, or another interpreter's, that goes into a file."""
    shell: tuple[str, ...] = ("/bin/sh",)
    """Program and arguments of the shell to use."""
    own_shell: bool = False
    """The step names its shell itself, so nothing is added to its arguments and no `#!` line counts."""
    stop_on_error: bool = True
    """The shell is to stop at the first command that fails (`-e`)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The executor's settings, references replaced."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of the step."""
    cwd: str = ""
    """An absolute path that exists."""
    folder: str = ""
    """A folder of this step and attempt alone; `Process.files` are written below it."""
    dialect: str = "dagu2"
    """How the spec was read: `dagu1` or `dagu2`."""
    dag_settings: Mapping[str, Any] = field(default_factory=dict)
    """What the DAG says for all steps of a kind (`smtp`, …), references replaced; only what it says."""


@frozen
class Process:
    """A local process to run. `argv[0]` is looked up in the `PATH` of `env`."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Files to write before the start, mode 0700: names below the request's `folder` to texts."""
    cleanup: Sequence[str] = ()
    """A command that ends and removes what outlives the process elsewhere, such as a container.

    It is kept on disk and must hold no secret. The shim runs it, with `env`, once the step was stopped, timed
    out or killed; a later engine does, with no more than its own environment, for a step whose end is unknown
    and that is not taken up again. It may find nothing to end, and is bounded in time.
    """
    at_end: Sequence[str] = ()
    """A command that ends what the step shares with others, such as the DAG's container.

    The engine runs it once, however many steps gave the same, when the attempt is over. It holds no secret.
    """


SHELL, CODE, DATA = "shell", "code", "data"
"""How a text is read: by a shell, by something else that has code in it, or as it is."""


def reading(executor: object, what: str) -> str:
    """How an executor reads `command` or `script`: what its attribute of that name says, else `shell`.

    In a text for a shell references become variables; into other code only harmless values are put; into
    data any.
    """
    return str(getattr(executor, f"{what}_is", SHELL))


@runtime_checkable
class Executor(Protocol):
    """A place where steps run. `name` is what a spec's `executor:` says.

    It may say how it reads texts, with attributes `command_is` and `script_is`: see `reading`; and with
    `shell` (program and arguments) what reads them for a step that names no shell of its own.

    `sees_local_files = False` says that its steps do not find this machine's files, but for what a method
    `mounted(config, dag_settings)` gives: paths that are the same there, as settings spell them, or None
    where that is not known. A method `missing(config)` says what of this machine is not there that its
    steps need, or `""`. A method `check_within(step, dag_settings)` says, as `check` does, what is wrong with
    a step beside what its DAG says for all steps of a kind.
    """

    name: str

    def check(self, step: Step) -> Sequence[str]:
        """What is wrong with the step's settings, each as one line; called when a spec is validated."""
        ...

    def prepare(self, request: StepRequest) -> Process:
        """Say what to run. An exception fails this step alone, with the executor's name."""
        ...
