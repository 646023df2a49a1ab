"""`status.json`: what a run looks like now, for people and programs. It decides nothing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from dagfs.model.run import Attempt, Run, StepRun
from dagfs.model.state import StepState
from dagfs.store.layout import RunPaths, StepPaths, step_folder

MANY_STEPS = 2000
"""Above this many steps the details of succeeded ones are left out."""
_HERE = RunPaths(Path())
_STDOUT, _STDERR = StepPaths(Path()).stdout.name, StepPaths(Path()).stderr.name


def status_document(run: Run, *, as_of: tuple[int, int], complete: bool = False) -> dict[str, Any]:
    """The document, without its format number, of the run's newest attempt.

    `as_of` is the number of the last event folded in and the journal's size in bytes then. With
    `complete` nothing is left out however many steps there are.
    """
    header, attempt = run.header, run.last
    truncated = len(attempt.steps) > MANY_STEPS and not complete
    return {
        "run": header.id,
        "dag": header.dag,
        "state": str(attempt.state),
        "reason": attempt.reason,
        "attempt": attempt.n,
        "spec": attempt.header.spec,
        "spec_sha256": attempt.header.spec_sha256,
        "trigger": header.trigger,
        "params": dict(attempt.header.params),
        "created": header.created,
        "started": attempt.started,
        "finished": attempt.finished,
        "root": header.root or None,
        "parent": header.parent or None,
        "as_of": {"n": as_of[0], "offset": as_of[1]},
        "steps": _steps(attempt, truncated),
        "handlers": {name: _handler(attempt.n, handler) for name, handler in attempt.handlers.items()},
        "counts": dict(Counter(str(step.state) for step in attempt.steps.values())),
        "plugins": dict(attempt.header.plugins),
        **({"profile": attempt.header.profile.name} if attempt.header.profile else {}),
        "error": _error(attempt),
        **({"queue": header.queue} if header.queue else {}),
        **({"truncated": True} if truncated else {}),
    }


def _error(attempt: Attempt) -> str | None:
    return next((step.error for step in attempt.steps.values() if step.error), None)


def _steps(attempt: Attempt, truncated: bool) -> dict[str, Any]:
    return {
        name: {"state": str(step.state)} if truncated and step.state is StepState.SUCCEEDED else _step(step)
        for name, step in attempt.steps.items()
    }


def _step(step: StepRun) -> dict[str, Any]:
    return {
        "state": str(step.state),
        "attempt": step.attempt,
        "tries": step.tries,
        "exit_code": step.exit_code,
        "started": step.started,
        "finished": step.finished,
        "reason": step.reason,
        "outputs": dict(step.outputs),
        **_logs(_step_folder(step.log_attempt), step_folder(step.name)),
        "error": step.error,
        **_extras(step),
    }


def _handler(n: int, handler: StepRun) -> dict[str, Any]:
    return {
        "state": str(handler.state),
        "exit_code": handler.exit_code,
        **_logs(str(_HERE.attempt(n).handlers), step_folder(handler.name)),
        "error": handler.error,
    }


@lru_cache(maxsize=64)
def _step_folder(attempt: int) -> str:
    """Where an attempt's steps lie, relative to the run; empty for no attempt."""
    return str(_HERE.attempt(attempt).steps) if attempt else ""


def _logs(folder: str, name: str) -> dict[str, str | None]:
    """Where the logs lie, relative to the run; None where there are none."""
    return {
        "stdout": f"{folder}/{name}/{_STDOUT}" if folder else None,
        "stderr": f"{folder}/{name}/{_STDERR}" if folder else None,
    }


def _extras(step: StepRun) -> Mapping[str, Any]:
    """What is said only where it applies."""
    found = {
        "kept": step.kept,
        "stale": step.stale,
        "left": step.left,
        "tolerated": step.tolerated,
        "signal": step.signal,
        "until": step.until,
        "marked": step.marking.as_data() if step.marking else None,
        "wanted": step.wanted if step.children else 0,
        "children": {name: child.as_data() for name, child in step.children.items()},
        "chosen": list(step.chosen) if step.chosen is not None else None,
        "waits_for": dict(step.question) if step.question and step.state is StepState.WAITING else None,
        "executor": step.executor,
        "answer": step.word.as_data() if step.word else None,
    }
    return {key: value for key, value in found.items() if value}
