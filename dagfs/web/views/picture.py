"""A run as a graph and as a timeline, with boxes and rows that lead to its steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dagfs.model.dag import Dag
from dagfs.model.run import Attempt, Run, StepRun
from dagfs.model.state import StepState
from dagfs.planning.picture import Sketch
from dagfs.web.gantt import axis, bars
from dagfs.web.graph import drawing
from dagfs.web.timeline import Lane, Timeline, in_order, timeline
from dagfs.web.views.course import Course, Whose
from dagfs.web.views.states import short
from dagfs.web.views.steps import Place, kept_words, label, reason_of

_MOST_ROWS = 2000


def usual(dag: Dag) -> str:
    """Which picture tells more: `graph`, or `timeline` where nothing depends on anything."""
    has_edges = any(step.depends for step in dag.steps)
    return "graph" if has_edges or len(dag.steps) < 3 else "timeline"


def graph_of(run: Run, attempt: Attempt, dag: Dag, place: Place, whose: Whose | None) -> Markup:
    """The graph in the colours of an attempt, with the step that is shown in full marked."""
    steps = {name: step for name, step in attempt.steps.items() if name in dag.depends}
    classes = {name: "kept" for name, step in steps.items() if step.kept or step.left}
    if whose is not None and whose[0] in steps:
        classes[whose[0]] = f"{classes.get(whose[0], '')} chosen".strip()
    sketch = Sketch(
        f"{run.header.dag} {run.id}",
        dag.depends,
        {name: str(step.state) for name, step in steps.items()},
        {step.name: _note(step.description, steps.get(step.name)) for step in dag.steps},
        words={name: short(step) for name, step in steps.items()},
        classes=classes,
        links={name: place.url(whose=(name, ""), anchor="detail") for name in steps},
        is_live=True,
    )
    return drawing(sketch, turn=place.turn)


def _note(description: str, step: StepRun | None) -> str:
    return "\n".join(word for word in (description, reason_of(step) if step else "") if word)


@dataclass(frozen=True, slots=True)
class Chart:
    """A timeline with its drawings."""

    chart: Timeline
    axis: Markup
    bars: Markup


def timeline_of(attempt: Attempt, courses: Sequence[Course], place: Place, end: str) -> Chart:
    """The timeline of an attempt, the last of `courses`, with those before it, as it stood at `end`."""
    lanes = [_lane((name, ""), step, place) for name, step in attempt.steps.items()]
    lanes += [_lane(("", event), step, place) for event, step in attempt.handlers.items()]
    chart = timeline(courses, in_order(lanes, courses[-1])[:_MOST_ROWS], end)
    return Chart(chart, axis(chart), bars(chart))


def _lane(whose: Whose, step: StepRun, place: Place) -> Lane:
    note = kept_words(step) or ("" if step.state is StepState.NOT_STARTED else step.state.replace("_", " "))
    link = place.url(whose=whose, anchor="detail")
    return Lane(whose, label(whose), str(step.state), step.kept, link, note)
