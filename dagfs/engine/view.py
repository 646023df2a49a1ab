"""A run as it really stands: its journal, whether an engine is at work, and what a dead one left behind.

Looking changes nothing on disk.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagfs.engine.capture import leavings, put_out
from dagfs.model.dag import Dag, Step
from dagfs.model.run import Run, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.model.value import field, frozen, replace
from dagfs.planning.outcome import Ending, judge, may_repeat
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow
from dagfs.store.owner import Owner, holder
from dagfs.store.record import NOT_BEGUN, Record, read
from dagfs.store.runs import RunStore


@frozen
class View:
    """A run seen by a reader."""

    run: Run
    """With the newest attempt's steps as they are now, not only as the journal has them."""
    owner: Owner | None = None
    """The engine that is at work on it."""
    orphans: Mapping[str, Record] = field(default_factory=dict)
    """Steps that go on although their engine is dead."""
    ended: Mapping[str, Record] = field(default_factory=dict)
    """Steps that ended, or were lost, after their engine died; that is not in the journal yet."""
    handlers: Mapping[str, Record] = field(default_factory=dict)
    """Handlers that go on although their engine is dead."""
    below: tuple[str, ...] = ()
    """Addresses of children in which something goes on although their engine is dead."""

    @property
    def state(self) -> RunState:
        return self.run.state


def view_run(store: RunStore, run_id: str, *, held: bool = False) -> View:
    """How a run stands now. `held`: the caller itself holds the run, so no engine is at work on it.

    Raises NotFound, Damaged, NewerFormat.
    """
    paths = store.paths(run_id)
    run = store.load(run_id)
    # What is at work on a family has done with a child that is over.
    is_left = held or (paths.family is not None and run.state is not RunState.RUNNING)
    owner = None if is_left else holder(paths)
    underway = [step for step in run.last.steps.values() if step.state.is_underway]
    waiting = [state for state in run.last.handlers.values() if state.state.is_underway]
    if owner is not None or (run.state.is_over and not underway and not waiting):
        return View(run, owner)
    dag = store.dag(run_id, run.last.n)
    steps, handlers = dict(run.last.steps), dict(run.last.handlers)
    orphans: dict[str, Record] = {}
    ended: dict[str, Record] = {}
    below: list[str] = []
    for step in underway:
        if dag.by_name[step.name].is_engine_work:
            found_below = _alive_below(store, run_id, step)
            below += found_below
            steps[step.name] = replace(step, reason=_why_open(found_below))
            continue
        folder = paths.attempt(step.log_attempt).step(step.name)
        record = read(folder.record(step.tries))
        steps[step.name] = found = _as_found(dag, folder, dag.by_name[step.name], step, record)
        if record is not None and record.is_running:
            orphans[step.name] = record
        elif record is not None and found.state.is_settled:
            ended[step.name] = record
    alive: dict[str, Record] = {}
    for state in waiting:
        folder = paths.attempt(state.log_attempt).handler(state.name)
        record = read(folder.record(state.tries))
        handlers[state.name] = _as_found(dag, folder, dag.handler_on[state.name], state, record)
        if record is not None and record.is_running:
            alive[state.name] = record
    still = run.state.is_over or run.state is RunState.WAITING
    state_now = run.state if still else RunState.INTERRUPTED
    last = replace(run.last, state=state_now, steps=steps, handlers=handlers)
    below += [each for state in waiting for each in _alive_below(store, run_id, state)]
    return View(replace(run, attempts=(*run.attempts[:-1], last)), None, orphans, ended, alive, tuple(below))


def _alive_below(store: RunStore, run_id: str, step: StepRun) -> list[str]:
    """The children of a step in which something goes on."""
    root, found = run_id.partition("/")[0], []
    for child in step.children.values():
        if child.state is RunState.RUNNING:
            view = view_run(store, f"{root}/{child.id}", held=True)
            found += [view.run.id] if view.orphans or view.handlers else []
            found += view.below
    return found


def _why_open(below: list[str]) -> str:
    """Why a step that the engine itself works on stands open."""
    if not below:
        return "its engine died"
    first = below[0].partition("/")[2]
    more = f" and {len(below) - 1} more" if len(below) > 1 else ""
    return f"its engine died; child {first}{more} still running"


def _as_found(dag: Dag, folder: StepPaths, step: Step, state: StepRun, record: Record | None) -> StepRun:
    """The state of a step or handler by its record, for one that the journal has under way."""
    if record is None or (record.exit and record.exit.cause == NOT_BEGUN):
        reason = "its engine died before it began"
        return replace(state, state=StepState.NOT_STARTED, reason=reason)
    if record.is_running or state.state is StepState.RETRYING:
        return state
    left = record.exit
    if may_repeat(step.repeat_policy, state.tries, ending(record)):
        reason = "its engine died before it was repeated"
        exit_code = left.exit_code if left else None
        return replace(state, state=StepState.RETRYING, reason=reason, exit_code=exit_code)
    ended, outputs = put_out(step, ending(record), leavings(dag, folder, state))
    outcome = judge(step, ended, _printed(folder, step, state))
    return replace(
        state,
        unrecorded=True,
        outputs=outputs,
        state=outcome.state,
        reason=outcome.reason,
        error=ended.error or None,
        tolerated=outcome.tolerated,
        exit_code=left.exit_code if left else None,
        signal=left.signal if left else None,
        finished=left.time if left else None,
    )


def ending(record: Record | None) -> Ending:
    """How a step's process ended, by its record."""
    if record is None or record.exit is None:
        return Ending(cause="lost")
    left = record.exit
    return Ending(left.exit_code, left.signal, left.cause or "", left.error or "")


def _printed(folder: StepPaths, step: Step, state: StepRun) -> str:
    """What the newest try printed, where the step's policies look at it."""
    if not step.continue_on.output:
        return ""
    return follow(folder.stdout, state.offsets[0]).decode(errors="replace")
