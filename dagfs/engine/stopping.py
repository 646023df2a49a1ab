"""Stops a run from outside: through its engine where that lives, else step by step."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from dagfs.engine.bootstrap import Engine
from dagfs.engine.location import new_token
from dagfs.engine.operations import own, resume_run
from dagfs.engine.recovery import close_attempt, live_conditions, lost_tokens
from dagfs.engine.remains import end_elsewhere, end_shared, left_elsewhere, note_left
from dagfs.engine.tree import holds_token, kill_by_token, stop_shim, tell
from dagfs.engine.view import View, view_run
from dagfs.errors import NothingToDo, TimedOut
from dagfs.model.state import RunState
from dagfs.store.layout import RunPaths
from dagfs.store.owner import Owner, holder
from dagfs.store.process import Identity, is_alive

_POLL = 0.05


def stop_run(engine: Engine, run_id: str, *, kill: bool = False, timeout: float = 0) -> RunState:
    """Stop a run with its children, and return its state once nothing of it is left.

    `timeout` is in seconds, 0 for none. Raises NothingToDo for a run that is over, TimedOut where it does
    not end in time.
    """
    view = view_run(engine.home.store, run_id)
    family = [run_id, *engine.home.store.children(run_id)]
    deadline = time.monotonic() + timeout if timeout else None
    if view.owner is not None:
        _stop_engine(engine, run_id, view.owner, kill, deadline)
    elif view.state is RunState.WAITING:
        resume_run(engine, run_id, stop=True)
    elif any(_goes_on(engine, view_run(engine.home.store, each)) for each in family):
        _stop_orphans(engine, family, kill, deadline)
    else:
        raise NothingToDo(f"run {run_id} is not running: it {_was(view.state)}")
    return view_run(engine.home.store, run_id).state


def _goes_on(engine: Engine, view: View) -> bool:
    """Something of it goes on although its engine is dead."""
    paths = engine.home.store.paths(view.run.id)
    strays = lost_tokens(paths, view) if view.owner is None else ()
    return bool(_shims(paths, view)) or any(left_elsewhere(paths, view.run)) or any(map(holds_token, strays))


def _was(state: RunState) -> str:
    return "was interrupted" if state is RunState.INTERRUPTED else f"has ended as {state}"


def _stop_engine(engine: Engine, run_id: str, owner: Owner, kill: bool, deadline: float | None) -> None:
    paths = engine.home.store.paths(run_id)
    tell(owner.identity, signal.SIGTERM)
    asked_again = False
    while (found := holder(paths)) is not None and found.identity == owner.identity:
        if kill and not asked_again:
            # The first request must have arrived before the second means more than the first.
            asked_again = _second(engine, run_id, owner)
        _wait(run_id, deadline, kill)


def _second(engine: Engine, run_id: str, owner: Owner) -> bool:
    """Ask again once the engine has taken note of the first request."""
    attempt = engine.home.store.paths(run_id).attempt(owner.attempt)
    try:
        noted = b'"stop_requested"' in attempt.journal.read_bytes()
    except OSError:
        return False
    if noted:
        tell(owner.identity, signal.SIGTERM)
    return noted


def _stop_orphans(engine: Engine, family: Sequence[str], kill: bool, deadline: float | None) -> None:
    """Their engine is dead: end the steps it left, then write down what there is to write."""
    root, store = family[0], engine.home.store
    with store.claim(root, own(0, new_token())) as claim:
        shims = [
            shim for each in family for shim in _shims(store.paths(each), view_run(store, each, held=True))
        ]
        for shim in shims:
            stop_shim(shim, kill=kill)
        while any(is_alive(shim) for shim in shims):
            _wait(root, deadline, kill)
        # The root last: until it is closed, somebody who looks sees that all of it is not.
        for address in reversed(family):
            view = view_run(store, address, held=True)
            name = address.partition("/")[2]
            for token in lost_tokens(store.paths(address), view):
                kill_by_token(token)
            end_elsewhere(engine.home.disk, store.paths(address), view.run)
            if view.state is RunState.INTERRUPTED or view.ended:
                close_attempt(engine, claim.child(name) if name else claim, view)
        left = end_shared(engine.home.disk, claim.paths)
        note_left(claim, view_run(store, root, held=True).run.last.n, left)


def _shims(paths: RunPaths, view: View) -> list[Identity]:
    """Those of its steps and handlers, and of conditions that are still being looked at."""
    if view.owner is not None:
        return []
    conditions = live_conditions(paths.attempt(view.run.last.n), view)
    return [each.shim for each in (*view.orphans.values(), *view.handlers.values(), *conditions) if each.shim]


def _wait(run_id: str, deadline: float | None, kill: bool) -> None:
    if deadline is not None and time.monotonic() > deadline:
        killed = "it was told to; a process that even a kill does not end hangs in the kernel"
        hint = killed if kill else f"dagfs stop {run_id} --kill"
        raise TimedOut(f"run {run_id} has not ended in time", hint=hint)
    time.sleep(_POLL)
