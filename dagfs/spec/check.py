"""Checks across steps: names and ids, what they depend on, and cycles."""

from __future__ import annotations

from collections.abc import Mapping

from dagfs.model.dag import Route, Router, Step
from dagfs.model.graph import cycle
from dagfs.spec.drafts import Draft
from dagfs.spec.reader import Reader

_CYCLES_REPORTED = 10


def check_steps(reader: Reader, drafts: list[Draft], chained: bool) -> list[tuple[str, ...]]:
    """Everything across the steps of one graph; for each draft the names it waits for."""
    check_names(reader, drafts)
    _check_chain(reader, drafts, chained)
    routed = _resolve_routes(reader, drafts)
    depends = resolve_depends(reader, drafts)
    joined = [
        tuple(dict.fromkeys((*names, *routed.get(draft.name, ()))))
        for draft, names in zip(drafts, depends, strict=True)
    ]
    check_cycles(reader, drafts, joined)
    return joined


def _check_chain(reader: Reader, drafts: list[Draft], chained: bool) -> None:
    """A chain of Dagu 2 has no order but its own; Dagu 1 joins what `depends` says to it."""
    for draft in drafts if chained else ():
        if draft.words is not None and reader.dialect.name == "dagu2":
            reader.error(
                draft.marks["depends"],
                f"step '{draft.name}' has depends in a chain, which orders its steps by itself",
                "leave depends out, or say type: graph",
            )
        elif draft.router:
            reader.error(draft.marks["router"], "a router needs type: graph", "in a chain every step runs")


def _resolve_routes(reader: Reader, drafts: list[Draft]) -> dict[str, tuple[str, ...]]:
    """For each step that a router may choose, the routers; and the routers with their targets' names."""
    known = _known(drafts)
    routed: dict[str, tuple[str, ...]] = {}
    for draft in drafts:
        if draft.router is None:
            continue
        routes, chosen = [], set()
        for route in draft.router.routes:
            names = [_target(reader, draft, word, known) for word in route.steps]
            for name in names:
                if name in chosen:
                    reader.error(draft.marks["router"], f"step '{name}' is the target of two routes")
            chosen |= set(names)
            routes.append(Route(route.pattern, tuple(name for name in names if name)))
        draft.values["router"] = Router(draft.router.value, tuple(routes))
        routed |= {name: (*routed.get(name, ()), draft.name) for name in chosen if name}
    return routed


def _target(reader: Reader, draft: Draft, word: str, known: dict[str, str]) -> str:
    name = known.get(word, "")
    if not name:
        hint = reader.suggestion(word, known)
        reader.error(draft.marks["router"], f"a route leads to '{word}', which does not exist", hint)
    elif name == draft.name:
        reader.error(draft.marks["router"], f"the router '{name}' leads to itself")
        return ""
    return name


def _known(drafts: list[Draft]) -> dict[str, str]:
    """Every word that names a step, to the step's name."""
    known = {draft.id: draft.name for draft in drafts if draft.id}
    return known | {draft.name: draft.name for draft in drafts}


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
    known = _known(drafts)
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
    if len(places) < len(drafts):
        return  # a name that stands for two steps draws circles that are not there
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
