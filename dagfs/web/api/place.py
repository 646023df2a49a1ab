"""What a call is about: runs, DAG files and steps, checked before anything is looked for on disk."""

from __future__ import annotations

from pathlib import Path

from dagfs.engine.finding import find_dag_inside
from dagfs.engine.view import View
from dagfs.errors import NotFound
from dagfs.model.run import Attempt
from dagfs.store.layout import RunPaths, StepPaths
from dagfs.web.address import found_run
from dagfs.web.api.operation import Call, Parameter
from dagfs.web.api.shapes import ADDRESS, TEXT, WHOLE
from dagfs.web.looks import Look, looks_of

RUN = Parameter(
    "run",
    "The id of a run, or ROOT/CHILD.",
    {"type": "string", "pattern": ADDRESS},
    "path",
    required=True,
    example="20261121-022842-nightly-import-k3f9",
)
DAG = Parameter(
    "dag",
    "A DAG's file below dags/, without its ending; where only one has it, its last part alone.",
    {"type": "string", "minLength": 1, "maxLength": 1000},
    "path",
    required=True,
    example="nightly-import",
)
ATTEMPT = Parameter(
    "attempt", "Of that attempt, in place of the newest.", {**WHOLE, "minimum": 1, "maximum": 10**9}
)
STEP = Parameter("step", "A step's name; `on:exit` and such for a handler.", TEXT)
LIMIT = Parameter("limit", "At most so many.", {**WHOLE, "minimum": 1, "maximum": 1000, "default": 100})


def run_of(call: Call) -> str:
    """The run of a call's address. NotFound unless it is there."""
    return found_run(call.site.home.paths, str(call["run"]), "GET /api/v1/runs lists them")


def look_of(call: Call) -> Look:
    """How the run of a call stands. NotFound, Damaged, NewerFormat."""
    return looks_of(call.request).at(run_of(call))


def view_of(call: Call) -> View:
    """The same, as the engine sees it."""
    return look_of(call).view


def dag_of(call: Call, name: str = "") -> Path:
    """The DAG file of a call's address, or of that name. NotFound, UsageError."""
    return find_dag_inside(call.site.home, name or str(call["dag"]))


def attempt_of(call: Call, view: View) -> Attempt:
    """The attempt that a call asks for. NotFound."""
    wanted = call["attempt"]
    for each in view.run.attempts:
        if wanted in (None, each.n) and (wanted or each is view.run.last):
            return each
    raise NotFound(f"run {view.run.id} has no attempt {wanted}", hint=f"it has {len(view.run.attempts)}")


def folder_of(paths: RunPaths, attempt: Attempt, name: str) -> StepPaths:
    """Where a step, or a handler as `on:EVENT`, of an attempt has its logs and artifacts. NotFound."""
    step = attempt.steps.get(name)
    if step is not None:
        return paths.attempt(step.log_attempt or attempt.n).step(name)
    event = name.removeprefix("on:")
    if name.startswith("on:") and event in attempt.handlers:
        return paths.attempt(attempt.n).handler(event)
    known = [*attempt.steps, *(f"on:{each}" for each in attempt.handlers)]
    raise NotFound(f"there is no step {name[:200]!r}", hint=f"it has {', '.join(known[:20])}")
