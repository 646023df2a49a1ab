"""What an operator changes with a retry beside an edit: values in the spec, parameters, a wrapper."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from dagfs.errors import UsageError
from dagfs.model.dag import Dag
from dagfs.model.graph import children, closure
from dagfs.model.spelling import get_close_matches
from dagfs.model.state import StepState
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Plan
from dagfs.planning.selection import BadSelection, selected
from dagfs.planning.usage import names_in
from dagfs.spec.amend import amend, parse_assignment, tagged

Pairs = tuple[tuple[str, str], ...]
_WRAPPED = ("shell", "command", "")
"""The executors whose processes are the step's own."""


def amended(text: bytes, answers: Answers, old: Dag, pending: bytes | None) -> bytes | None:
    """The spec with `--set` and `--tag` written into it; None where there are none. UsageError.

    `pending` is spec.next.yaml, which would be neither used up nor left as it is.
    """
    if not (answers.sets or answers.tags):
        return None
    if pending is not None:
        raise UsageError(
            "spec.next.yaml is there, so --set, --tag and --timeout have nothing to write into",
            hint="make the change in spec.next.yaml",
        )
    for each in answers.sets:
        text = amend(text, parse_assignment(each, dict(old.names)), old.dialect)
    for tag in answers.tags:
        if tag not in old.tags:
            text = tagged(text, tag, old.dialect)
    return text


def overridden(before: Pairs, given: Pairs, dag: Dag) -> Pairs:
    """The parameters given from outside, with those given now. UsageError for one that is not declared."""
    known = [param.name for param in dag.params if not param.name.isdigit()]
    for name, _ in given:
        if known and name not in known and not name.isdigit():
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"the DAG declares no param {name!r}", hint=hint)
    return tuple((dict(before) | dict(given)).items())


def with_followers(given: Iterable[str], dag: Dag) -> set[str]:
    """Parameters, and those whose text refers to them."""
    behind: dict[str, set[str]] = {
        param.name: names_in(param.value) | names_in(param.eval) for param in dag.params
    }
    return closure(given, children(behind))


def wrapping(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The wrapper's words, and the steps that are put behind it."""
    answers = plan.answers
    if not answers.wrapper:
        return (), ()
    steps = plan.edit.new.by_name
    chosen = _chosen(answers, plan.edit.new, {name: plan.edit.state(name).state for name in steps})
    running = [each.step for each in plan.decisions if each.action.may_run]
    return _words(answers.wrapper), tuple(
        name for name in running if name in chosen and steps[name].executor.type in _WRAPPED
    )


def check_wrapper(answers: Answers, dag: Dag) -> None:
    """UsageError for a wrapper that is none, or for steps that cannot be put behind one."""
    if not answers.wrapper and answers.wrapped:
        raise UsageError("--with-steps says for which steps, and there is no --with")
    if not answers.wrapper:
        return
    if not _words(answers.wrapper):
        raise UsageError("--with: a command is missing")
    for name in _chosen(answers, dag, {}) if answers.wrapped and "state:" not in answers.wrapped else ():
        step = dag.by_name[name]
        if step.executor.type not in _WRAPPED or step.is_engine_work:
            raise UsageError(
                f"--with: step {name!r} is no process of its own that could be put behind a command",
                hint="only steps that a shell runs here can be",
            )


def _words(wrapper: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(wrapper))
    except ValueError:
        raise UsageError(f"--with {wrapper}: a quote is not closed") from None


def _chosen(answers: Answers, dag: Dag, states: Mapping[str, StepState]) -> Iterable[str]:
    if not answers.wrapped:
        return dag.by_name
    try:
        return selected(answers.wrapped, dag, states)
    except BadSelection as error:
        raise UsageError(f"--with-steps: {error}", hint=error.hint or None) from None
