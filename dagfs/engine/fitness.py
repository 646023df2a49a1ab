"""What keeps a DAG from being run, and what may do so later."""

from __future__ import annotations

from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.preflight import check_settings
from dagfs.errors import NotFound, Problem, UsageError
from dagfs.hooks.options import NoUse
from dagfs.model.dag import Dag
from dagfs.store import dags


def executor_problems(engine: Engine, dag: Dag | None, file: str) -> list[Problem]:
    """What the executors say against the settings of the steps they would run."""
    if dag is None:
        return []
    problems = []
    executors = engine.plugins.executors
    for step in (*dag.steps, *dag.handler_on.values()):
        executor = executors.get(step.executor.type)
        for message in check_settings(executor, step, dag) if executor else ():
            mark = step.mark("executor")
            passed_over = dag.dialect == "dagu1" and not isinstance(message, NoUse)
            severity = "warning" if passed_over else "error"
            text = f"step {step.name!r}: {message}"
            problems.append(Problem(file, mark.line, mark.column, text, severity=severity))
    return problems


def executor_errors(engine: Engine, dag: Dag, file: str) -> list[Problem]:
    """What keeps a DAG from being run."""
    return [each for each in executor_problems(engine, dag, file) if each.severity == "error"]


def call_problems(engine: Engine, dag: Dag | None, file: str) -> list[Problem]:
    """A warning for each sub-DAG that is not there now; it may be there when the step is run."""
    if dag is None:
        return []
    problems = []
    folder = Path(file).resolve().parent
    for step in (*dag.steps, *dag.handler_on.values()):
        name = step.call.dag
        if not name or "$" in name or name in dag.locals:
            continue
        beside = any(dags.is_file(folder / f"{name}{ending}") for ending in ("", *dags.SUFFIXES))
        if not beside and not _is_there(engine, name):
            mark = step.mark("call")
            message = f"step {step.name!r}: there is no sub-DAG {name!r} yet"
            problems.append(Problem(file, mark.line, mark.column, message, severity="warning"))
    return problems


def _is_there(engine: Engine, name: str) -> bool:
    try:
        dags.find(engine.home.paths, name)
    except (NotFound, UsageError):
        return False
    return True
