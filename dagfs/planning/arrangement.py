"""Where the steps of a graph stand in a picture: a layered layout, decided without drawing anything.

Steps lie in layers by their longest path from a start. Within a layer they are ordered by barycentres and
swaps of neighbours (Sugiyama, Tagawa, Toda 1981), an edge over several layers running through a place of
its own in each. Positions follow from least squares with a least distance kept (pool adjacent violators).
The same graph always gives the same arrangement.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from dagfs.model.graph import topological
from dagfs.model.value import field, frozen, mutable

Depends = Mapping[str, Collection[str]]
_SWEEPS = 8
_WORK = 60_000
"""Places and ties looked at in all sweeps together: large graphs get fewer of them."""
_MOST_BENDS = 5_000
"""Beyond so many places of long edges, edges are drawn straight across."""
_MOST_SWAPS = 200_000
"""Pairs of edges looked at in swaps, so that a large and dense graph is still arranged at once."""
_BEND_SIZE = 10.0
_ROUNDING = 1e-6


@frozen
class Placed:
    """One step's box; `x` and `y` are its upper left corner, in pixels."""

    name: str
    layer: int
    x: float
    y: float
    width: float
    height: float


@frozen
class Edge:
    """A line from the step `source` to one that depends on it, through `points` (x, y)."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]


@frozen
class Arrangement:
    """A whole picture's geometry, in pixels."""

    boxes: tuple[Placed, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float
    down: bool
    """Layers follow each other downwards; otherwise to the right."""


@frozen
class Spacing:
    """Distances in pixels."""

    layers: float = 44
    steps: float = 14
    margin: float = 16


@mutable
class _Grid:
    """Steps and bends of edges as numbers, each in a layer."""

    names: list[str]
    layer: list[int]
    layers: list[list[int]]
    above: list[list[int]] = field(default_factory=list)
    """For each number those it is tied to in the layer before."""
    below: list[list[int]] = field(default_factory=list)
    routes: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """For each edge the bends it goes through."""
    trunks: dict[int, list[int]] = field(default_factory=dict)
    """For each source of long edges its bends, layer by layer."""

    @property
    def steps(self) -> int:
        """Numbers from here on are bends."""
        return len(self.names)


def layers(depends: Depends) -> dict[str, int]:
    """How many steps the longest path to each step has; steps on a circle, and behind one, are in layer 0."""
    found = dict.fromkeys(depends, 0)
    for name in topological(depends):
        found[name] = max((found[parent] + 1 for parent in depends[name] if parent in found), default=0)
    return found


def arrange(
    depends: Depends,
    sizes: Mapping[str, tuple[float, float]],
    *,
    down: bool | None = None,
    spacing: Spacing | None = None,
) -> Arrangement:
    """Where every step and edge goes. `sizes` are widths and heights of the boxes, in pixels.

    `down` is the direction; None chooses the one whose picture is nearer to a screen's shape.
    """
    spacing = spacing or Spacing()
    grid = _grid(depends)
    _order(grid)
    if down is None:
        down = min((False, True), key=lambda each: _awkwardness(grid, sizes, each, spacing))
    return _placed(grid, sizes, down, spacing)


def _awkwardness(
    grid: _Grid, sizes: Mapping[str, tuple[float, float]], down: bool, spacing: Spacing
) -> float:
    """How far a picture would be from 3:2; too wide is worse than too high, for pages scroll down."""
    box = [sizes[name][::-1] if down else sizes[name] for name in grid.names]
    along = sum(max((box[i][0] for i in layer if i < grid.steps), default=0) for layer in grid.layers)
    along += spacing.layers * len(grid.layers)
    across = max(
        (sum(box[i][1] + spacing.steps for i in layer if i < grid.steps) for layer in grid.layers), default=1
    )
    ratio = (across / along if down else along / across) / 1.5 if along else 1
    return ratio * 1.6 if ratio > 1 else 1 / max(ratio, 1e-6)


# -- the grid ------------------------------------------------------------------------------------


def _grid(depends: Depends) -> _Grid:
    at = layers(depends)
    names = list(depends)
    number = {name: place for place, name in enumerate(names)}
    grid = _Grid(names, [at[name] for name in names], [[] for _ in range(max(at.values(), default=-1) + 1)])
    grid.above, grid.below = [[] for _ in names], [[] for _ in names]
    for place in range(len(names)):
        grid.layers[grid.layer[place]].append(place)
    edges = [
        (number[parent], number[name])
        for name in names
        for parent in dict.fromkeys(depends[name])
        if parent in number and at[parent] < at[name]
    ]
    furthest: dict[int, int] = {}
    for source, target in edges:
        furthest[source] = max(furthest.get(source, 0), grid.layer[target])
    bends = sum(last - grid.layer[source] - 1 for source, last in furthest.items())
    trunks: dict[tuple[int, int], int] = {}
    for source, target in edges:
        _route(grid, source, target, trunks, straight=bends > _MOST_BENDS)
    return grid


def _route(
    grid: _Grid, source: int, target: int, trunks: dict[tuple[int, int], int], *, straight: bool
) -> None:
    """Tie two steps together; the edges of one source share their bends, as branches share a trunk."""
    route: list[int] = []
    last = source
    for layer in range(grid.layer[source] + 1, 0 if straight else grid.layer[target]):
        if (source, layer) not in trunks:
            bend = len(grid.layer)
            trunks[source, layer] = bend
            grid.trunks.setdefault(source, []).append(bend)
            grid.layer.append(layer)
            grid.layers[layer].append(bend)
            grid.above.append([last])
            grid.below.append([])
            grid.below[last].append(bend)
        last = trunks[source, layer]
        route.append(last)
    grid.routes[source, target] = route
    if grid.layer[target] == grid.layer[last] + 1:
        grid.above[target].append(last)
        grid.below[last].append(target)


# -- the order within layers ---------------------------------------------------------------------


def _order(grid: _Grid) -> None:
    """Order each layer so that few edges cross: the best of several sweeps."""
    best, fewest = [list(layer) for layer in grid.layers], crossings(grid.layers, grid.above)
    budget = _MOST_SWAPS
    for sweep in range(_sweeps(grid)):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        _sweep(grid.layers, grid.above if downwards else grid.below, downwards)
        budget = _swap(grid, budget)
        count = crossings(grid.layers, grid.above)
        if count < fewest:
            best, fewest = [list(layer) for layer in grid.layers], count
    grid.layers = best


def _sweeps(grid: _Grid) -> int:
    return max(2, min(_SWEEPS, _WORK // (1 + len(grid.layer) + sum(map(len, grid.above)))))


def _sweep(ordered: list[list[int]], tied: Sequence[Sequence[int]], downwards: bool) -> None:
    """Order each layer by the mean place of what its members are tied to in the layer before."""
    turn = range(1, len(ordered)) if downwards else range(len(ordered) - 2, -1, -1)
    for index in turn:
        place = _places(ordered[index - 1 if downwards else index + 1])
        here = _places(ordered[index])
        centre = {
            each: sum(place[other] for other in tied[each]) / len(tied[each])
            if tied[each]
            else float(here[each])
            for each in ordered[index]
        }
        ordered[index].sort(key=lambda each: (centre[each], here[each]))


def _swap(grid: _Grid, budget: int) -> int:
    """Swap neighbours where that removes crossings, until none does; what is left of the budget."""
    for index, layer in enumerate(grid.layers):
        before = _places(grid.layers[index - 1]) if index else {}
        behind = _places(grid.layers[index + 1]) if index + 1 < len(grid.layers) else {}
        ends = {
            each: (
                sorted(before[other] for other in grid.above[each]),
                sorted(behind[other] for other in grid.below[each]),
            )
            for each in layer
        }
        improved = True
        while improved and budget > 0:
            improved = False
            for place in range(len(layer) - 1):
                left, right = ends[layer[place]], ends[layer[place + 1]]
                budget -= 1 + sum(map(len, left)) + sum(map(len, right))
                if _inversions(left, right) > _inversions(right, left):
                    layer[place], layer[place + 1] = layer[place + 1], layer[place]
                    improved = True
    return budget


def _inversions(left: tuple[list[int], list[int]], right: tuple[list[int], list[int]]) -> int:
    """Crossings between the edges of two neighbours in this order."""
    return sum(bisect_left(ours, end) for ours, ends in zip(right, left, strict=True) for end in ends)


def crossings(ordered: Sequence[Sequence[int]], above: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross, `above` naming what each number is tied to in the layer before."""
    total = 0
    for upper, lower in pairwise(ordered):
        place = _places(upper)
        seen: list[int] = []
        for each in lower:
            ends = sorted(place[other] for other in above[each])
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _places(layer: Sequence[int]) -> dict[int, int]:
    return {each: place for place, each in enumerate(layer)}


# -- positions -----------------------------------------------------------------------------------


def _placed(
    grid: _Grid, sizes: Mapping[str, tuple[float, float]], down: bool, spacing: Spacing
) -> Arrangement:
    """Positions: `across` runs along a layer, `along` from layer to layer."""
    breadth = [sizes[name][0 if down else 1] for name in grid.names]
    depth = [sizes[name][1 if down else 0] for name in grid.names]
    breadth += [_BEND_SIZE] * (len(grid.layer) - grid.steps)
    across = _across(grid, breadth, spacing.steps)
    shift = spacing.margin - min((across[i] - breadth[i] / 2 for i in range(len(across))), default=0)
    across = [each + shift for each in across]
    thick = [max((depth[i] for i in layer if i < grid.steps), default=0) for layer in grid.layers]
    along = [spacing.margin + sum(thick[:i]) + spacing.layers * i for i in range(len(thick))]
    boxes = []
    for i, name in enumerate(grid.names):
        u, v = across[i] - breadth[i] / 2, along[grid.layer[i]]
        width, height = sizes[name]
        boxes.append(Placed(name, grid.layer[i], u if down else v, v if down else u, width, height))
    edges = tuple(
        Edge(grid.names[source], grid.names[target], tuple((u, v) if down else (v, u) for u, v in points))
        for (source, target), points in _lines(grid, across, along, thick, depth).items()
    )
    broad = max((across[i] + breadth[i] / 2 for i in range(len(across))), default=0) + spacing.margin
    long = (along[-1] + thick[-1] if along else 0) + spacing.margin
    return Arrangement(tuple(boxes), edges, broad if down else long, long if down else broad, down)


def _lines(
    grid: _Grid, across: list[float], along: list[float], thick: list[float], depth: list[float]
) -> dict[tuple[int, int], list[tuple[float, float]]]:
    """Each edge's points (across, along): out of the source, past both sides of each bend's layer, in."""
    found = {}
    for (source, target), route in grid.routes.items():
        points = [(across[source], along[grid.layer[source]] + depth[source])]
        for bend in route:
            start = along[grid.layer[bend]]
            points += [(across[bend], start), (across[bend], start + thick[grid.layer[bend]])]
        found[source, target] = [*points, (across[target], along[grid.layer[target]])]
    return found


def _across(grid: _Grid, breadth: list[float], gap: float) -> list[float]:
    """The middle of each number along its layer."""
    across = [0.0] * len(grid.layer)
    for layer in grid.layers:
        end = 0.0
        for each in layer:
            across[each] = end + breadth[each] / 2
            end += breadth[each] + gap
    turns = _sweeps(grid)
    for turn in range(turns):
        downwards = turn % 2 == 0
        order = grid.layers if downwards else grid.layers[::-1]
        for layer in order:
            _settle(grid, layer, across, breadth, gap, downwards, last=turn >= turns - 2)
    _straighten(grid, across, breadth, gap)
    return across


def _straighten(grid: _Grid, across: list[float], breadth: list[float], gap: float) -> None:
    """Bring the bends of each trunk into one line, as far as the neighbours in their layers leave room."""
    place = {each: (layer, at) for layer in grid.layers for at, each in enumerate(layer)}

    def room(bend: int) -> tuple[float, float]:
        layer, at = place[bend]
        low, high = float("-inf"), float("inf")
        if at:
            low = across[layer[at - 1]] + (breadth[layer[at - 1]] + breadth[bend]) / 2 + gap
        if at + 1 < len(layer):
            high = across[layer[at + 1]] - (breadth[layer[at + 1]] + breadth[bend]) / 2 - gap
        return low, high

    for bends in grid.trunks.values():
        line: list[int] = []
        low, high = float("-inf"), float("inf")
        for bend in bends:
            left, right = room(bend)
            if max(low, left) > min(high, right) + _ROUNDING:
                _align(line, across, low, high)
                line, low, high = [], float("-inf"), float("inf")
            line.append(bend)
            low, high = max(low, left), min(high, right)
        _align(line, across, low, high)


def _align(line: list[int], across: list[float], low: float, high: float) -> None:
    """Put the bends where most of them are, within these bounds."""
    middle = sorted(across[bend] for bend in line)[len(line) // 2] if line else 0.0
    for bend in line:
        across[bend] = min(max(middle, low), high)


def _settle(
    grid: _Grid,
    layer: list[int],
    across: list[float],
    breadth: list[float],
    gap: float,
    downwards: bool,
    last: bool,
) -> None:
    """Move one layer towards the mean of what it is tied to: on one side, in the end on both."""
    wanted, weight = [], []
    for each in layer:
        tied = grid.above[each] if downwards else grid.below[each]
        if last:
            tied = [*grid.above[each], *grid.below[each]]
        wanted.append(sum(across[other] for other in tied) / len(tied) if tied else across[each])
        weight.append(_weight(grid, each, tied))
    distance = [0.0]
    for one, other in pairwise(layer):
        distance.append(distance[-1] + (breadth[one] + breadth[other]) / 2 + gap)
    moved = _ascending([want - far for want, far in zip(wanted, distance, strict=True)], weight)
    for each, place, far in zip(layer, moved, distance, strict=True):
        across[each] = place + far


def _weight(grid: _Grid, each: int, tied: list[int]) -> float:
    """Long edges are to be straight; what is tied to nothing here goes where there is room."""
    if not tied:
        return 0.05
    if each < grid.steps:
        return 1.0
    return 40.0 if any(other >= grid.steps for other in tied) else 4.0


def _ascending(wanted: list[float], weight: list[float]) -> list[float]:
    """The ascending sequence nearest to `wanted` in weighted least squares."""
    pools: list[tuple[float, float, int]] = []
    for value, heavy in zip(wanted, weight, strict=True):
        pool = (value, heavy, 1)
        while pools and pools[-1][0] > pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            mean = (before[0] * before[1] + pool[0] * pool[1]) / total
            pool = (mean, total, before[2] + pool[2])
        pools.append(pool)
    return [value for value, _, count in pools for _ in range(count)]
