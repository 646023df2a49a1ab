"""A run as it really stands: its journal, whether an engine is at work, and what a dead one left behind.

Looking changes nothing on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dagfs.engine.capture import OutputRefused, collect_outputs
from dagfs.model.dag import Dag, Step
from dagfs.model.run import Run, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.outcome import Ending, judge
from dagfs.store.layout import RunPaths
from dagfs.store.logs import follow
from dagfs.store.owner import Owner, holder
from dagfs.store.record import NOT_BEGUN, Record, read
from dagfs.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class View:
    """A run seen by a reader."""

    run: Run
    """With the newest attempt's steps as they are now, not only as the journal has them."""
    owner: Owner | None = None
    """The engine that is at work on it."""
    orphans: Mapping[str, Record] = field(default_factory=dict)
    """Steps that go on although their engine is dead."""
    ended: Mapping[str, Record] = field(default_factory=dict)
    """Steps that ended after their engine died; their end is not in the journal yet."""

    @property
    def state(self) -> RunState:
        return self.run.state


def view_run(store: RunStore, run_id: str, *, held: bool = False) -> View:
    """How a run stands now. `held`: the caller itself holds the run, so no engine is at work on it.

    Raises NotFound, Damaged, NewerFormat.
    """
    paths = store.paths(run_id)
    owner = None if held else holder(paths)
    run = store.load(run_id)
    underway = [step for step in run.last.steps.values() if step.state.is_underway]
    if owner is not None or (run.state.is_over and not underway):
        return View(run, owner)
    dag = store.dag(run_id, run.last.n)
    steps = dict(run.last.steps)
    orphans: dict[str, Record] = {}
    ended: dict[str, Record] = {}
    for step in underway:
        record = read(_record(paths, step))
        steps[step.name] = _as_found(paths, dag, step, record)
        if record is not None and record.is_running:
            orphans[step.name] = record
        elif record is not None and record.exit is not None and steps[step.name].state.is_settled:
            ended[step.name] = record
    state = run.state if run.state.is_over else RunState.INTERRUPTED
    last = replace(run.last, state=state, steps=steps)
    return View(replace(run, attempts=(*run.attempts[:-1], last)), None, orphans, ended)


def _record(paths: RunPaths, step: StepRun) -> str:
    return str(paths.attempt(step.log_attempt).step(step.name).record(step.tries))


def _as_found(paths: RunPaths, dag: Dag, step: StepRun, record: Record | None) -> StepRun:
    """The step's state by its record, for one that the journal has under way."""
    if record is None or (record.exit and record.exit.cause == NOT_BEGUN):
        reason = "its engine died before it began"
        return replace(step, state=StepState.NOT_STARTED, reason=reason)
    if record.is_running or step.state is StepState.RETRYING:
        return step
    outcome = judge(dag.by_name[step.name], ending(record), printed(paths, dag.by_name[step.name], step))
    left = record.exit
    return replace(
        step,
        unrecorded=True,
        outputs=_outputs(paths, dag.by_name[step.name], step),
        state=outcome.state,
        reason=outcome.reason,
        tolerated=outcome.tolerated,
        exit_code=left.exit_code if left else None,
        signal=left.signal if left else None,
        finished=left.time if left else None,
    )


def _outputs(paths: RunPaths, step: Step, state: StepRun) -> dict[str, str]:
    folder = paths.attempt(state.log_attempt).step(step.name)
    try:
        return collect_outputs(step, folder, state.offsets[0], folder.output_file(state.tries))
    except OutputRefused:
        return {}


def ending(record: Record | None) -> Ending:
    """How a step's process ended, by its record."""
    if record is None or record.exit is None:
        return Ending(cause="lost")
    left = record.exit
    return Ending(left.exit_code, left.signal, left.cause or "", left.error or "")


def printed(paths: RunPaths, step: Step, state: StepRun) -> str:
    """What the newest try printed, where the step's policies look at it."""
    if not step.continue_on.output:
        return ""
    log = paths.attempt(state.log_attempt).step(step.name).stdout
    return follow(log, state.offsets[0]).decode(errors="replace")
