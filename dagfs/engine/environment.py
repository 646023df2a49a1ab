"""The variables a step sees: from the machine, the spec, the parameters and the steps before it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from dagfs.engine.valuation import Values, namespaces
from dagfs.errors import DagfsError
from dagfs.model.dag import Dag, Step, Variable
from dagfs.model.value import field, frozen, replace
from dagfs.spec.evaluation import Evaluator, evaluate_env
from dagfs.spec.shelltext import fits
from dagfs.spec.values import Scope, StepRef, check_value

_INHERITED = frozenset(
    {
        "EDITOR",
        "HOME",
        "LANG",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "VISUAL",
    }
)
_INHERITED_PREFIXES = ("LC_", "XDG_", "DAGU_", "DAG_")


class StepUnready(DagfsError):
    """A step that cannot be started as it is written; it fails with this message."""


def inherited(env: Mapping[str, str]) -> dict[str, str]:
    """What steps get of the engine's own environment: no keys or tokens that lie there by chance."""
    return {
        name: value
        for name, value in env.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


def value_digests(values: Mapping[str, str], salt: str) -> dict[str, str]:
    """Digests that tell whether a value is the same as before without giving it away."""
    return {
        name: hashlib.sha256(f"{salt}\0{name}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for name, value in values.items()
    }


@frozen
class StepEnvironment:
    """The environment of one try, and what its text may refer to."""

    env: Mapping[str, str]
    scope: Scope
    exported: frozenset[str] = field(default_factory=frozenset)
    """Names of `scope` that are variables of `env` with that value."""
    secrets: tuple[str, ...] = ()
    """Texts that must not be written down."""
    evaluator: Evaluator = Evaluator(keep_unknown=True)
    """How texts of the step's settings are read."""

    def text(self, said: str) -> str:
        """A text of the step's settings with its values."""
        return self.evaluator.text(said, self.scope)


@frozen
class Surroundings:
    """What a step finds around it, before its own `env:`."""

    dag: Dag
    machine: Mapping[str, str]
    values: Values
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Of the steps before it."""
    steps: Mapping[str, StepRef] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    """What dagfs sets for the step."""
    context: Mapping[str, str] = field(default_factory=dict)
    """What `${context.…}` says."""
    printed: Mapping[str, str] = field(default_factory=dict)
    """What the commands in the step's `env:` printed, by their text (Dagu 1)."""

    @property
    def data(self) -> dict[str, str]:
        """Values that come from outside, later ones winning."""
        plain = {name: value for name, value in self.values.given.items() if "." not in name}
        return {**self.values.secrets, **self.values.params, **self.outputs, **plain}

    @property
    def scope(self) -> Scope:
        """What texts may refer to before the step's own `env:` is read."""
        values = self.values
        variables = {**self.machine, **values.env, **self.data, **self.own}
        if self.dag.dialect == "dagu1":
            return Scope(variables, self.steps, values.given)
        env = {**self.machine, **values.env, **values.secrets}
        spaces = namespaces(self.dag, values.params, env, self.context)
        return Scope(variables, self.steps, values.given, spaces, literal_quotes=True)


def step_environment(step: Step, around: Surroundings) -> StepEnvironment:
    """Join the layers, later ones winning: machine, env, data, the step's env, `own`."""
    scope, values = around.scope, around.values
    step_env = evaluate_each(step.env, scope, _step_evaluator(around))
    passed = {name: value for name, value in around.data.items() if fits(name, value)}
    env = {**around.machine, **values.env, **passed, **step_env, **around.own}
    for name, value in {**values.env, **step_env}.items():
        check_value(name, value)
    variables = {**scope.variables, **step_env, **around.own}
    exported = frozenset(name for name in variables if env.get(name) == variables[name])
    spaces = scope.namespaces
    if step_env and spaces:
        spaces = {**spaces, "env": {**spaces["env"], **step_env}}
    final = replace(scope, variables=variables, namespaces=spaces)
    evaluator = replace(_step_evaluator(around), keep_unknown=True)
    return StepEnvironment(env, final, exported, values.masked, evaluator)


def _step_evaluator(around: Surroundings) -> Evaluator:
    old = around.dag.dialect == "dagu1"
    return Evaluator(backquotes=old, keep_unknown=not old, printed=around.printed if old else None)


def evaluate_each(
    entries: Sequence[Variable],
    scope: Scope,
    evaluator: Evaluator = Evaluator(),  # noqa: B008 - frozen
) -> dict[str, str]:
    """A step's own `env:`: its entries do not see each other."""
    found: dict[str, str] = {}
    for entry in entries:
        found.update(evaluate_env([entry], scope, evaluator))
    return found
