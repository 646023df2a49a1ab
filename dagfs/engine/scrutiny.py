"""What is wrong with the values of a spec as they stand: defaults, schemas, patterns, secret providers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.dangling import dangling
from dagfs.engine.fitness import call_problems, executor_problems
from dagfs.engine.parameters import check_defaults
from dagfs.errors import Problem
from dagfs.model.dag import Dag, Mark, Step
from dagfs.model.pattern import BadPattern, check
from dagfs.model.value import replace
from dagfs.spec.parse import Reading

_EXPRESSION = "re:"
_NOT_WORK = frozenset(("depends", "name", "id", "description"))
"""Keys of a step that its executor does not see."""


def more_problems(engine: Engine, reading: Reading, folder: Path, file: str) -> list[Problem]:
    """Everything that can be said before a run begins beside what reading found. Nothing is evaluated.

    Where that was an error, the rest is looked at all the same: who mends a spec wants to know all of it.
    """
    dag = reading.sketch
    if dag is None:
        return []
    doubtful = _doubtful(dag, [each for each in reading.errors if each.file == file])
    return [
        *executor_problems(
            engine, replace(dag, steps=tuple(s for s in dag.steps if s not in doubtful)), file
        ),
        *call_problems(engine, dag, file),
        *check_defaults(dag, folder, file),
        *_patterns(dag, file),
        *_providers(engine, dag, file),
        *([] if reading.errors else dangling(dag, folder, file)),
    ]


def _doubtful(dag: Dag, errors: Sequence[Problem]) -> list[Step]:
    """Steps with errors in what their executor is given: what it says may only follow from those."""
    places = sorted(
        (mark.line, mark.column, place, name)
        for place, step in enumerate(dag.steps)
        for name, mark in step.marks.items()
    )
    found = []
    for error in errors:
        at = bisect_right(places, (error.line, error.column, len(dag.steps), ""))
        if at and places[at - 1][3] not in _NOT_WORK:
            found.append(dag.steps[places[at - 1][2]])
    return found


def _patterns(dag: Dag, file: str) -> Iterator[Problem]:
    for condition in dag.preconditions:
        yield from _bad(condition.expected or "", dag.mark("preconditions"), dag, file)
    for step in (*dag.steps, *dag.handler_on.values()):
        for text, mark in _expressions(step):
            yield from _bad(text, mark, dag, file)


def _expressions(step: Step) -> Iterator[tuple[str, Mark]]:
    """The texts of a step that may be regular expressions, with where they stand."""
    for condition in step.preconditions:
        yield condition.expected or "", step.mark("preconditions")
    for text in step.continue_on.output:
        yield text, step.mark("continue_on.output")
    yield step.repeat_policy.expected or "", step.mark("repeat_policy.expected")
    for route in step.router.routes if step.router else ():
        yield route.pattern, step.mark("router")


def _bad(text: str, mark: Mark, dag: Dag, file: str) -> Iterator[Problem]:
    """Dagu 1 takes such a file, and the condition never holds."""
    if not text.startswith(_EXPRESSION):
        return
    try:
        check(text[len(_EXPRESSION) :])
    except BadPattern as error:
        severity = "warning" if dag.dialect == "dagu1" else "error"
        message = f"{text!r} is no regular expression and fits nothing: {error}"
        hint = "expressions are those of RE2: without look-around and back-references"
        yield Problem(file, mark.line, mark.column, message, hint, severity=severity)


def _providers(engine: Engine, dag: Dag, file: str) -> Iterator[Problem]:
    known = engine.plugins.secret_providers
    for secret in dag.secrets:
        if secret.provider not in known:
            mark = dag.mark(f"secrets.{secret.name}")
            message = f"secret {secret.name}: no plugin brings the provider {secret.provider!r}"
            hint = f"there are {', '.join(sorted(known))}"
            yield Problem(file, mark.line, mark.column, message, hint, severity="warning")
