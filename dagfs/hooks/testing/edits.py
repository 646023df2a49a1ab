"""Edits of a run, for tests of compatibility rules."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from dagfs.hooks.manager import PluginManager
from dagfs.model.dag import Dag
from dagfs.model.edit import Edit
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.compat import Basis, compare
from dagfs.spec.parse import Options, read

_NOT_RUN = (StepState.NOT_STARTED, StepState.QUEUED, StepState.SKIPPED, StepState.UPSTREAM_FAILED)


def edit(old: str, new: str | None = None, **states: str) -> Edit:
    """What a rule is shown when the spec of a run is edited from `old` to `new`, both as YAML texts.

    Steps have succeeded, but for those named: `edit(old, new, load="failed")`.
    """
    before = _dag(old)
    after = before if new is None else _dag(new)
    steps = {
        step.name: _stood(step.name, StepState(states.get(step.name, "succeeded"))) for step in before.steps
    }
    failed = any(step.state is StepState.FAILED for step in steps.values())
    attempt = Attempt(
        AttemptHeader(n=1), state=RunState.FAILED if failed else RunState.SUCCEEDED, steps=steps
    )
    plugins = PluginManager()
    plugins.load_built_ins()
    bases = {1: Basis(before, _params(before))}
    return compare(attempt, bases, Basis(after, _params(after)), plugins.classify)


def _dag(text: str) -> Dag:
    return read(dedent(text).lstrip("\n").encode(), "spec.yaml", options=Options(dialect="dagu2"))


def _params(dag: Dag) -> Mapping[str, str]:
    return {param.name: param.value for param in dag.params}


def _stood(name: str, state: StepState) -> StepRun:
    n = 0 if state in _NOT_RUN else 1
    return StepRun(name, state, attempt=n, log_attempt=n, basis=n, ever_started=bool(n))
