"""What a picture of a DAG, or of a run, is drawn from, and the same as data: `dagfs graph --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.engine.view import view_run
from dagfs.model.dag import Dag
from dagfs.model.run import StepRun
from dagfs.model.state import RunState
from dagfs.model.value import field, frozen
from dagfs.planning.picture import Sketch, plan_picture
from dagfs.store.runs import RunStore


@frozen
class Subject:
    """What is to be drawn: a DAG, or a run of it."""

    title: str
    dag: Dag
    run: str = ""
    state: RunState | None = None
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    handlers: Mapping[str, StepRun] = field(default_factory=dict)


def subject_of_run(store: RunStore, run_id: str) -> Subject:
    """A run as it stands now. NotFound, Damaged, NewerFormat."""
    view = view_run(store, run_id)
    last = view.run.last
    title = f"{view.run.header.dag} {run_id}"
    return Subject(title, store.dag(run_id, last.n), run_id, view.state, last.steps, last.handlers)


def sketch_of(subject: Subject) -> Sketch:
    """The graph, with the state of each step and a word on it."""
    return Sketch(
        subject.title,
        subject.dag.depends,
        {name: str(step.state) for name, step in subject.steps.items() if name in subject.dag.depends},
        {step.name: _note(subject, step.name, step.description) for step in subject.dag.steps},
    )


def _note(subject: Subject, name: str, description: str) -> str:
    state = subject.steps.get(name)
    return "\n".join(word for word in (description, state.reason if state else "") if word)


def graph_data(subject: Subject, *, down: bool | None = None) -> dict[str, Any]:
    """Steps, edges and the places of both in a picture; `down` as in `arrange`."""
    sketch = sketch_of(subject)
    plan = plan_picture(sketch, down=down)
    return {
        "dag": subject.dag.name,
        "run": subject.run or None,
        "state": subject.state,
        "direction": "down" if plan.down else "right",
        "width": round(plan.width, 1),
        "height": round(plan.height, 1),
        "nodes": [
            {
                "name": box.name,
                "layer": box.layer,
                "state": sketch.states.get(box.name),
                "depends": list(subject.dag.depends[box.name]),
                "x": round(box.x, 1),
                "y": round(box.y, 1),
                "width": round(box.width, 1),
                "height": round(box.height, 1),
            }
            for box in plan.boxes
        ],
        "edges": [{"from": edge.source, "to": edge.target} for edge in plan.edges],
        "handlers": {
            event: {
                "name": step.name,
                "state": str(ran.state) if (ran := subject.handlers.get(event)) else None,
            }
            for event, step in subject.dag.handler_on.items()
        },
    }
