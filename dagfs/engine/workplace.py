"""Where one step of one attempt works: its folders, its directory, and the variables it sees."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dagfs.engine.environment import StepEnvironment, StepUnready, Surroundings, step_environment
from dagfs.engine.request import Place
from dagfs.engine.valuation import Values, params_json
from dagfs.hooks.executor import Executor
from dagfs.model.dag import Dag, Step
from dagfs.model.reference import references
from dagfs.model.run import AttemptHeader, RunHeader, StepRun
from dagfs.model.value import field, frozen
from dagfs.spec.values import TOO_LONG, Scope, StepRef, expand
from dagfs.store.files import Disk
from dagfs.store.layout import AttemptPaths, HomePaths, RunPaths, StepPaths

_FOR_EXECUTORS = ("smtp", "ssh", "container", "registry_auths")
"""Fields of a DAG that are settings of executors."""


def executor_settings(dag: Dag) -> dict[str, Any]:
    """What a DAG says for all steps of a kind, by its key; only what it says."""
    said = ((name, getattr(dag, name, None)) for name in _FOR_EXECUTORS)
    return {name: value for name, value in said if value}


@frozen
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

    @cached_property
    def dag_settings(self) -> dict[str, Any]:
        """What the DAG says for all steps of a kind, by its key; only what it says."""
        return executor_settings(self.dag)

    @cached_property
    def attempt_paths(self) -> AttemptPaths:
        """Where the attempt keeps what happens in it."""
        return self.paths.attempt(self.attempt.n)

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """What dagfs sets for every step, and what Dagu's users know."""
        work = str(self.paths.work)
        return {
            "DAGFS_HOME": str(self.home.root),
            "DAGFS_RUN_ID": self.run.id,
            "DAGFS_RUN_DIR": str(self.paths.root),
            "DAGFS_WORK_DIR": work,
            "DAGFS_ATTEMPT": str(self.attempt.n),
            "DAGFS_IS_RETRY": "true" if self.attempt.n > 1 else "false",
            "DAG_NAME": self.dag.name,
            "DAG_RUN_ID": self.run.id,
            "DAG_RUN_WORK_DIR": work,
            "DAG_RUN_LOG_FILE": str(self.attempt_paths.journal),
            **_params_variables(self.values.params),
        }

    @cached_property
    def context(self) -> Mapping[str, str]:
        """What `${context.…}` says in every step."""
        return {
            "dag.name": self.dag.name,
            "run.id": self.run.id,
            "run.attempt": str(self.attempt.n),
            "run.work_dir": str(self.paths.work),
            "run.log_file": str(self.attempt_paths.journal),
        }


class StepReferences(Mapping[str, StepRef]):
    """What `${step.…}` finds, made only for the few steps that a text speaks of."""

    def __init__(self, paths: RunPaths, names: Mapping[str, str], runs: Mapping[str, StepRun]) -> None:
        self._paths, self._names, self._runs = paths, names, runs

    def __getitem__(self, word: str) -> StepRef:
        state = self._runs[self._names[word]]
        if not state.attempt:
            raise KeyError(word)
        logs = self._paths.attempt(state.log_attempt or state.attempt).step(state.name)
        return StepRef(
            stdout=str(logs.stdout),
            stderr=str(logs.stderr),
            exit_code=state.exit_code,
            artifacts=str(logs.artifacts),
            outputs=state.outputs,
        )

    def __iter__(self) -> Iterator[str]:
        return (word for word, name in self._names.items() if name in self._runs and self._runs[name].attempt)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@frozen
