"""What stands at the top of a run's page: how it stands, why, and what can be done about it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from dagfs.engine.view import View
from dagfs.model.excerpt import one_line
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.model.timespan import duration
from dagfs.web.views.course import Whose
from dagfs.web.views.steps import item_words, label, reason_of

_BAD = (StepState.FAILED, StepState.LOST, StepState.REJECTED)
_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a log."""

    stream: str
    text: str
    url: str
    is_cut: bool
    whose: str = ""
    """What printed it, where that is not the step itself."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that did not go well."""

    whose: Whose
    label: str
    state: str
    reason: str
    exit_code: int | None
    signal: int | None
    tries: int
    attempt: int
    """The attempt whose folder has its log; 0 for none."""
    url: str = ""
    tails: tuple[Tail, ...] = ()
    children: tuple[tuple[str, str, str], ...] = ()
    """Children that did not go well: address, name and reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """A step that waits for somebody's word."""

    run: str
    """The run, or the child, whose step it is."""
    step: str
    prompt: str
    inputs: tuple[tuple[str, bool], ...]
    """Names of values to give, and whether they must be given."""
    began: str
    approve: str
    """The command that does the same."""
    reject: str


@dataclass(frozen=True, slots=True)
class Notice:
    """The panel at the top."""

    kind: str
    """`bad`, `good`, `ask`, `busy`, `odd`: how it looks."""
    title: str
    lines: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    more: int = 0
    """Failures that are not listed."""
    can_retry: bool = False
    can_stop: bool = False
    commands: dict[str, str] = field(default_factory=dict)


def command(*words: str) -> str:
    """A line to type: every word as the shell must have it."""
    return shlex.join(words)


def notice(view: View, attempt: Attempt, *, is_newest: bool, is_alive: bool) -> Notice:
    """What is to be said of an attempt; nothing can be done about one that has a successor."""
    state = attempt.state
    failed = failures(attempt)
    root = view.run.id.partition("/")[0]
    return Notice(
        _KINDS.get(state, "odd"),
        _title(attempt, state, is_alive=is_alive, is_newest=is_newest),
        tuple(_lines(view, attempt, is_newest=is_newest)),
        tuple(failed[:_MOST_FAILURES]),
        max(0, len(failed) - _MOST_FAILURES),
        can_retry=is_newest and state.is_over and state is not RunState.SUCCEEDED,
        can_stop=is_newest and (is_alive or bool(view.orphans or view.below) or state is RunState.WAITING),
        commands=commands(root),
    )


def commands(run: str) -> dict[str, str]:
    """The commands beside the actions of a run."""
    return {
        "edit": command("dagfs", "edit", run),
        "retry": command("dagfs", "retry", run),
        "stop": command("dagfs", "stop", run),
        "kill": command("dagfs", "stop", "--kill", run),
        "rerun": command("dagfs", "rerun", run),
    }


_KINDS = {
    RunState.SUCCEEDED: "good",
    RunState.PARTIALLY_SUCCEEDED: "odd",
    RunState.FAILED: "bad",
    RunState.REJECTED: "bad",
    RunState.ABORTED: "odd",
    RunState.INTERRUPTED: "bad",
    RunState.WAITING: "ask",
    RunState.RUNNING: "busy",
    RunState.QUEUED: "busy",
}


def _title(attempt: Attempt, state: RunState, *, is_alive: bool, is_newest: bool) -> str:
    took = duration(attempt.started, attempt.finished)
    within = f" after {took}" if took else ""
    if not is_newest and state is RunState.RUNNING:
        return "Never brought to its end"
    titles = {
        RunState.SUCCEEDED: f"Succeeded in {took}" if took else "Succeeded",
        RunState.PARTIALLY_SUCCEEDED: f"Done{within}, but something in it failed",
        RunState.FAILED: f"Failed{within}",
        RunState.REJECTED: f"Rejected{within}",
        RunState.ABORTED: f"Stopped{within}",
        RunState.INTERRUPTED: "Interrupted: its engine died",
        RunState.WAITING: "Waits for somebody's word",
        RunState.RUNNING: "Running" if is_alive else "Running, or just ended",
        RunState.QUEUED: "Queued",
    }
    return titles[state]


def _lines(view: View, attempt: Attempt, *, is_newest: bool) -> list[str]:
    found = []
    told = attempt.state is RunState.FAILED and attempt.reason.startswith("failed at ") and failures(attempt)
    if attempt.reason and attempt.state is not RunState.SUCCEEDED and not told:
        found.append(attempt.reason)
    if is_newest and attempt.state is RunState.INTERRUPTED:
        alive = [*view.orphans, *(f"on:{name}" for name in view.handlers), *view.below]
        if alive:
            names = ", ".join(alive[:5]) + (f" and {len(alive) - 5} more" if len(alive) > 5 else "")
            found.append(
                f"Still running without it: {names}. A retry takes up what goes on; nothing is lost."
            )
        else:
            found.append("Finished steps are safe on disk. A retry goes on where it was.")
    if is_newest and view.ended:
        found.append(f"Ended after their engine: {', '.join(view.ended)}. A retry writes that down.")
    return list(dict.fromkeys(found))


def failures(attempt: Attempt) -> list[Failure]:
    """What did not go well: steps that failed and stopped the run first, tolerated ones and handlers last."""
    steps = [
        _failure((step.name, ""), step)
        for step in sorted(attempt.steps.values(), key=lambda step: (step.tolerated, step.finished or "~"))
        if step.state in _BAD
    ]
    handlers = [_failure(("", each.name), each) for each in attempt.handlers.values() if each.state in _BAD]
    return steps + handlers


def _failure(whose: Whose, step: StepRun) -> Failure:
    return Failure(
        whose,
        label(whose),
        str(step.state),
        reason_of(step),
        step.exit_code,
        step.signal,
        step.tries,
        step.log_attempt,
        children=tuple(
            (child.id, one_line(item_words(child.item), 80) or child.id, child.reason)
            for child in step.children.values()
            if child.state not in (RunState.SUCCEEDED, RunState.RUNNING)
        )[:_MOST_FAILURES],
    )


def questions(waiting: Sequence[tuple[str, StepRun]]) -> list[Question]:
    """What is asked, of steps that nobody has answered."""
    found = []
    for run, step in waiting:
        if step.word is not None:
            continue
        asked = step.question or {}
        required = tuple(map(str, asked.get("required", ())))
        names = dict.fromkeys((*map(str, asked.get("input", ())), *required))
        values = [f"--input={name}=…" for name in required]
        found.append(
            Question(
                run,
                step.name,
                str(asked.get("prompt", "")),
                tuple((name, name in required) for name in names),
                step.started or "",
                command("dagfs", "approve", run, step.name, *values),
                command("dagfs", "reject", run, step.name, "-m", "…"),
            )
        )
    return found
