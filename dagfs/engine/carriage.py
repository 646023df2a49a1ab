"""Carries one attempt from its journal's first lines to its end."""

from __future__ import annotations

import importlib
import os
import resource
import signal
from collections.abc import Sequence

from dagfs.engine.chronicle import Observer
from dagfs.engine.location import now
from dagfs.engine.loop import Loop
from dagfs.engine.moment import utc_text
from dagfs.engine.nursery import Nursery
from dagfs.engine.pool import Pool
from dagfs.engine.runner import Runner
from dagfs.engine.signals import WORD
from dagfs.engine.work import Work
from dagfs.errors import LostOwnership
from dagfs.model.state import RunState
from dagfs.model.value import frozen
from dagfs.store.owner import Owner
from dagfs.store.process import identity

_PER_PLACE, _BESIDES = 2, 64
"""Descriptors: of a step under way, and of all else."""


@frozen
class Result:
    """How an attempt ended."""

    run: str
    attempt: int
    state: RunState
    reason: str
    signal: int = 0
    """The signal that asked it to stop, or 0."""


def own(attempt: int, token: str) -> Owner:
    """This process as the owner of a run."""
    who = identity(os.getpid())
    assert who is not None
    return Owner(who, os.uname().nodename, token, attempt, utc_text(now()), "dagfs")


def _places(work: Work) -> int:
    """How many processes may run at once. A DAG's own limit is none for its children's steps."""
    most, usual = work.dag.max_active_steps, work.engine.home.settings.active_steps
    steps = (*work.dag.steps, *work.dag.handler_on.values())
    has_children = any(step.calls for step in steps)
    return max(most, usual) if has_children else most or usual


def _make_room(places: int) -> None:
    """Have descriptors for so many processes at once, as far as this one may.

    The zygote was forked before, so that steps have the limit they would have anyway.
    """
    wanted = places * _PER_PLACE + _BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def carry(work: Work, pool: Pool, observers: Sequence[Observer], *, stop: bool = False) -> Result:
    """Run an attempt from its journal's first lines to its end; with `stop` to that alone."""
    places = _places(work)
    _make_room(places)

    def heard(number: int) -> None:
        if number == WORD:
            runner.look()
        else:
            runner.interrupt(number)

    with Loop(pool, places, heard) as loop:
        runner = Runner(work, loop, Nursery(work.engine))
        try:
            runner.begin(observers)
            if stop:
                runner.interrupt(signal.SIGTERM)
            loop.turn_until(lambda: runner.state is not None)
        except LostOwnership:
            runner.kill()
            raise
        finally:
            runner.close()
    assert runner.state is not None
    shares = work.dag.container or work.attempt.n > 1 or work.engine.plugins.has_strange_executors
    if runner.state is not RunState.WAITING and shares:
        _end_shared(work, observers)
    attempt = runner.chronicle.fold.attempt()
    return Result(work.run.id, attempt.n, runner.state, attempt.reason, runner.stopped_by)


def _end_shared(work: Work, observers: Sequence[Observer]) -> None:
    # By name: most attempts leave nothing elsewhere that all their steps share.
    remains = importlib.import_module("dagfs.engine.remains")
    left = remains.end_shared(work.engine.home.disk, work.claim.paths)
    for event in remains.note_left(work.claim, work.attempt.n, left):
        for observer in observers:
            observer(event)
