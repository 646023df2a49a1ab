"""Which steps somebody means: `load`, `extract_*`, `++report`, `state:failed,-notify`. Pure.

A selection is read from left to right, its terms parted by commas. A term adds steps; behind `-` or `!` it
takes them away, and where the first term takes away it does so from all steps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from dagfs.model.dag import Dag
from dagfs.model.graph import children, closure
from dagfs.model.spelling import get_close_matches
from dagfs.model.state import StepState
from dagfs.model.value import frozen

States = Mapping[str, StepState]

_PREFIXES = ("state", "executor")
_TERM = re.compile(r"""\s*((?:[^,"']|"[^"]*"|'[^']*')*?)\s*(?:,|$)""", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_GRAPH = re.compile(r"(\+{0,2})(.*?)(\+{0,2})", re.DOTALL)


class BadSelection(ValueError):
    """An expression that selects nothing that there is; `hint` says what there is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@frozen
class Selection:
    """The steps that a retry is asked to run; each field is an expression, empty for none."""

    steps: str = ""
    """The steps to run; empty for those that are unfinished."""
    to: str = ""
    """Nothing runs but these, and the steps before them."""
    only: bool = False
    """The finished steps behind what runs stay as they are, marked as stale."""
    afresh: bool = False
    """`--all`: nothing at all is kept, in children neither."""

    def __bool__(self) -> bool:
        return bool(self.steps or self.to or self.afresh)

    def of_child(self, child: str) -> Selection:
        """What of it is about a child: `CHILD/STEPS`."""
        own = [f"{sign}{rest}" for sign, pattern, rest in self.below() if fnmatchcase(child, pattern)]
        return Selection(",".join(own), only=self.only) if own else Selection()

    def own(self) -> list[str]:
        """The terms about the run itself. BadSelection for a quote that is not closed."""
        return [("-" if away else "") + term for away, term in _terms(self.steps) if "/" not in term]

    def below(self) -> Iterator[tuple[str, str, str]]:
        """The terms about children: their sign, which children, and which of their steps."""
        for takes_away, term in _terms(self.steps):
            pattern, slash, rest = term.partition("/")
            if slash:
                yield "-" if takes_away else "", pattern, rest

    def as_data(self) -> dict[str, Any]:
        """Only what is said."""
        found = {"steps": self.steps, "to": self.to, "only": self.only, "all": self.afresh}
        return {key: value for key, value in found.items() if value}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Selection:
        """Read back what `as_data` wrote; TypeError or ValueError for anything else."""
        if not isinstance(data, Mapping) or data.keys() - {"steps", "to", "only", "all"}:
            raise ValueError(f"no selection: {data!r}")
        return cls(
            str(data.get("steps", "")), str(data.get("to", "")), bool(data.get("only")), bool(data.get("all"))
        )

    def options(self) -> list[tuple[str, str]]:
        """The options that say it, in the words of the command line."""
        found = [("--all", "")] if self.afresh else []
        if self.steps:
            found.append(("--only" if self.only else "--select", self.steps))
        return [*found, ("--to", self.to)] if self.to else found


@frozen
class Scope:
    """A selection's meaning for one graph."""

    steps: frozenset[str] | None = None
    """The steps to run; None for those that are unfinished."""
    bound: frozenset[str] | None = None
    """The steps that may run; None for all."""
    only: bool = False

    def allows(self, step: str) -> bool:
        return self.bound is None or step in self.bound

    def as_data(self) -> list[Any]:
        """What decides, however it was said."""
        return [None if each is None else sorted(each) for each in (self.steps, self.bound)] + [self.only]


def scope_of(selection: Selection, dag: Dag, states: States) -> Scope:
    """What a selection means for a run whose steps stand as `states` say. BadSelection."""
    steps = _own(selection, dag, states) if selection.steps else None
    if selection.afresh:
        steps = frozenset(dag.by_name)
    bound = None
    if selection.to:
        bound = frozenset(closure(selected(selection.to, dag, states), dag.depends))
    if steps is not None and bound is not None:
        steps &= bound
    return Scope(steps, bound, selection.only)


def _own(selection: Selection, dag: Dag, states: States) -> frozenset[str]:
    """The steps of the run itself; none where only steps of children are named."""
    own = selection.own()
    if not own and any(True for _ in selection.below()):
        return frozenset()
    return selected(",".join(own), dag, states)


def selected(expression: str, dag: Dag, states: States) -> frozenset[str]:
    """The steps that an expression means. BadSelection where a part of it means nothing that there is."""
    terms = list(_terms(expression))
    if not terms:
        raise BadSelection("the selection is empty", f"there are {_listed(dag.by_name)}")
    taken = set(dag.by_name) if terms[0][0] else set()
    for takes_away, term in terms:
        found = _Term(dag, states).steps(term)
        taken = taken - found if takes_away else taken | found
    return frozenset(taken)


def _terms(expression: str) -> Iterator[tuple[bool, str]]:
    """Each term, and whether it takes steps away."""
    place = 0
    while place < len(expression):
        match = _TERM.match(expression, place)
        if match is None:
            raise BadSelection(f"{expression!r} has a quote that is not closed")
        place = match.end()
        if term := match[1]:
            takes_away = term[0] in "-!"
            yield takes_away, term[1:].lstrip() if takes_away else term


@frozen
class _Term:
    """Reads one term against a graph."""

    dag: Dag
    states: States

    def steps(self, term: str) -> set[str]:
        if term in self.dag.names:
            return {self.dag.names[term]}
        match = _GRAPH.fullmatch(term)
        assert match is not None
        before, name, behind = match.groups()
        middle = self._named(name)
        found = set(middle)
        if before:
            found |= _reached(middle, self.dag.depends, len(before))
        if behind:
            found |= _reached(middle, children(self.dag.depends), len(behind))
        return found

    def _named(self, name: str) -> set[str]:
        if quoted := _QUOTED.fullmatch(name):
            return {self._exactly(quoted[2])}
        if name in self.dag.names:
            return {self.dag.names[name]}
        prefix, colon, value = name.partition(":")
        if colon:
            return self._by_prefix(prefix, value)
        if any(char in name for char in "*?["):
            return self._matching(name)
        return {self._exactly(name)}

    def _exactly(self, name: str) -> str:
        if name not in self.dag.names:
            raise BadSelection(f"there is no step {name!r}", _nearest(name, self.dag.names, self.dag.by_name))
        return self.dag.names[name]

    def _matching(self, pattern: str) -> set[str]:
        found = {step for word, step in self.dag.names.items() if fnmatchcase(word, pattern)}
        if not found:
            bare = pattern.strip("*")
            raise BadSelection(f"no step fits {pattern!r}", _nearest(bare, self.dag.names, self.dag.by_name))
        return found

    def _by_prefix(self, prefix: str, value: str) -> set[str]:
        if prefix == "state":
            return self._in_state(value)
        if prefix == "executor":
            found = {step.name for step in self.dag.steps if step.executor.type == value}
            kinds = dict.fromkeys(step.executor.type for step in self.dag.steps)
            if not found:
                raise BadSelection(f"no step runs by executor {value!r}", _nearest(value, kinds))
            return found
        hint = "steps have no tags; select them by name, glob or state" if prefix == "tag" else ""
        raise BadSelection(f"steps cannot be selected by {prefix!r}", hint or _nearest(prefix, _PREFIXES))

    def _in_state(self, value: str) -> set[str]:
        """Steps in one state, if any is; those that are `unfinished` neither succeeded nor were skipped."""
        if value == "unfinished":
            return {name for name in self.dag.by_name if not _is_finished(self._state(name))}
        known = [*map(str, StepState), "unfinished"]
        if value not in known:
            raise BadSelection(f"there is no state {value!r}", _nearest(value, known))
        return {name for name in self.dag.by_name if self._state(name) == value}

    def _state(self, name: str) -> StepState:
        return self.states.get(name, StepState.NOT_STARTED)


def _is_finished(state: StepState) -> bool:
    return state.is_success or state is StepState.SKIPPED


def _reached(start: Iterable[str], following: Mapping[str, Collection[str]], layers: int) -> set[str]:
    """What one `+` reaches, the next layer, or two of them: all layers."""
    if layers > 1:
        return closure(start, following)
    return {each for name in start for each in following.get(name, ())}


def _nearest(word: str, known: Iterable[str], listed: Iterable[str] = ()) -> str:
    """What was probably meant, else what there is."""
    names = list(known)
    near = get_close_matches(word, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {_listed(listed or names)}"


def _listed(names: Iterable[str]) -> str:
    words = list(names)
    more = f" and {len(words) - 12} more" if len(words) > 12 else ""
    return ", ".join(words[:12]) + more
