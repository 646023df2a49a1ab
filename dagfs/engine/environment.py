"""The variables a step sees: from the machine, the spec, the parameters and the steps before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dagfs.errors import DagfsError, StoreError
from dagfs.model.dag import Dag, Param, Step, Variable
from dagfs.spec.values import (
    TOO_LONG,
    Scope,
    StepRef,
    check_value,
    evaluate_env,
    evaluate_params,
    exportable,
    parse_dotenv,
)

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


@dataclass(frozen=True, slots=True)
class Values:
    """What a spec's `params` and `env` came to for one attempt."""

    params: Mapping[str, str]
    env: Mapping[str, str]
    """`env:` and dotenv files; these may be secret and are never written down."""


def evaluate(
    dag: Dag,
    folder: Path,
    machine: Mapping[str, str],
    overrides: Sequence[tuple[str, str]] = (),
    pinned: Mapping[str, str] | None = None,
) -> Values:
    """Evaluate a DAG's variables. `machine` is the engine's environment, `folder` the spec's.

    A parameter in `pinned` keeps that value: it was decided when the run began.
    """
    dotenv = _dotenv(dag, folder)
    if dag.dialect == "dagu1":
        env = evaluate_env(dag.env, Scope({**machine, **dotenv}))
        params = _params(dag.params, overrides, Scope({**machine, **dotenv, **env}), pinned)
    else:
        params = _params(dag.params, overrides, Scope({**machine, **dotenv}), pinned)
        env = evaluate_env(dag.env, Scope({**machine, **dotenv, **params}))
    return Values(params, {**dotenv, **env})


def _params(
    declared: Sequence[Param],
    overrides: Sequence[tuple[str, str]],
    scope: Scope,
    pinned: Mapping[str, str] | None,
) -> dict[str, str]:
    return evaluate_params(declared, [*overrides, *(pinned or {}).items()], scope)


def _dotenv(dag: Dag, folder: Path) -> dict[str, str]:
    """Every dotenv file that exists, looked for in the working directory and beside the spec."""
    places = [folder]
    if dag.working_dir and "$" not in dag.working_dir:
        places.insert(0, folder / dag.working_dir)
    found: dict[str, str] = {}
    for name in dict.fromkeys((".env", *dag.dotenv)):
        path = next((place / name for place in places if (place / name).is_file()), None)
        if path is not None:
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise StoreError(f"cannot read {path}: {error}") from error
            found.update(parse_dotenv(text, str(path)))
    return found


def value_digests(values: Mapping[str, str], salt: str) -> dict[str, str]:
    """Digests that tell whether a value is the same as before without giving it away."""
    return {
        name: hashlib.sha256(f"{salt}\0{name}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True)
class StepEnvironment:
    """The environment of one try, and what its text may refer to."""

    env: Mapping[str, str]
    scope: Scope
    exported: frozenset[str] = field(default_factory=frozenset)
    """Names of `scope` that are variables of `env` with that value."""


def step_environment(
    step: Step,
    machine: Mapping[str, str],
    values: Values,
    outputs: Mapping[str, str],
    steps: Mapping[str, StepRef],
    own: Mapping[str, str],
) -> StepEnvironment:
    """Join the layers, later ones winning: machine, env, params, outputs, the step's env, `own`."""
    data = {**values.params, **outputs}
    scope = Scope({**machine, **values.env, **data, **own}, steps)
    step_env = evaluate_each(step.env, scope)
    passed = {name: value for name, value in data.items() if _fits(name, value)}
    env = {**machine, **values.env, **passed, **step_env, **own}
    for name, value in {**values.env, **step_env}.items():
        check_value(name, value)
    variables = {**scope.variables, **step_env, **own}
    exported = frozenset(name for name in variables if env.get(name) == variables[name])
    return StepEnvironment(env, Scope(variables, steps), exported)


def evaluate_each(entries: Sequence[Variable], scope: Scope) -> dict[str, str]:
    """A step's own `env:`: its entries do not see each other."""
    found: dict[str, str] = {}
    for entry in entries:
        found.update(evaluate_env([entry], scope))
    return found


def _fits(name: str, value: str) -> bool:
    return exportable(name) and "\0" not in value and len(value.encode(errors="surrogatepass")) <= TOO_LONG


def params_json(params: Mapping[str, str]) -> str:
    return json.dumps(dict(params), ensure_ascii=False)
