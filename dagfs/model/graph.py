"""Pure algorithms on dependency mappings: `{name: names it depends on}`. All are linear in edges."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping


def children(depends: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Turn the mapping round: `{name: names that depend on it}`, in the order of `depends`."""
    result: dict[str, list[str]] = {name: [] for name in depends}
    for name, parents in depends.items():
        for parent in dict.fromkeys(parents):
            if parent in result:
                result[parent].append(name)
    return result


def topological(depends: Mapping[str, Collection[str]]) -> list[str]:
    """Names with every parent before its children; equals stay in the order given.

    Names on a cycle, and those behind one, are left out: compare lengths, or ask `cycle`.
    """
    waiting = {name: sum(parent in depends for parent in set(parents)) for name, parents in depends.items()}
    following = children(depends)
    ready = deque(name for name, count in waiting.items() if count == 0)
    order: list[str] = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for child in following[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    return order


def cycle(depends: Mapping[str, Collection[str]]) -> list[str]:
    """One cycle as `[a, b, a]`, each name depending on the next, or `[]` where there is none."""
    sorted_names = set(topological(depends))
    stuck = [name for name in depends if name not in sorted_names]
    if not stuck:
        return []
    # Every stuck name has a stuck parent, so walking parents must come back to a name seen.
    path: list[str] = []
    place: dict[str, int] = {}
    name = stuck[0]
    while name not in place:
        place[name] = len(path)
        path.append(name)
        name = next(parent for parent in depends[name] if parent in depends and parent not in sorted_names)
    return [*path[place[name] :], name]


def closure(start: Iterable[str], following: Mapping[str, Collection[str]]) -> set[str]:
    """`start` and everything reachable from it through `following`."""
    seen = set(start)
    work = deque(seen)
    while work:
        for name in following.get(work.popleft(), ()):
            if name not in seen:
                seen.add(name)
                work.append(name)
    return seen


def ancestors(name: str, depends: Mapping[str, Collection[str]]) -> list[str]:
    """All upstream names of `name`, nearest first (breadth first), without `name` itself."""
    seen = {name}
    order: list[str] = []
    work = deque([name])
    while work:
        for parent in depends.get(work.popleft(), ()):
            if parent not in seen and parent in depends:
                seen.add(parent)
                order.append(parent)
                work.append(parent)
    return order
