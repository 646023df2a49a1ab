"""Marks a step by hand: who says that it stands so, when and why goes into the journal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dagfs.engine.bootstrap import Engine
from dagfs.engine.capture import LARGEST_OUTPUT, encode_outputs
from dagfs.engine.location import current_actor, new_token
from dagfs.engine.operations import own
from dagfs.engine.recovery import close_attempt, end_orphans
from dagfs.engine.remains import end_elsewhere
from dagfs.engine.view import view_run
from dagfs.errors import Busy, NotFound, NothingToDo, Refused, UsageError
from dagfs.model import event as ev
from dagfs.model.dag import Dag
from dagfs.model.event import Event
from dagfs.model.fold import Fold
from dagfs.model.run import MARKABLE, Actor, Attempt, Marking, RunHeader, StepRun
from dagfs.model.spelling import get_close_matches
from dagfs.model.state import RunState, StepState
from dagfs.planning.marks import missing_outputs, used_otherwise
from dagfs.store.journal import JournalWriter
from dagfs.store.runs import Claim

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def mark_step(
    engine: Engine,
    run_id: str,
    word: str,
    state: StepState,
    why: str,
    *,
    outputs: Mapping[str, str] | None = None,
    actor: Actor | None = None,
) -> Marking:
    """Say how a step stands; the next retry goes by that. `word` is the step's name or id.

    Raises Busy while anything of the run is at work, NotFound, UsageError, Refused where outputs are
    missing, NothingToDo where the step stands so already, StoreError.
    """
    given = _checked(state, why, outputs or {})
    with engine.home.store.claim(run_id, own(0, new_token())) as claim:
        view = view_run(engine.home.store, run_id, held=True)
        if view.orphans:
            raise Busy(
                f"step {next(iter(view.orphans))!r} of run {run_id} is still running; its engine is dead",
                hint=f"`dagfs stop {run_id}` ends it, `dagfs retry {run_id}` takes it over",
            )
        if view.state is RunState.WAITING:
            raise Refused(
                f"run {run_id} waits for an approval: none of its steps can be marked now",
                hint=f"`dagfs approve {run_id}` or reject it, or `dagfs stop {run_id}` first",
            )
        dag = engine.home.store.dag(run_id, view.run.last.n)
        name = _step(dag, run_id, word)
        all_outputs = _outputs(dag, view.run.last, name, state, given)
        end_orphans(claim.paths, view, kill=False)
        others = view.run.last.steps.keys() - {name}
        end_elsewhere(engine.home.disk, claim.paths, view.run, but=others)
        recorded = close_attempt(engine, claim, view)
        data = {
            "step": name,
            "state": state,
            "was": view.run.last.steps[name].state,
            "reason": why.strip(),
            "actor": (actor or current_actor()).as_data(),
            **_kept(engine, claim, recorded, name, all_outputs),
        }
        _commit(engine, claim, recorded, view.run.header, data)
        claim.write_status(recorded.n, engine.home.store.document(run_id, complete=False))
        marking = engine.home.store.load(run_id).last.markings[-1]
        if state is StepState.FAILED:
            _mark_parents(engine, claim, view.run.header, marking)
        return marking


def _mark_parents(engine: Engine, claim: Claim, run: RunHeader, marking: Marking) -> None:
    """Where a child is not done after all, its step is not, and so on up to the root: a retry goes down.

    Where a crash leaves one out, mark that parent's step by hand.
    """
    store, why = engine.home.store, f"{marking.step} of {run.id.partition('/')[2]}: {marking.reason}"
    while run.step and run.parent:
        parent = store.load(run.parent)
        step, above = parent.last.steps.get(run.step), claim.of(store.paths(parent.id))
        if step is not None and step.state.is_success and parent.state.is_over:
            data = {"step": step.name, "state": StepState.FAILED, "was": step.state, "reason": why}
            _commit(engine, above, parent.last, parent.header, {**data, "actor": marking.actor.as_data()})
            above.write_status(parent.last.n, store.document(parent.id, complete=False))
        run = parent.header


def _checked(state: StepState, why: str, outputs: Mapping[str, str]) -> Mapping[str, str]:
    """What does not depend on the run."""
    if state not in MARKABLE:
        raise UsageError(f"a step is marked {', '.join(MARKABLE[:-1])} or {MARKABLE[-1]}, not {state}")
    if not why.strip():
        raise UsageError("marking a step needs a reason", hint="add -m 'why'")
    if outputs and state is not StepState.SUCCEEDED:
        raise UsageError(f"a step marked {state} has no outputs", hint="leave --output out")
    for name, value in outputs.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise UsageError(f"{name!r} cannot be an output", hint="write --output NAME=VALUE")
    if sum(len(value.encode(errors="surrogateescape")) for value in outputs.values()) > LARGEST_OUTPUT:
        raise UsageError(f"the outputs are larger than {LARGEST_OUTPUT} bytes")
    return outputs


def _step(dag: Dag, run_id: str, word: str) -> str:
    if word in dag.names:
        return dag.names[word]
    near = get_close_matches(word, dag.names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(dag.by_name)}"
    raise NotFound(f"run {run_id} has no step {word!r}", hint=hint)


def _outputs(
    dag: Dag, attempt: Attempt, name: str, state: StepState, given: Mapping[str, str]
) -> Mapping[str, str] | None:
    """The outputs to write with the marking; None where those on record stand. Raises what refuses it."""
    step = attempt.steps[name]
    outputs = {**step.outputs, **given}
    changes = outputs != dict(step.outputs)
    if step.state is state and not changes:
        raise NothingToDo(f"step {name!r} is {state} already")
    if state is not StepState.SUCCEEDED:
        return None
    if missing := missing_outputs(dag, attempt, name, {**_done(step), **given}):
        needs = ", ".join(f"{output} (for step {user!r})" for output, user in missing.items())
        options = " ".join(f"--output {output}=…" for output in missing)
        raise Refused(f"step {name!r} cannot be marked succeeded without {needs}", hint=f"give {options}")
    if used := used_otherwise(dag, attempt, name, given, attempt.header.shell):
        raise Refused(
            f"step {used[1]!r} has finished with another {used[0]} than the one given for {name!r}",
            hint=f"mark {used[1]} failed first, so that it runs again",
        )
    return outputs if changes else None


def _done(step: StepRun) -> Mapping[str, str]:
    """The outputs of finished work; what a step put out before it failed is nobody's word."""
    was_done = step.state.is_success or (step.marking is not None and step.marking.was.is_success)
    return step.outputs if was_done else {}


