"""Holds the parameters of a run against what the spec says they must be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dagfs.errors import Problem, SpecError, UsageError
from dagfs.model.dag import Dag, Param
from dagfs.model.value import frozen, replace
from dagfs.planning.items import as_text
from dagfs.spec.evaluation import by_name
from dagfs.spec.yaml import load_plain

_LARGEST = 1 << 20


@frozen
class Parameters:
    """The parameters that a DAG declares, those of its schema file included."""

    declared: tuple[Param, ...]
    together: Mapping[str, Any]
    """The schema of all of them as one object; empty for none."""

    @property
    def are_free(self) -> bool:
        """Nothing is said about their values."""
        return not self.together and not any(param.schema or param.required for param in self.declared)


def parameters_of(dag: Dag, folder: Path, file: str = "") -> Parameters:
    """What a DAG says of its parameters. SpecError where its schema file cannot be used."""
    if not isinstance(dag.params_schema, str):
        return Parameters(dag.params, dag.params_schema)
    if not dag.params_schema:
        return Parameters(dag.params, {})
    schema = _read(folder / dag.params_schema, dag, file)
    named = {param.name for param in dag.params}
    found = _contract().defaults(schema)
    more = tuple(Param(name, as_text(value)) for name, value in found.items() if name not in named)
    return Parameters((*dag.params, *more), schema)


def check_values(
    dag: Dag, parameters: Parameters, values: Mapping[str, str], given: Collection[str], file: str
) -> None:
    """UsageError for a given value that does not fit, or one that is missing; SpecError for a bad default.

    `given` are the names whose value comes from outside.
    """
    if parameters.are_free:
        return
    problems: list[Problem] = []
    for each in _contract().violations(parameters.declared, parameters.together, values):
        mark = dag.mark(f"params.{each.name}" if each.name else "params")
        subject = f"param {each.name!r} " if each.name else "the params do not fit: "
        if each.is_schema or (not each.is_missing and each.name not in given and (each.name or not given)):
            problems.append(Problem(file, mark.line, mark.column, f"{subject}{each.message}", _HINTS[True]))
        elif not problems:
            place = Problem(file, mark.line, mark.column, "").where() if file else ""
            said = f"{subject}{each.message}" + (f" (declared at {place})" if place else "")
            raise UsageError(said, hint=_HINTS[False].format(name=each.name or "NAME"))
    if problems:
        raise SpecError([each._replace(hint=None) for each in problems])


_HINTS = {True: "", False: "give it with -p {name}=VALUE"}


def described(parameters: Parameters) -> tuple[Param, ...]:
    """The parameters, each with what the schema of all of them says of it, for those who ask for values."""
    rules = parameters.together.get("properties", {})
    needed = parameters.together.get("required", ())
    found = []
    for param in parameters.declared:
        own = rules.get(param.name) if isinstance(rules, Mapping) else None
        schema = param.schema or (own if isinstance(own, Mapping) else {})
        about = param.description or str(schema.get("description") or "")
        required = param.required or (isinstance(needed, list) and param.name in needed)
        found.append(replace(param, schema=schema, description=about, required=required))
    return tuple(found)


def complaints(parameters: Parameters, values: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with some values, by parameter; those that are not among them are not missed."""
    some = [replace(each, required=False) for each in described(parameters) if each.name in values]
    if not any(each.schema for each in some):
        return {}
    found: dict[str, str] = {}
    for each in _contract().violations(some, {}, values):
        found.setdefault(each.name, each.message)
    return found


def check_defaults(dag: Dag, folder: Path, file: str) -> list[Problem]:
    """What is wrong with the schemas and the defaults as they stand in the spec, for `validate`."""
    try:
        parameters = parameters_of(dag, folder, file)
        fixed = [param for param in parameters.declared if _is_fixed(param)]
        values = {param.name: param.value for param in fixed}
        lenient = tuple(replace(param, required=False) for param in fixed)
        check_values(dag, Parameters(lenient, {}), values, (), file)
    except SpecError as error:
        return list(error.problems)
    return []


def check_given(dag: Dag, folder: Path, overrides: Sequence[tuple[str, str]], file: str) -> None:
    """What `check_values` says of values before there is a run: no default that has to be evaluated is."""
    parameters = parameters_of(dag, folder, file)
    given = by_name(parameters.declared, overrides, places=dag.dialect != "dagu1")
    known = [param for param in parameters.declared if param.name in given or _is_fixed(param)]
    unknown = [replace(param, required=False) for param in parameters.declared if param not in known]
    values = {**{param.name: param.value for param in known}, **given}
    together = {} if unknown else parameters.together
    check_values(dag, Parameters((*known, *unknown), together), values, given, file)


def _is_fixed(param: Param) -> bool:
    """A default with a reference or a command is known only when a run begins."""
    return not param.eval and not set("$`") & set(param.value)


def _read(path: Path, dag: Dag, file: str) -> Mapping[str, Any]:
    wrong = ""
    try:
        with path.open("rb") as opened:
            text = opened.read(_LARGEST + 1)
        wrong = "it is larger than 1 MiB" if len(text) > _LARGEST else ""
        data, _ = load_plain(text, str(path)) if not wrong else (None, {})
        if not wrong and not isinstance(data, dict):
            wrong = "it is no JSON object"
    except OSError as error:
        wrong = error.strerror or str(error)
    if wrong:
        mark = dag.mark("params")
        message = f"cannot use the schema {dag.params_schema!r}: {wrong}"
        raise SpecError(
            [Problem(file or str(path), mark.line, mark.column, message, f"it was looked for at {path}")]
        )
    assert isinstance(data, dict)
    return data


def _contract() -> Any:
    """Loaded by name, and only for DAGs that have rules: it takes a tenth of a second."""
    return import_module("dagfs.spec.contract")
