"""What an engine that takes over a run does about the one that died: its processes and its open ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dagfs.engine.bootstrap import Engine
from dagfs.engine.capture import (
    earliest_change,
    read_manifest,
    write_manifest,
    write_outputs,
)
from dagfs.engine.conditions import CONDITIONS, DAG_PRECONDITION
from dagfs.engine.moment import seconds
from dagfs.engine.proposal import Proposal
from dagfs.engine.tree import kill_by_token, stop_shim
from dagfs.engine.view import View, view_run
from dagfs.engine.workplace import try_token
from dagfs.errors import DagfsError, Refused
from dagfs.model import event as ev
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.store.journal import JournalWriter
from dagfs.store.layout import AttemptPaths, RunPaths, StepPaths
from dagfs.store.process import is_alive
from dagfs.store.record import Record, read
from dagfs.store.runs import Claim

_PATIENCE_SEC = 30.0


def end_orphans(paths: RunPaths, view: View, *, kill: bool) -> None:
    """End what must not go on: all orphans with `kill`, and in any case the remains of lost steps.

    Refused while a handler goes on, unless it is to be killed.
    """
    for event, record in view.handlers.items():
        if not kill:
            raise Refused(
                f"the {event} handler of attempt {view.run.last.n} is still running",
                hint=f"wait for its end, or end it with `dagfs stop {view.run.id}` or --kill-orphans",
            )
        end_orphan(f"the {event} handler", record)
    if kill:
        for name, record in view.orphans.items():
            end_orphan(f"step {name!r}", record)
    for record in live_conditions(paths.attempt(view.run.last.n), view):
        # It will be asked again, by the step that runs then.
        end_orphan("a condition", record)
    for token in lost_tokens(paths, view):
        kill_by_token(token)


def lost_tokens(paths: RunPaths, view: View) -> Iterator[str]:
    """What names the processes that steps may have left whose shims were killed."""
    for step in view.run.last.steps.values():
        # One that has not begun by its record may have lost that with its whole folder.
        if step.state in (StepState.LOST, StepState.NOT_STARTED) and step.log_attempt:
            yield try_token(view.run.id, paths.attempt(step.log_attempt).step(step.name), step.tries)


def end_orphans_of_children(engine: Engine, proposal: Proposal) -> None:
    """End what goes on in children that will not simply go on, or refuse where that was not asked for."""
    plan, view = proposal.plan, proposal.view
    if view.state is not RunState.INTERRUPTED:
        return
    goes_on = set(proposal.children)
    for address in engine.home.store.children(view.run.id.partition("/")[0]):
        name = address.partition("/")[2]
        child = view_run(engine.home.store, address, held=True)
        if plan.answers.kill_orphans:
            end_orphans(engine.home.store.paths(address), child, kill=True)
        elif child.orphans and name not in goes_on:
            raise Refused(
                f"step {next(iter(child.orphans))!r} of child {name} is still running, and would be repeated",
                hint="wait until it has ended, or end it with --kill-orphans",
            )


def live_conditions(attempt: AttemptPaths, view: View) -> Iterator[Record]:
    """Conditions that are still being looked at, although nobody waits for the answer."""
    unfinished = [
        attempt.step(step.name) for step in view.run.last.steps.values() if not step.state.is_settled
    ]
    handlers = [attempt.handler(name) for name in (DAG_PRECONDITION, *view.run.last.handlers)]
    for folder in (*unfinished, *handlers):
        try:
            names = os.listdir(folder.root / CONDITIONS)
        except OSError:
            continue
        for name in names:
            record = read(StepPaths(folder.root / CONDITIONS / name).record(1))
            if record is not None and record.is_running:
                yield record


def end_orphan(what: str, record: Record) -> None:
    """Kill an orphaned process and wait until its whole tree is gone."""
    shim = record.shim
    if shim is None:
        return
    stop_shim(shim, kill=True)
    deadline = time.monotonic() + _PATIENCE_SEC
    while is_alive(shim):
        if time.monotonic() > deadline:
            raise Refused(
                f"{what} cannot be killed: process {shim.pid} is still there",
                hint="it may hang in the kernel; look at it with `ps`",
            )
        time.sleep(0.01)


def close_attempt(engine: Engine, claim: Claim, view: View) -> Attempt:
    """Write the ends that a dead engine could not into the newest attempt, which is then over.

    Done again after a crash in the middle, it writes only what is still missing.
    """
    recorded = engine.home.store.load(view.run.id).last
    if recorded.state.is_over and not view.ended:
        return recorded
    journal = claim.journal(recorded.n)
    try:
        for name in view.ended:
            _record_end(engine, claim, journal, view, name)
        if not recorded.state.is_over and recorded.state is not RunState.WAITING:
            for event, state in view.run.last.handlers.items():
                if state.unrecorded:
                    _record_handler(journal, event, state)
            journal.append(
                ev.ATTEMPT_FINISHED,
                {"state": RunState.INTERRUPTED, "reason": "its engine died"},
                durable=True,
            )
        journal.commit()
    finally:
        journal.close()
    document = engine.home.store.document(view.run.id, complete=False)
    claim.write_status(recorded.n, document)
    return engine.home.store.load(view.run.id).last


def _record_end(engine: Engine, claim: Claim, journal: JournalWriter, view: View, name: str) -> None:
    """One step that ended on its own: its outputs, its manifest, and the event."""
    step: StepRun = view.run.last.steps[name]
    dag = engine.home.store.dag(view.run.id, view.run.last.n)
    disk = engine.home.disk
    logs = claim.paths.attempt(step.log_attempt).step(name)
    own = claim.paths.attempt(view.run.last.n).step(name)
    # An attempt that only adopted the step has no folder for it yet.
    for folder in (own.root.parent, own.root):
        disk.make_dir(folder)
    data = {
        "step": name,
        "state": step.state,
        "reason": step.reason,
        "try": step.tries,
        "exit_code": step.exit_code,
        "signal": step.signal,
    }
    data |= {"error": step.error} if step.error else {}
    sha256 = write_outputs(disk, own, step.outputs)
    data |= {"outputs": dict(step.outputs), "outputs_sha256": sha256} if step.outputs else {}
    began = earliest_change(seconds(step.started) or time.time())
    inputs = _announced(logs) if dag.by_name[name].inputs.files else None
    write_manifest(disk, own, logs.artifacts, claim.paths.work, began, strict=False, inputs=inputs)
    data |= {"tolerated": True} if step.tolerated else {}
    journal.append(ev.STEP_FINISHED, data, durable=True)


def _announced(logs: StepPaths) -> Mapping[str, Any] | None:
    """The files that a step was started with; where its working directory was, nobody knows any more."""
    try:
        found: Mapping[str, Any] | None = read_manifest(logs).get("inputs")
    except DagfsError:
        return None
    return found


def _record_handler(journal: JournalWriter, event: str, state: StepRun) -> None:
    """A handler that ended on its own. What it put out has nobody to read it any more."""
    data = {"handler": event, "state": state.state, "reason": state.reason, "try": state.tries}
    journal.append(
        ev.HANDLER_FINISHED, {**data, "exit_code": state.exit_code, "signal": state.signal}, durable=True
    )