class Workplace:
    """The place of one step, or of one handler."""

    setting: Setting
    step: Step
    handler: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Variables that only this step gets."""

    @cached_property
    def paths(self) -> StepPaths:
        """What it leaves behind in this attempt."""
        attempt = self.setting.attempt_paths
        return attempt.handler(self.handler) if self.handler else attempt.step(self.step.name)

    def make_folder(self, folder: Path) -> None:
        """A folder below the attempt's, which exists, with what is missing between."""
        if os.path.isdir(folder):
            return
        if folder.parent != self.setting.attempt_paths.root:
            self.make_folder(folder.parent)
        self.setting.disk.make_dir(folder)

    @cached_property
    def cwd(self) -> str:
        """The step's directory, else the DAG's, else the home's choice; made where it is not there."""
        setting = self.setting
        base = Path(setting.paths.work if setting.attempt.working_dir == "run" else setting.attempt.dag_dir)
        texts = [text for text in (setting.dag.working_dir, self.step.working_dir) if text]
        if texts:
            values = setting.values
            around = Surroundings(
                setting.dag, setting.machine, values, own=self.variables(1), context=self.context(1)
            )
            scope = around.scope
            for text in texts:
                _require_known(text, scope)
                base = Path(base, os.path.expanduser(expand(text, scope)))
        try:
            if not base.is_dir():
                base.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise StepUnready(f"cannot use working_dir {base}: it is not a folder") from None
        except OSError as error:
            raise StepUnready(f"cannot use working_dir {base}: {error.strerror}") from error
        return str(base)

    def place(self, try_: int) -> Place:
        """Where one try runs."""
        setting = self.setting
        return Place(
            run=setting.run.id,
            attempt=setting.attempt.n,
            try_=try_,
            shell=setting.dag.shell or setting.attempt.shell,
            cwd=self.cwd,
            paths=self.paths,
            dialect=setting.dag.dialect,
            dag_settings=setting.dag_settings,
            merged=(self.step.log_output or setting.dag.log_output) == "merged",
            wrapper=setting.attempt.wrapper if self.step.name in setting.attempt.wrapped else (),
        )

    def environment(
        self,
        try_: int,
        outputs: Mapping[str, str],
        runs: Mapping[str, StepRun],
        printed: Mapping[str, str] | None = None,
    ) -> StepEnvironment:
        """The variables of one try. `outputs` are those of the steps before it.

        `printed` is what the commands in the step's own values printed, by their text (Dagu 1).
        """
        setting = self.setting
        references = StepReferences(setting.paths, setting.dag.names, runs)
        own = {**self.variables(try_), "PWD": self.cwd}
        context = self.context(try_)
        around = Surroundings(
            setting.dag, setting.machine, setting.values, outputs, references, own, context, printed or {}
        )
        return step_environment(self.step, around)

    def context(self, try_: int) -> dict[str, str]:
        """What `${context.…}` says here."""
        paths = self.paths
        status = self.extra.get("DAGFS_RUN_STATE", "")
        return {
            **self.setting.context,
            "step.name": self.handler or self.step.name,
            "step.id": self.step.id or self.step.name,
            "step.try": str(try_),
            "step.stdout_file": str(paths.stdout),
            "step.stderr_file": str(paths.stderr),
            "step.artifacts_dir": str(paths.artifacts),
            **({"run.status": status} if status else {}),
        }

    def variables(self, try_: int) -> dict[str, str]:
        """What dagfs sets for the step, and what Dagu's users know."""
        paths = self.paths
        output, stdout, stderr = str(paths.output_file(try_)), str(paths.stdout), str(paths.stderr)
        return {
            **self.setting.variables,
            "DAGFS_ARTIFACTS_DIR": str(paths.artifacts),
            "DAGFS_STEP": self.handler or self.step.name,
            "DAGFS_TRY": str(try_),
            "DAGFS_OUTPUT": output,
            "DAGU_OUTPUT_FILE": output,
            "DAG_RUN_STEP_NAME": self.step.name,
            "DAG_RUN_STEP_STDOUT_FILE": stdout,
            "DAG_RUN_STEP_STDERR_FILE": stderr,
            **self.extra,
        }


def _params_variables(params: Mapping[str, str]) -> dict[str, str]:
    """All parameters as one JSON object, unless that is more than a variable can hold."""
    text = params_json(params)
    fits = len(text.encode(errors="surrogatepass")) <= TOO_LONG
    return dict.fromkeys(("DAG_PARAMS_JSON", "DAGU_PARAMS_JSON"), text) if fits else {}


def _require_known(text: str, scope: Scope) -> None:
    """Elsewhere what nothing has the name of stays as it is; a folder of that name is never meant."""
    for reference in references(text):
        if scope.find(reference) is None:
            raise StepUnready(
                f"working_dir {text!r} names {reference.text}, which is not set",
                hint="it can use params, env and variables of this machine",
            )


def try_token(run: str, paths: StepPaths, try_: int) -> str:
    """Names one try among all processes of this machine; it is in the environment of all it starts.

    Made of what the run has on disk, so that a later engine can name it too.
    """
    return hashlib.sha256(f"{run}\0{paths.root}\0{try_}".encode()).hexdigest()[:24]
