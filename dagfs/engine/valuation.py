"""What a spec's `params`, `env` and dotenv files come to when an attempt begins."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.masking import Redactor, needles
from dagfs.engine.parameters import Parameters, check_values, parameters_of
from dagfs.errors import Problem, SpecError, StoreError
from dagfs.model.dag import Dag
from dagfs.model.value import field, frozen, replace
from dagfs.spec.evaluation import Evaluator, Unevaluable, by_name, evaluate_env, evaluate_params
from dagfs.spec.scope import unresolved
from dagfs.spec.values import Scope, parse_dotenv


@frozen
class Values:
    """What a spec's `params` and `env` came to for one attempt."""

    params: Mapping[str, str]
    env: Mapping[str, str]
    """`env:` and dotenv files; these may be secret and are never written down."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values handed in from outside under names that references know: `ITEM`, `foreach.item`."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What `secrets:` came to; masked in all that is written down."""
    consts: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    """What the operator should know before anything runs."""

    @property
    def masked(self) -> tuple[str, ...]:
        """The texts that are never written down."""
        return needles(self.secrets.values()) if self.secrets else ()

    @property
    def redactor(self) -> Redactor:
        """Takes them out of what is."""
        return Redactor(self.masked)


@frozen
class Source:
    """What an evaluation needs to know beside the spec."""

    folder: Path
    """The spec's folder: relative paths and commands start there."""
    file: str = ""
    """The spec's path, for messages."""
    shell: tuple[str, ...] = ("/bin/sh",)
    """The shell of commands in a spec that names none."""
    timeout_sec: float = 30.0
    """How long one command may take."""
    context: Mapping[str, str] = field(default_factory=dict)
    """`dag.name`, `run.id` and the like, for `${context.…}`."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values handed in from outside: `ITEM`, `foreach.item`."""


def source_of(
    engine: Engine,
    dag: Dag,
    run_id: str,
    folder: str,
    shell: Sequence[str] = (),
    file: str = "",
    given: Mapping[str, str] | None = None,
) -> Source:
    """Where the values of a run's attempt come from."""
    return Source(
        Path(folder),
        file,
        tuple(shell) or ("/bin/sh",),
        engine.home.settings.load_timeout_sec,
        {"dag.name": dag.name, "run.id": run_id},
        given or {},
    )


def evaluate(
    dag: Dag,
    source: Source | Path,
    machine: Mapping[str, str],
    overrides: Sequence[tuple[str, str]] = (),
    pinned: Mapping[str, str] | None = None,
) -> Values:
    """Evaluate a DAG's variables. `machine` is the engine's environment.

    A parameter in `pinned` keeps that value: it was decided when the run began. Raises SpecError for
    what the spec says wrong, UsageError for an override that does not fit.
    """
    place = source if isinstance(source, Source) else Source(source)
    name = place.file or dag.name
    parameters = _parameters(dag, place, pinned or {})
    given = [*overrides, *(pinned or {}).items()]
    dotenv = _dotenv(dag, place.folder)
    first = _first_scope(dag, place, {**machine, **dotenv})
    evaluator = _evaluator(dag, place, machine)
    try:
        if dag.dialect == "dagu1":
            env = evaluate_env(dag.env, first, evaluator)
            scope = replace(first, variables={**first.variables, **env})
            params = evaluate_params(parameters.declared, given, scope, evaluator)
        else:
            params = evaluate_params(parameters.declared, given, first, evaluator)
            env = evaluate_env(dag.env, _with_params(first, params), evaluator)
    except Unevaluable as error:
        mark = dag.mark(error.path)
        message = f"{error.path.replace('.', ' ', 1)}: {error.message}"
        raise SpecError([Problem(name, mark.line, mark.column, message, error.hint)]) from error
    from_outside = by_name(parameters.declared, given, places=dag.dialect != "dagu1")
    check_values(dag, parameters, params, from_outside, name)
    consts = {each.name: each.value for each in dag.consts}
    outer = {**machine, **dotenv}
    scope = replace(_with_params(first, params), variables={**first.variables, **params, **env})
    scope = replace(scope, namespaces={**scope.namespaces, "env": {**outer, **env}})
    notices = _unresolved(dag, scope) if dag.dialect != "dagu1" else ()
    return Values(params, {**dotenv, **env}, place.given, consts=consts, notices=notices)


def _parameters(dag: Dag, place: Source, pinned: Mapping[str, str]) -> Parameters:
    if pinned and isinstance(dag.params_schema, str) and all(each.name in pinned for each in dag.params):
        # They were held against the file when the run began; it may be gone by now.
        return Parameters(dag.params, {})
    return parameters_of(dag, place.folder, place.file)


def _first_scope(dag: Dag, place: Source, variables: Mapping[str, str]) -> Scope:
    """What the first texts of a spec may refer to."""
    if dag.dialect == "dagu1":
        return Scope(variables, given=place.given)
    return Scope(variables, given=place.given, namespaces=namespaces(dag, {}, variables, place.context))


def _with_params(scope: Scope, params: Mapping[str, str]) -> Scope:
    spaces = {**scope.namespaces, "params": _params_space(params)} if scope.namespaces else {}
    return replace(scope, variables={**scope.variables, **params}, namespaces=spaces)


def _evaluator(dag: Dag, place: Source, machine: Mapping[str, str]) -> Evaluator:
    def shell(text: str, variables: Mapping[str, str], extra: Mapping[str, str]) -> str:
        # By name: few specs have commands in their values.
        loadtime = importlib.import_module("dagfs.engine.loadtime")
        run = loadtime.LoadShell(dag.shell or place.shell, str(place.folder), machine, place.timeout_sec)
        return str(run(text, variables, extra))

    old = dag.dialect == "dagu1"
    return Evaluator(shell, backquotes=old, keep_unknown=not old)


def _unresolved(dag: Dag, scope: Scope) -> tuple[str, ...]:
    texts = [(f"params {each.name}", each.value) for each in dag.params]
    texts += [(f"env {each.name}", each.value) for each in dag.env]
    return tuple(
        f"{where}: nothing is called {said}; it stays as it is"
        for where, text in texts
        for said in unresolved(text, scope)
    )


def namespaces(
    dag: Dag, params: Mapping[str, str], env: Mapping[str, str], context: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    """The words that references of Dagu 2 begin with, and what each holds."""
    aliases = {word: _below(context, word) for word in ("dag", "run")}
    consts = {each.name: each.value for each in dag.consts}
    return {"consts": consts, "params": _params_space(params), "env": env, "context": context, **aliases}


def _below(context: Mapping[str, str], word: str) -> dict[str, str]:
    """`run.id` is short for `context.run.id`."""
    return {
        name.partition(".")[2]: value for name, value in context.items() if name.partition(".")[0] == word
    }


def _params_space(params: Mapping[str, str]) -> dict[str, str]:
    return {**params, "": params_json(params)}


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


def params_json(params: Mapping[str, str]) -> str:
    """All parameters as one JSON object, without blanks."""
    return json.dumps(dict(params), ensure_ascii=False, separators=(",", ":"))
