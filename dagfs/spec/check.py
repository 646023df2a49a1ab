"""Checks across steps: names and ids, what they depend on, and cycles."""

from __future__ import annotations

from collections.abc import Mapping

from dagfs.model.dag import Step
from dagfs.model.graph import cycle
from dagfs.spec.reader import Reader
from dagfs.spec.steps import Draft

_CYCLES_REPORTED = 10


def check_names(reader: Reader, drafts: list[Draft]) -> None:
    """No name and no id may stand for two steps."""
    names: dict[str, Draft] = {}
    for draft in drafts:
        before = names.setdefault(draft.name, draft)
        if before is not draft:
            place = draft.marks.get("name", draft.mark)
            reader.error(place, f"the step name '{draft.name}' is already used in line {before.mark.line}")
    ids: dict[str, Draft] = {}
    for draft in drafts:
        if not draft.id:
            continue
        before = ids.setdefault(draft.id, draft)
        if before is not draft:
            used = f"the step id '{draft.id}' is already used in line {before.mark.line}"
            reader.error(draft.marks["id"], used)
        elif names.get(draft.id, draft) is not draft:
            line = names[draft.id].mark.line
            reader.error(draft.marks["id"], f"the id '{draft.id}' is the name of the step in line {line}")


def check_handlers(reader: Reader, drafts: list[Draft], handlers: Mapping[str, Step]) -> None:
    """Handlers are named beside the steps, so no name may be used twice."""
    names = {draft.name: draft.mark.line for draft in drafts}
    for step in handlers.values():
        if step.name in names:
            where = f"the handler name '{step.name}' is already used in line {names[step.name]}"
            reader.error(step.mark("name"), where)
        names[step.name] = step.mark().line


def resolve_depends(reader: Reader, drafts: list[Draft]) -> list[tuple[str, ...]]:
    """For each draft the names it waits for, the chain's included; `depends: []` leaves the chain."""
    known = {draft.id: draft.name for draft in drafts if draft.id}
    known |= {draft.name: draft.name for draft in drafts}
    groups: dict[range, tuple[str, ...]] = {}
    result = []
    for draft in drafts:
        if draft.before not in groups:
            groups[draft.before] = tuple(drafts[place].name for place in draft.before)
        implied = () if draft.words == [] else groups[draft.before]
        own = _resolved(reader, draft, known)
        result.append(tuple(dict.fromkeys((*own, *implied))) if own else implied)
    return result


def _resolved(reader: Reader, draft: Draft, known: dict[str, str]) -> list[str]:
    found = []
    for word, mark in draft.words or ():
        name = known.get(word)
        if name is None:
            hint = reader.suggestion(word, known)
            reader.error(mark, f"step '{draft.name}' depends on '{word}', which does not exist", hint)
        elif name == draft.name:
            reader.error(mark, f"step '{name}' depends on itself")
        else:
            found.append(name)
    return found


def check_cycles(reader: Reader, drafts: list[Draft], depends: list[tuple[str, ...]]) -> None:
    """Each cycle is named once, where its first step says what it depends on."""
    places = {draft.name: draft for draft in drafts}
    graph = {draft.name: list(names) for draft, names in zip(drafts, depends, strict=True)}
    for _ in range(_CYCLES_REPORTED):
        found = cycle(graph)
        if not found:
            return
        first = places[found[0]]
        place = first.marks.get("depends", first.mark)
        reader.error(place, f"steps depend on each other in a circle: {_shown(found)}")
        graph[found[0]].remove(found[1])


def _shown(names: list[str]) -> str:
    """`a -> b -> a`; a long circle without its middle."""
    if len(names) > 12:
        names = [*names[:8], f"({len(names) - 11} more)", *names[-3:]]
    return " -> ".join(names)
