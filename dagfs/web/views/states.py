"""States as signs and words: colour alone tells not everybody. Pure."""

from __future__ import annotations

from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.model.timespan import duration

SYMBOLS = {
    "succeeded": "✓",
    "partially_succeeded": "◐",
    "failed": "✗",
    "aborted": "⊘",
    "rejected": "✗",
    "interrupted": "!",
    "running": "▶",
    "retrying": "↻",
    "waiting": "?",
    "queued": "…",
    "skipped": "↷",
    "upstream_failed": "–",
    "not_started": "·",
    "lost": "!",
    "damaged": "!",
}


def symbol(state: str) -> str:
    """The sign of a state; a dot for one that is not known."""
    return SYMBOLS.get(state, "·")


def short(step: StepRun) -> str:
    """How a step stands, in a word or two that fit its box in a graph."""
    return f"{symbol(step.state)} {_words(step)}"


def _words(step: StepRun) -> str:
    if step.kept:
        return "kept, stale" if step.stale else "kept"
    if step.left:
        return "left as it was"
    if step.state is StepState.FAILED and step.exit_code is not None:
        return f"exit {step.exit_code}"
    if step.state is StepState.SUCCEEDED:
        return duration(step.started, step.finished) or "succeeded"
    if step.state is StepState.RETRYING:
        return f"after try {step.tries}"
    if step.state is StepState.RUNNING and step.tries > 1:
        return f"try {step.tries}"
    named = {StepState.UPSTREAM_FAILED: "not reached", StepState.PARTIALLY_SUCCEEDED: "partly"}
    return named.get(step.state, step.state.replace("_", " "))
