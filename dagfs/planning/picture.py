"""A graph as text in the languages of pictures: SVG, Graphviz dot, Mermaid. Nothing here reads or writes.

The SVG needs nothing from elsewhere: no font, script, style sheet or id. Colours are attributes, so that a
page's own style sheet stands above them, and states are written out, for colour alone tells not everybody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache

from dagfs.model.state import StepState
from dagfs.model.value import field, frozen
from dagfs.planning.arrangement import Arrangement, Edge, Placed, arrange

_FONT = "ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
_SIZE = 13.0
_LINE = 16.0
_WIDEST = 190.0
"""Pixels of a line of a name; longer names go on in a second one."""
_MOST_LINES = 3
_ROOM = 88.0
"""Pixels for the words below a name, in a picture that is to keep its shape while they change."""
_PADDING = 12.0
_INK, _LINES, _GROUND = "#1f2933", "#9aa5b1", "#ffffff"
_COLOURS: Mapping[str, tuple[str, str]] = {
    StepState.SUCCEEDED: ("#e6f4ea", "#1a7f37"),
    StepState.PARTIALLY_SUCCEEDED: ("#fff8e1", "#9a6700"),
    StepState.FAILED: ("#ffebe9", "#c62828"),
    StepState.LOST: ("#ffebe9", "#c62828"),
    StepState.REJECTED: ("#ffebe9", "#c62828"),
    StepState.ABORTED: ("#fff1e5", "#b3541e"),
    StepState.RUNNING: ("#e3f2fd", "#0b63b5"),
    StepState.RETRYING: ("#e3f2fd", "#0b63b5"),
    StepState.WAITING: ("#f3e8fd", "#7a3ea8"),
    StepState.QUEUED: ("#f3e8fd", "#7a3ea8"),
    StepState.SKIPPED: ("#f5f7fa", "#616e7c"),
    StepState.UPSTREAM_FAILED: ("#f5f7fa", "#616e7c"),
    StepState.NOT_STARTED: ("#ffffff", "#697586"),
}
"""Fill and edge of a step's box by its state."""
_PLAIN = ("#f0f4f8", "#627d98")
_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'()[]{}/ -\"`"), frozenset("mwMW@%")


@frozen
class Sketch:
    """What is to be seen: a graph, and how each step stands where it is that of a run."""

    title: str
    depends: Mapping[str, Collection[str]]
    states: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    """A few more words on a step, shown when one points at it."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands below a step's name in place of its state: a word or two."""
    classes: Mapping[str, str] = field(default_factory=dict)
    """More classes for a step's box, for the style sheet of a page: `kept`, `chosen`."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Where a click on a step's box leads."""
    is_live: bool = False
    """It is part of a page: boxes say which step they are (`data-step`), and keep their size whatever the
    words below their names."""


# -- SVG -----------------------------------------------------------------------------------------


def svg(sketch: Sketch, *, down: bool | None = None) -> str:
    """The graph as an SVG document; `down` as in `arrange`."""
    return draw(sketch, plan_picture(sketch, down=down))


def plan_picture(sketch: Sketch, *, down: bool | None = None) -> Arrangement:
    """Where everything in the picture goes."""
    return arrange(sketch.depends, {name: box_size(name, sketch) for name in sketch.depends}, down=down)


