"""Says a word to a waiting step: through the engine that owns the run, or by going on with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dagfs.engine.bootstrap import Engine
from dagfs.engine.chronicle import Observer
from dagfs.engine.location import now
from dagfs.engine.moment import utc_text
from dagfs.engine.operations import Result, resume_run
from dagfs.engine.signals import WORD
from dagfs.engine.tree import tell
from dagfs.engine.view import view_run
from dagfs.errors import Busy, NotFound, Refused, UsageError
from dagfs.model.run import Actor, StepRun, Word
from dagfs.model.state import RunState, StepState
from dagfs.store import words
from dagfs.store.owner import holder
from dagfs.store.runs import RunStore

_POLL_SEC = 0.05


def waiting_steps(store: RunStore, run_id: str) -> Iterator[tuple[str, StepRun]]:
    """Every step that waits for a word, in the run and in its children, with the address of its run."""
    run = store.load(run_id)
    root = run_id.partition("/")[0]
    for step in run.last.steps.values() if not run.state.is_over else ():
        if step.state is StepState.WAITING and step.question is not None:
            yield run_id, step
        # The step runs as long as any of them does.
        for child in step.children.values() if not step.state.is_settled else ():
            if not child.state.is_over:
                yield from waiting_steps(store, f"{root}/{child.id}")


def find_waiting(engine: Engine, run_id: str, name: str = "") -> tuple[str, StepRun]:
    """The one step of that name, or the only one there is, that waits. NotFound, UsageError.

    Refused where a word said now would not be heard, or would let a text run that was mended meanwhile.
    """
    _require_ears(engine, run_id.partition("/")[0])
    waiting = waiting_steps(engine.home.store, run_id)
    there = [(where, step) for where, step in waiting if step.word is None]
    found = [
        (where, step) for where, step in there if not name or name in (step.name, f"{where}/{step.name}")
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{where} {step.name}" for where, step in there)
    if not there:
        raise NotFound(f"nothing waits in run {run_id}", hint=f"look at it with `dagfs status {run_id}`")
    if not found:
        raise NotFound(f"step {name!r} of run {run_id} does not wait", hint=f"these do: {listed}")
    raise UsageError(f"several steps of run {run_id} wait", hint=f"name one of them: {listed}")


def _require_ears(engine: Engine, root: str) -> None:
    state = view_run(engine.home.store, root).state
    if state is RunState.INTERRUPTED:
        raise Refused(
            f"run {root} was interrupted: there is no engine to hear a word",
            hint=f"`dagfs retry {root}` goes on with it, and the step waits again",
        )
    edit = engine.home.store.paths(root).next_spec
    if state is RunState.WAITING and edit.exists():
        raise Refused(
            f"run {root} has an edit that is not taken up: it would go on without it",
            hint=f"`dagfs retry {root}` takes it up first; to drop it, remove {edit}",
        )


def checked_inputs(step: StepRun, inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs, once all that are required are there. UsageError."""
    question = step.question or {}
    known = list(dict.fromkeys([*question.get("input", ()), *question.get("required", ())]))
    for name in inputs:
        if known and name not in known:
            raise UsageError(
                f"step {step.name!r} asks for no {name!r}", hint=f"it asks for {', '.join(known)}"
            )
    missing = [name for name in question.get("required", ()) if not inputs.get(name)]
    if missing:
        raise UsageError(
            f"step {step.name!r} needs {', '.join(missing)}", hint=f"add --input {missing[0]}=VALUE"
        )
    return dict(inputs)


def answer(
    engine: Engine,
    run_id: str,
    step: StepRun,
    actor: Actor,
    *,
    approved: bool,
    reason: str = "",
    inputs: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    on_resumed: Callable[[], None] = lambda: None,
) -> Result | None:
    """Say a word to a step that waits, and go on with its run.

    None where a living engine heard it. `on_resumed` is called before this process goes on itself.
    Raises UsageError for inputs that do not fit, Refused where somebody else was heard first.
    """
    given = checked_inputs(step, inputs or {}) if approved else {}
    word = Word(approved, actor, utc_text(now()), reason, given)
    path = words.leave(engine.home.disk, engine.home.store.paths(run_id), step.name, word)
    root = run_id.partition("/")[0]
    while path.exists():
        owner = holder(engine.home.store.paths(root))
        if owner is not None:
            tell(owner.identity, WORD)
            time.sleep(_POLL_SEC)
            continue
        on_resumed()
        try:
            return resume_run(engine, root, observers=observers)
        except Busy:
            # Somebody else goes on with it: that engine is to hear the word.
            continue
        except BaseException:
            _take_back(engine, path)
            raise
    _require_heard(engine, run_id, step.name, word)
    return None


def _require_heard(engine: Engine, run_id: str, name: str, word: Word) -> None:
    """A word that the engine took away counts only where the journal has it."""
    step = engine.home.store.load(run_id).last.steps.get(name)
    heard = step.word if step else None
    if heard is None or (heard.time, heard.approved) != (word.time, word.approved):
        before = f"it was {heard}" if heard else "it waits no more"
        raise Refused(f"step {name!r} of run {run_id}: {before}", hint=f"dagfs status {run_id}")


def _take_back(engine: Engine, path: Path) -> None:
    """What nobody heard was not said."""
    if path.exists():
        engine.home.disk.remove_file(path)
