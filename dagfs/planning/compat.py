"""Compares two specs of one run, field by field, without judging: the rules do that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from dagfs.model.dag import Dag, Mark, Step
from dagfs.model.edit import Change, Edit, Evidence
from dagfs.model.fingerprint import Classify, FieldClass, dag_fields, fingerprint, step_fields
from dagfs.model.run import Attempt
from dagfs.model.value import field, frozen
from dagfs.planning.usage import is_opaque, names_in, used_names

Pair = tuple[str | None, str | None]


@frozen
class Basis:
    """What an attempt's work answers to."""

    dag: Dag
    params: Mapping[str, str] = field(default_factory=dict)
    """Every parameter's value in that attempt."""


def compare(
    attempt: Attempt,
    bases: Mapping[int, Basis],
    new: Basis,
    classify: Classify,
    evidence: Mapping[str, Evidence] | None = None,
) -> Edit:
    """Everything that differs between the run so far and `new`.

    `bases` holds, by number, every attempt that some step's work answers to, and the newest one.
    """
    old = bases[attempt.n].dag
    renamed, removed, added = _membership(old, new.dag, classify)
    changes = list(_dag_changes(old, new.dag, classify))
    params: dict[str, Mapping[str, Pair]] = {}
    env: dict[str, Mapping[str, Pair]] = {}
    differences: dict[int, tuple[Mapping[str, Pair], Mapping[str, Pair]]] = {}
    for step in new.dag.steps:
        state = attempt.steps.get(step.name)
        number = state.basis if state and state.basis in bases else attempt.n
        before = bases[number].dag.by_name.get(step.name)
        if before is None:
            continue
        changes.extend(_step_changes(before, step, classify))
        if number not in differences:
            differences[number] = _variable_differences(bases[number], new)
        params[step.name], env[step.name] = differences[number]
    shell = new.dag.shell or attempt.header.shell
    return Edit(
        old=old,
        new=new.dag,
        attempt=attempt,
        changes=tuple(changes),
        added=added,
        removed=removed,
        renamed=renamed,
        params=params,
        env=env,
        uses=used_names(new.dag),
        opaque=frozenset(step.name for step in new.dag.steps if is_opaque(step, shell)),
        evidence=evidence or {},
    )


def _membership(
    old: Dag, new: Dag, classify: Classify
) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """Renamed, removed and added steps. One gone and one come with the same work is a rename."""
    removed = [step for step in old.steps if step.name not in new.by_name]
    added = [step for step in new.steps if step.name not in old.by_name]
    if len(removed) == len(added) == 1 and _same_work(removed[0], added[0], classify):
        return {removed[0].name: added[0].name}, (), ()
    return {}, tuple(step.name for step in removed), tuple(step.name for step in added)


def _same_work(one: Step, other: Step, classify: Classify) -> bool:
    facet = FieldClass.SEMANTIC
    return fingerprint(one, classify).get(facet) == fingerprint(other, classify).get(facet)


def _dag_changes(old: Dag, new: Dag, classify: Classify) -> Iterable[Change]:
    for path, before, after in _differences(dict(dag_fields(old)), dict(dag_fields(new))):
        mark = new.mark(path)
        yield Change(None, path, before, after, classify("dag", path), mark.line, mark.column)


def _step_changes(old: Step, new: Step, classify: Classify) -> Iterable[Change]:
    if old == new and not old.executor.config:
        return
    for path, before, after in _differences(dict(step_fields(old)), dict(step_fields(new))):
        mark = _place(new, path, before, after)
        yield Change(new.name, path, before, after, classify("step", path), mark.line, mark.column)


def _place(step: Step, path: str, before: Any, after: Any) -> Mark:
    """Where the field stands; in a text of several lines, the first line that differs."""
    start = step.marks.get(f"{path}.text")
    old, new = text_lines(before), text_lines(after)
    if start is None or not new:
        return step.mark(path)
    differing = (n for n, pair in enumerate(zip_longest(old, new)) if pair[0] != pair[1])
    return Mark(start.line + min(next(differing, 0), len(new) - 1), start.column)


def text_lines(value: Any) -> list[str]:
    """The lines of a field that is one text, or a list of one; of anything else, none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.splitlines() if isinstance(value, str) else []


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    for path in dict.fromkeys((*old, *new)):
        before, after = old.get(path), new.get(path)
        if not _same(before, after):
            yield path, before, after


def _same(one: Any, other: Any) -> bool:
    """Equal, and not as `1` and `true` are: an executor may tell them apart."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _variable_differences(old: Basis, new: Basis) -> tuple[Mapping[str, Pair], Mapping[str, Pair]]:
    then, now = _written(old.dag), _written(new.dag)
    return (
        {name: (before, after) for name, before, after in _differences(old.params, new.params)},
        {name: (_text(before), _text(after)) for name, before, after in _differences(then, now)},
    )


def _written(dag: Dag) -> dict[str, list[Any]]:
    """What decides each variable: its texts, and which of the names in them stand before it."""
    found: dict[str, list[Any]] = {f"consts.{each.name}": [(each.value, [])] for each in dag.consts}
    for variable in dag.env:
        earlier = sorted(names_in(variable.value) & found.keys())
        found.setdefault(variable.name, []).append([variable.value, earlier])
    return found


def _text(entries: list[Any] | None) -> str | None:
    return None if entries is None else "; ".join(text for text, _ in entries)
