"""What steps left in other places, such as containers, that no process here answers for any more."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dagfs.engine.bequest import kept_words
from dagfs.errors import Refused
from dagfs.model import event as ev
from dagfs.model.edit import Action, Edit
from dagfs.model.event import Event
from dagfs.model.profile import Profile
from dagfs.model.run import Run
from dagfs.model.state import StepState
from dagfs.planning.profile import placed
from dagfs.store.files import Disk
from dagfs.store.layout import RunPaths
from dagfs.store.runs import Claim


def left_elsewhere(paths: RunPaths, run: Run, but: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Steps whose work may go on elsewhere though nobody learnt its end, with the file of how to end it."""
    for step in run.last.steps.values():
        # A process that was killed alone has told nothing about what it watched over.
        unknown = step.state is StepState.LOST or (step.state is StepState.FAILED and step.signal)
        if unknown and step.name not in but and (step.log_attempt or step.attempt):
            folder = paths.attempt(step.log_attempt or step.attempt).step(step.name)
            if kept_words(folder.cleanup(step.tries)):
                yield step.name, folder.cleanup(step.tries)


def end_elsewhere(disk: Disk, paths: RunPaths, run: Run, but: Collection[str] = ()) -> None:
    """End the work of all those steps, `but` some. Raises Refused where that could not be done."""
    for name, file in left_elsewhere(paths, run, but):
        if why := _clean_up(kept_words(file)):
            raise Refused(f"what step {name!r} left elsewhere could not be ended: {why}")
        disk.remove_file(file)


def taken_up(edit: Edit, then: Profile, now: Profile) -> frozenset[str]:
    """Steps that run again in the same place, and so find by themselves what their last try left there.

    `then` is the profile of the newest attempt, `now` that of the next.
    """
    return frozenset(
        name
        for name, action in edit.actions.items()
        if action in (Action.RUN, Action.ADOPT)
        and name in edit.old.by_name
        and placed(edit.old.by_name[name], then).executor == placed(edit.new.by_name[name], now).executor
        and (edit.old.container, edit.old.ssh) == (edit.new.container, edit.new.ssh)
    )


def end_shared(disk: Disk, paths: RunPaths) -> list[str]:
    """End what the steps of the run shared, by what their processes gave as `at_end`; complaints.

    What could not be ended stays noted, for the end of the next attempt.
    """
    done: dict[str, str] = {}
    below = "attempts/*/*/*/at_end.*"
    for file in sorted([*paths.root.glob(below), *paths.root.glob(f"children/*/{below}")]):
        words = kept_words(file)
        said = json.dumps(words)
        if said not in done:
            done[said] = _clean_up(words) if words else ""
        if not done[said]:
            disk.remove_file(file)
    return [f"what steps shared could not be ended: {why}" for why in done.values() if why]


def note_left(claim: Claim, n: int, complaints: Sequence[str]) -> list[Event]:
    """Write complaints behind the end of attempt `n`, as notices."""
    if not complaints:
        return []
    claim.check()
    journal = claim.journal(n)
    try:
        events = [journal.append(ev.NOTICE, {"message": message}) for message in complaints]
        journal.commit()
    finally:
        journal.close()
    return events


def _clean_up(words: Sequence[str]) -> str:
    # By name: few attempts leave anything elsewhere.
    return str(importlib.import_module("dagfs.engine.aftermath").clean_up(words, os.environ))
