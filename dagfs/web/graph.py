"""The picture of a graph as a part of a page: boxes that can be clicked, in the page's own colours."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup

from dagfs.planning.arrangement import Arrangement, arrange
from dagfs.planning.picture import Sketch, box_size, draw

_Shape = tuple[tuple[str, tuple[str, ...]], ...]
_Sizes = tuple[tuple[float, float], ...]
DIRECTIONS = {"right": False, "down": True}
"""What `?turn=` may say, to where layers follow each other."""


_PANEL = 1240.0, 420.0
"""Width and height of a panel on a usual screen, in pixels."""
_LARGE = 150
"""More steps are arranged in one direction only, for it takes a while."""


def drawing(sketch: Sketch, *, turn: str = "") -> Markup:
    """The graph as SVG for a page; `turn` is one of DIRECTIONS, anything else leaves it to the graph.

    The arrangement is remembered: steps that change their state do not move.
    """
    shape = tuple((name, tuple(parents)) for name, parents in sketch.depends.items())
    sizes = tuple(box_size(name, sketch) for name in sketch.depends)
    # Everything in it that a user wrote has been escaped by `draw`.
    return Markup(draw(sketch, _fitting(shape, sizes, turn)))


def _fitting(shape: _Shape, sizes: _Sizes, turn: str) -> Arrangement:
    """In the direction that was asked for, else in the one that a panel shows larger."""
    if turn in DIRECTIONS:
        return _arranged(shape, sizes, DIRECTIONS[turn])
    if len(shape) > _LARGE:
        return _arranged(shape, sizes, None)
    right = _arranged(shape, sizes, False)
    if _scale(right) >= 1:
        return right
    return max(right, _arranged(shape, sizes, True), key=_scale)


def _scale(plan: Arrangement) -> float:
    """How large a panel can show it."""
    return min(1.0, _PANEL[0] / max(plan.width, 1), _PANEL[1] / max(plan.height, 1))


@lru_cache(maxsize=24)
def _arranged(shape: _Shape, sizes: _Sizes, down: bool | None) -> Arrangement:
    return arrange(dict(shape), dict(zip((name for name, _ in shape), sizes, strict=True)), down=down)
