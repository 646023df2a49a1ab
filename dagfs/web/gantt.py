"""A timeline as SVG: along time all is in percent, so that it fits any screen; rows are of one height."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from dagfs.web.timeline import CUT, Row, Timeline

ROW = 26
"""Pixels of a row's height."""
_BAR = 12
_HEAD = 34
_CUT = 100 * CUT


def axis(chart: Timeline) -> Markup:
    """The head of the picture: attempts and times."""
    parts = [f'<svg class="axis" width="100%" height="{_HEAD}" aria-hidden="true">']
    for section in chart.sections:
        if section.title:
            parts.append(f'<text class="attempt" x="{section.start:g}%" dx="2" y="12">{section.title}</text>')
        for x, text in section.ticks:
            parts.append(f'<text class="tick" x="{x:g}%" dx="2" y="28">{escape(text)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def bars(chart: Timeline) -> Markup:
    """All rows, one below the other, with lines for the times and the cuts behind them."""
    height = ROW * len(chart.rows)
    count = len(chart.rows)
    label = f"Timeline of {count} step{'' if count == 1 else 's'}"
    parts = [f'<svg class="bars" width="100%" height="{height}" role="group" aria-label="{label}">']
    for place, section in enumerate(chart.sections):
        parts += [
            f'<line class="grid" x1="{x:g}%" x2="{x:g}%" y1="0" y2="{height}"/>' for x, _ in section.ticks
        ]
        if place:
            cut = section.start - _CUT
            parts.append(f'<rect class="cut" x="{cut:g}%" y="0" width="{_CUT:g}%" height="{height}"/>')
    for place, row in enumerate(chart.rows):
        parts += _row_svg(row, place * ROW)
    return Markup("".join([*parts, "</svg>"]))


def _row_svg(row: Row, top: int) -> list[str]:
    lane = row.lane
    y = top + (ROW - _BAR) / 2
    parts = [f'<g class="lane {_safe(lane.state)}{" kept" if lane.kept else ""}">']
    # The whole row can be clicked; the name beside it is the link for the keyboard.
    opened = f'<a href={quoteattr(lane.href)} tabindex="-1">' if lane.href else ""
    parts += [opened, f'<rect class="row" x="0" y="{top}" width="100%" height="{ROW}"/>']
    for bar in row.bars:
        earlier = " earlier" if bar.is_earlier else ""
        parts.append(
            f'<rect class="bar {_safe(bar.state)}{earlier}" x="{bar.start:g}%" y="{y:g}" '
            f'width="{bar.width:g}%" height="{_BAR}" rx="2"><title>{escape(bar.title)}</title></rect>'
        )
    if row.label:
        parts.append(_label(row, top))
    return [*parts, "</a>" if lane.href else "", "</g>"]


def _label(row: Row, top: int) -> str:
    """Behind the last bar where there is room, else before it."""
    y = top + ROW / 2 + 4
    mine = [bar for bar in row.bars if not bar.is_earlier]
    x, place = row.label_at, 'dx="6"'
    if row.label_at > 80:
        is_long = not mine or mine[0].start < 20
        x = row.label_at if is_long else mine[0].start
        place = f'dx="-6" text-anchor="end"{" data-over" if is_long else ""}'
    return f'<text class="took" x="{x:g}%" y="{y:g}" {place}>{escape(row.label)}</text>'


def _safe(state: str) -> str:
    return state if state.isidentifier() else "plain"
