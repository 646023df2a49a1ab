"""A run as the documents that programs read: `dagfs status --json`, `dagfs show --json`, and the HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.engine.capture import read_run_outputs
from dagfs.engine.view import View
from dagfs.model.run import Attempt
from dagfs.store.layout import HomePaths
from dagfs.store.status import status_document


def status_data(home: HomePaths, view: View) -> dict[str, Any]:
    """How the run stands now: status.json as of this moment, with what goes on behind a dead engine."""
    document = status_document(view.run, as_of=(view.run.last.events, 0), complete=True)
    markings = [marking.as_data() for attempt in view.run.attempts for marking in attempt.markings]
    outputs = read_run_outputs(home.run(view.run.id).attempt(view.run.last.n))
    document["outputs"] = dict(outputs)
    return {"format": 1, **document, "orphans": [*sorted(view.orphans), *view.below], "markings": markings}


def record_data(home: HomePaths, view: View) -> dict[str, Any]:
    """Everything on record about a run and its attempts."""
    header = view.run.header
    return {
        "format": 1,
        "run": header.id,
        "dag": header.dag,
        "state": view.state,
        "created": header.created,
        "source": header.source,
        "trigger": header.trigger,
        "root": header.root or None,
        "parent": header.parent or None,
        "actor": header.actor.as_data(),
        "paths": paths_of(home, view),
        "attempts": [
            attempt_data(attempt) | {"outputs": dict(outputs_of(home, view, attempt))}
            for attempt in view.run.attempts
        ],
    }


def paths_of(home: HomePaths, view: View) -> dict[str, str]:
    """Where a run, its newest spec, its pending edit and the like lie, by their names for people."""
    paths = home.run(view.run.id)
    attempt = paths.attempt(view.run.last.n)
    found = {
        "run": paths.root,
        "spec": paths.root / view.run.last.header.spec,
        "next": paths.next_spec,
        "work": paths.work,
        "journal": attempt.journal,
        "status": attempt.status,
    }
    return {name: str(path) for name, path in found.items()}


def attempt_data(attempt: Attempt) -> dict[str, Any]:
    """What was asked of one attempt, and what it did."""
    header = attempt.header
    return {
        "attempt": attempt.n,
        "state": attempt.state,
        "reason": attempt.reason,
        "spec": header.spec,
        "spec_sha256": header.spec_sha256,
        "created": header.created,
        "started": attempt.started,
        "finished": attempt.finished,
        "actor": header.actor.as_data(),
        "why": header.reason,
        "plan": header.plan,
        "asked": list(header.asked),
        "allowed": list(header.allowed),
        "params": dict(header.params),
        "ran": [step.name for step in attempt.steps.values() if step.tries and not (step.kept or step.left)],
        "kept": [step.name for step in attempt.steps.values() if step.kept],
        "stale": [step.name for step in attempt.steps.values() if step.stale],
        "left": [step.name for step in attempt.steps.values() if step.left],
        "marked": [marking.as_data() for marking in attempt.markings],
        "plugins": dict(header.plugins),
        "profile": header.profile.name,
        "executors": {step.name: step.executor for step in attempt.steps.values() if step.executor},
    }


def outputs_of(home: HomePaths, view: View, attempt: Attempt) -> Mapping[str, str]:
    """What the whole run gave in that attempt."""
    return read_run_outputs(home.run(view.run.id).attempt(attempt.n))
