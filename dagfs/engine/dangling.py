"""References of Dagu 2 that nothing in the spec can have the name of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from dagfs.engine.parameters import parameters_of
from dagfs.errors import Problem, SpecError
from dagfs.model.dag import Dag, Mark
from dagfs.model.reference import Reference, references
from dagfs.model.spelling import get_close_matches
from dagfs.planning.usage import texts

_KINDS = {"params": "parameter", "consts": "constant", "steps": "step"}


def dangling(dag: Dag, folder: Path, file: str) -> Iterator[Problem]:
    """A warning for each parameter, constant and step that is referred to and not there."""
    named = _named(dag, folder, file) if dag.dialect == "dagu2" else {}
    for text, mark in _texts(dag) if named else ():
        for each in references(text):
            escaped = text[: each.start].endswith("\\")
            names = None if escaped or not each.path else named.get(each.name)
            if names is not None and not _is_known(each, names):
                word = each.first
                near = get_close_matches(word, names, 1)
                message = f"{each.text} stands for nothing: there is no {_KINDS[each.name]} {word!r}"
                hint = f"did you mean {near[0]!r}?" if near else None
                yield Problem(file, mark.line, mark.column, message, hint, severity="warning")


def _named(dag: Dag, folder: Path, file: str) -> Mapping[str, Collection[str]]:
    """What there is of each kind; a kind is left out where that is not known."""
    steps = {*dag.names, *(step.name for step in dag.handler_on.values())}
    found: dict[str, Collection[str]] = {"steps": steps, "consts": [each.name for each in dag.consts]}
    with suppress(SpecError):
        found["params"] = [each.name for each in parameters_of(dag, folder, file).declared]
    return found


def _is_known(each: Reference, names: Collection[str]) -> bool:
    """A name may hold dots itself."""
    return any(each.path == name or each.path.startswith((f"{name}.", f"{name}[")) for name in names)


def _texts(dag: Dag) -> Iterator[tuple[str, Mark]]:
    """Every text with references, and where it stands; inline bodies are DAGs of their own."""
    for variable in dag.env:
        yield variable.value, dag.mark(f"env.{variable.name}")
    for step in (*dag.steps, *dag.handler_on.values()):
        for text in texts(step):
            if text != step.call.body:
                yield text, step.mark()