def _kept(
    engine: Engine, claim: Claim, attempt: Attempt, name: str, outputs: Mapping[str, str] | None
) -> dict[str, object]:
    """Write the outputs under a name of their own, which only the event makes count."""
    if outputs is None:
        return {}
    data, sha256 = encode_outputs(outputs)
    folder = claim.paths.attempt(attempt.n).step(name)
    for each in (folder.root.parent, folder.root):
        engine.home.disk.make_dir(each)
    engine.home.disk.replace(folder.marked_outputs(sha256), data, durable=True)
    return {"outputs": dict(outputs), "outputs_sha256": sha256}


def _commit(
    engine: Engine, claim: Claim, attempt: Attempt, run: RunHeader, data: Mapping[str, object]
) -> None:
    """Write the event; what an observer complains of becomes a notice."""
    _require_possible(attempt, data)
    claim.check()
    journal = claim.journal(attempt.n)
    try:
        event = journal.append(ev.STEP_MARKED, data, durable=True)
        journal.commit()
        _tell(engine, journal, run, event)
    finally:
        journal.close()


def _require_possible(attempt: Attempt, data: Mapping[str, object]) -> None:
    """Refuse before the journal has it what its readers would take for damage."""
    event = Event(attempt.events + 1, "", ev.STEP_MARKED, dict(data))
    try:
        Fold.going_on(attempt).apply(event)
    except ValueError as error:
        raise Refused(f"cannot mark: {error}", hint="look at the run with `dagfs status`") from None


def _tell(engine: Engine, journal: JournalWriter, run: RunHeader, event: Event) -> None:
    complaints: Sequence[str] = [*engine.plugins.observe(run, event), *engine.plugins.finish_observing()]
    for complaint in complaints:
        journal.append(ev.NOTICE, {"message": complaint})
