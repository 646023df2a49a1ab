"""Steps crossed with runs: how each step went in the last runs of a DAG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagfs.model.timespan import duration
from dagfs.web.views.runs import RunFact, cell_title
from dagfs.web.views.times import known_time

MOST_RUNS = 20
MOST_STEPS = 150


@dataclass(frozen=True, slots=True)
class Square:
    """One step of one run."""

    state: str
    """Empty where the run had no such step."""
    kept: bool
    title: str


@dataclass(frozen=True, slots=True)
class History:
    """A row a step, a column a run, the newest on the right."""

    runs: tuple[RunFact, ...]
    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square, ...]], ...]
    left_out: int = 0
    """Steps that are not shown."""


def history(
    facts: Sequence[RunFact], documents: Mapping[str, Mapping[str, Any]], steps: Sequence[str]
) -> History:
    """`facts` newest first; `documents` are status documents by run; `steps` those of the DAG as it is now.

    Steps that only old runs had come behind those of now.
    """
    runs = tuple(reversed(facts[:MOST_RUNS]))
    names = dict.fromkeys(steps)
    for each in reversed(runs):
        names.update(dict.fromkeys(_steps(documents, each)))
    shown = list(names)[:MOST_STEPS]
    rows = tuple((name, tuple(_square(name, documents, each) for each in runs)) for name in shown)
    return History(runs, tuple(map(cell_title, runs)), rows, len(names) - len(shown))


def _steps(documents: Mapping[str, Mapping[str, Any]], fact: RunFact) -> Mapping[str, Any]:
    found = documents.get(fact.run, {}).get("steps")
    return found if isinstance(found, Mapping) else {}


def _square(name: str, documents: Mapping[str, Mapping[str, Any]], fact: RunFact) -> Square:
    step = _steps(documents, fact).get(name)
    if not isinstance(step, Mapping):
        return Square("", False, "")
    state = str(step.get("state", ""))
    took = duration(known_time(step.get("started")), known_time(step.get("finished")))
    words = [name, state.replace("_", " "), took, str(step.get("reason") or "")[:160]]
    kept = bool(step.get("kept"))
    if kept:
        words[1] = "kept"
    return Square(state, kept, " · ".join(word for word in (fact.run, *words) if word))