def draw(sketch: Sketch, plan: Arrangement) -> str:
    """An arrangement of the sketch as SVG."""
    width, height = max(plan.width, 60), max(plan.height, 40)
    # What is an image has nothing in it that can be reached.
    role = "group" if sketch.is_live else "img"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="{role}" aria-label="{_xml(_told(sketch))}" '
        f'font-family="{_FONT}" font-size="{_SIZE:g}">',
        f"<title>{_xml(sketch.title)}</title>",
        f'<rect class="ground" width="100%" height="100%" fill="{_GROUND}"/>',
        f'<g class="edges" fill="none" stroke="{_LINES}" stroke-width="1.4">',
        *(_path(edge, plan.down) for edge in plan.edges),
        "</g>",
        f'<g class="arrows" fill="{_LINES}">',
        *dict.fromkeys(_arrow(edge, plan.down) for edge in plan.edges),
        "</g>",
        *(line for box in plan.boxes for line in _box(box, sketch)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _told(sketch: Sketch) -> str:
    """The picture in words, for those who do not see it."""
    count = len(sketch.depends)
    words = f"{sketch.title}: {count} step{'' if count == 1 else 's'}"
    tally: dict[str, int] = {}
    for state in sketch.states.values():
        tally[state] = tally.get(state, 0) + 1
    return ", ".join([words, *(f"{number} {state}" for state, number in tally.items())])


def _box(box: Placed, sketch: Sketch) -> Iterator[str]:
    state = sketch.states.get(box.name, "")
    fill, edge = _COLOURS.get(state, _PLAIN)
    dash = ' stroke-dasharray="4 3"' if state in (StepState.NOT_STARTED, StepState.UPSTREAM_FAILED) else ""
    said = _word(box.name, sketch)
    yield _opening(box.name, sketch)
    yield (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.4"{dash}/>'
    )
    y = box.y + _PADDING / 2 + _SIZE
    for line in wrapped(box.name):
        yield f'<text x="{box.x + _PADDING:.1f}" y="{y:.1f}" fill="{_INK}">{_xml(line)}</text>'
        y += _LINE
    if said:
        place = f'x="{box.x + _PADDING:.1f}" y="{y - 1:.1f}"'
        yield f'<text {place} class="word" font-size="11" fill="{edge}">{_xml(said)}</text>'
    yield "</a></g>" if box.name in sketch.links else "</g>"


def _opening(name: str, sketch: Sketch) -> str:
    """How a step's box begins: what it is, for those who point at it, click it or style it."""
    state = sketch.states.get(name, "")
    classes = " ".join(word for word in ("step", state or "plain", sketch.classes.get(name, "")) if word)
    parents = _few(list(dict.fromkeys(sketch.depends[name])))
    told = [name + (f": {state}" if state else ""), sketch.notes.get(name, "")]
    told += [f"after {parents}"] if parents else []
    whose = f' data-step="{_xml(name)}"' if sketch.is_live else ""
    link = f'<a href="{_xml(sketch.links[name])}">' if name in sketch.links else ""
    title = _xml("\n".join(word for word in told if word))
    return f'<g class="{_xml(classes)}"{whose}>{link}<title>{title}</title>'


def _word(name: str, sketch: Sketch) -> str:
    """What stands below a step's name."""
    return sketch.words.get(name) or sketch.states.get(name, "").replace("_", " ")


def _few(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _path(edge: Edge, down: bool) -> str:
    """A smooth line: curves between layers, straight past them."""
    points = [*edge.points[:-1], _before_tip(edge.points[-1], down)]
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for index, (x, y) in enumerate(points[1:], 1):
        px, py = points[index - 1]
        if index % 2 == 0:
            parts.append(f"L{x:.1f},{y:.1f}")
            continue
        half = (y - py) / 2 if down else (x - px) / 2
        a, b = ((px, py + half), (x, y - half)) if down else ((px + half, py), (x - half, y))
        parts.append(f"C{a[0]:.1f},{a[1]:.1f} {b[0]:.1f},{b[1]:.1f} {x:.1f},{y:.1f}")
    return f'<path d="{"".join(parts)}"/>'


def _before_tip(point: tuple[float, float], down: bool) -> tuple[float, float]:
    x, y = point
    return (x, y - 6) if down else (x - 6, y)


def _arrow(edge: Edge, down: bool) -> str:
    x, y = edge.points[-1]
    corners = [(x, y), (x - 4, y - 8), (x + 4, y - 8)] if down else [(x, y), (x - 8, y - 4), (x - 8, y + 4)]
    return f'<path d="M{"L".join(f"{a:.1f},{b:.1f}" for a, b in corners)}Z"/>'


def _xml(text: str) -> str:
    """Text for XML; what XML cannot hold becomes U+FFFD."""
    safe = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        safe = safe.replace(char, entity)
    return safe


# -- text in boxes -------------------------------------------------------------------------------


def box_size(name: str, sketch: Sketch) -> tuple[float, float]:
    """Width and height of a step's box."""
    lines = wrapped(name)
    said = _word(name, sketch)
    below = _ROOM if sketch.is_live else text_width(said) * 11 / _SIZE
    width = max([text_width(line) for line in lines] + [below])
    return max(width, 34) + 2 * _PADDING, _PADDING + _LINE * (len(lines) + bool(said))


def text_width(text: str) -> float:
    """About how wide a text is, in pixels; rather too much than too little."""
    return sum(map(_advance, text)) * _SIZE


@lru_cache(maxsize=4096)
def _advance(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in _NARROW:
        return 0.4
    return 0.95 if char in _WIDE else 0.72 if char.isupper() else 0.64


def wrapped(name: str) -> list[str]:
    """A name in lines that fit a box, broken after a space or sign where there is one; never empty."""
    lines: list[str] = []
    rest = name
    while text_width(rest) > _WIDEST and len(lines) < _MOST_LINES - 1:
        cut = _fitting(rest)
        signs = [at.end() for at in re.finditer(r"[\s_./:-]", rest[:cut])]
        # A break too early would leave a ragged stub.
        cut = signs[-1] if signs and signs[-1] > cut * 0.5 else cut
        lines.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    if text_width(rest) > _WIDEST:
        rest = rest[: _fitting(rest) - 1] + "…"
    return [*lines, rest]


def _fitting(text: str) -> int:
    """How many characters fit into one line; at least one."""
    used = 0.0
    for place, char in enumerate(text):
        used += _advance(char) * _SIZE
        if used > _WIDEST:
            return max(place, 1)
    return len(text)


# -- other languages -----------------------------------------------------------------------------


def dot(sketch: Sketch, *, down: bool | None = None) -> str:
    """The graph for Graphviz."""
    ids = _ids(sketch.depends)
    lines = [
        f"digraph {_quoted(sketch.title)} {{",
        f"  rankdir={'TB' if down else 'LR'};",
        '  node [shape=box, style="rounded,filled", fillcolor="#f0f4f8", color="#627d98"];',
    ]
    for name, word in ids.items():
        state = sketch.states.get(name, "")
        fill, edge = _COLOURS.get(state, _PLAIN)
        label = _quoted(name, *([state] if state else []))
        lines.append(f'  {word} [label={label}, fillcolor="{fill}", color="{edge}"];')
    lines += [f"  {source} -> {target};" for source, target in _edges(sketch.depends, ids)]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(*lines: str) -> str:
    """Lines as one text of dot, where a backslash begins an escape."""
    safe = (re.sub(r'(["\\])', r"\\\1", re.sub(r"[\x00-\x1f]", "\ufffd", line)) for line in lines)
    return '"' + "\\n".join(safe) + '"'


def mermaid(sketch: Sketch, *, down: bool | None = None) -> str:
    """The graph for Mermaid."""
    ids = _ids(sketch.depends)
    lines = [f"flowchart {'TD' if down else 'LR'}"]
    for name, word in ids.items():
        state = sketch.states.get(name, "")
        label = _coded(name) + (f"<br/>{_coded(state)}" if state else "")
        lines.append(f'  {word}["{label}"]' + (f":::{state}" if state else ""))
    lines += [f"  {source} --> {target}" for source, target in _edges(sketch.depends, ids)]
    for state in dict.fromkeys(sketch.states.values()):
        fill, edge = _COLOURS.get(state, _PLAIN)
        lines.append(f"  classDef {state} fill:{fill},stroke:{edge},color:{_INK}")
    return "\n".join(lines) + "\n"


def _coded(text: str) -> str:
    """Text for Mermaid, where anything but letters and digits may mean something."""
    return "".join(char if char.isalnum() or char in " _-." else f"#{ord(char)};" for char in text)


def _ids(names: Iterable[str]) -> dict[str, str]:
    """A word of its own for each name: names may be words of the language."""
    return {name: f"s{number}" for number, name in enumerate(names, 1)}


def _edges(depends: Mapping[str, Collection[str]], ids: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, parents in depends.items():
        yield from ((ids[parent], ids[name]) for parent in dict.fromkeys(parents) if parent in ids)
