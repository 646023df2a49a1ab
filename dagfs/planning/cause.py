"""Why a step has to run for a reason of its own, whatever was selected; and why another may be kept."""

from __future__ import annotations

from dagfs.model.edit import Edit
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import StepState
from dagfs.planning.usage import condition_texts, used_names

NEVER_RAN = {
    StepState.NOT_STARTED: "never ran",
    StepState.QUEUED: "never ran",
    StepState.UPSTREAM_FAILED: "never ran: an upstream step failed",
}
_UNFINISHED = {
    StepState.RUNNING: "was running when its engine died",
    StepState.RETRYING: "was between two tries",
    StepState.WAITING: "was waiting",
    StepState.ABORTED: "was stopped",
    StepState.REJECTED: "was rejected",
    StepState.LOST: "its end is unknown",
    **NEVER_RAN,
}
_UNCHANGED = ", unchanged"


def unfinished(edit: Edit) -> dict[str, str]:
    """The steps that must run whatever was edited: no work of theirs can be kept, no process adopted."""
    keep_tolerated = _has_hard_failure(edit.attempt)
    found = {}
    for name in edit.new.by_name:
        step = edit.state(name)
        kept = is_done(step) or (step.tolerated and keep_tolerated)
        if not kept and not can_adopt(edit, name):
            found[name] = why_unfinished(step) + edited(edit, name)
    return found


def is_done(step: StepRun) -> bool:
    return step.state.is_success or step.state is StepState.SKIPPED


def can_adopt(edit: Edit, name: str) -> bool:
    """Its process goes on, or somebody is still asked; what the engine itself did ended with that."""
    state = edit.state(name)
    if state.state is StepState.WAITING:
        return state.question is not None and not edit.changes_of(name, FieldClass.SEMANTIC)
    running = state.state is StepState.RUNNING and not edit.kill_orphans
    return running and not edit.new.by_name[name].is_engine_work


def why_unfinished(step: StepRun) -> str:
    if step.marking:
        return str(step.marking)
    if step.state is StepState.FAILED:
        if step.signal:
            return f"failed (signal {step.signal})"
        return "failed" if step.exit_code is None else f"failed (exit {step.exit_code})"
    return _UNFINISHED[step.state]


def _has_hard_failure(attempt: Attempt) -> bool:
    """Something beside tolerated failures and skips is unfinished."""
    return any(not (is_done(step) or step.tolerated) for step in attempt.steps.values())


def rewound(edit: Edit) -> dict[str, str]:
    """The steps that a rejection goes back to."""
    found = {}
    for step in edit.new.steps:
        name = edit.new.names.get(step.approval.rewind_to) if step.approval else None
        if name is not None and edit.state(step.name).state is StepState.REJECTED:
            found[name] = f"{step.name} was rejected, and goes back to it"
    return found


def reconsidered(edit: Edit) -> dict[str, str]:
    """Skipped steps whose skipping is no longer certain. Judging a condition again costs no work."""
    skipped = [name for name in edit.new.by_name if _was_skipped(edit.state(name))]
    names = used_names(edit.new, condition_texts) if skipped else {}
    found = {}
    for name in skipped:
        differing = {**edit.params.get(name, {}), **edit.env.get(name, {})}
        lenient = [
            parent
            for parent in edit.new.by_name[name].depends
            if edit.state(parent).state is StepState.SKIPPED and _changed(edit, parent, "continue_on")
        ]
        marked = [each for each in edit.new.by_name[name].depends if _is_now_done(edit, each)]
        if marked:
            found[name] = f"upstream {marked[0]} was marked succeeded"
        elif _changed(edit, name, "preconditions"):
            found[name] = "its precondition changed"
        elif edit.new.by_name[name].preconditions and (used := sorted(names[name] & differing.keys())):
            found[name] = f"its precondition uses {used[0]}, which changed"
        elif lenient:
            found[name] = f"continue_on of upstream {lenient[0]} changed"
    return found


def _was_skipped(step: StepRun) -> bool:
    """By a condition; what somebody marked so stays so."""
    return step.state is StepState.SKIPPED and step.marking is None


def _is_now_done(edit: Edit, name: str) -> bool:
    """Marked succeeded since the steps behind it were judged."""
    step = edit.state(name)
    return step.state.is_success and step.marking is not None and step.marking.attempt == edit.attempt.n


def _changed(edit: Edit, step: str, path: str) -> bool:
    return any(each.field == path for each in edit.changes_of(step))


def edited(edit: Edit, name: str) -> str:
    words = [_change_words(each.field, each.line) for each in edit.changes_of(name)]
    return ", " + ", ".join(words) if words else ""


def _change_words(path: str, line: int) -> str:
    return f"{path} changed at line {line}" if line else f"{path} changed"


def why_kept(edit: Edit, step: StepRun) -> str:
    reason = f"{step.state.replace('_', ' ')} in attempt {step.attempt or edit.attempt.n}"
    if step.marking:
        reason = str(step.marking)
    elif step.state is StepState.SKIPPED:
        # What an earlier plan said of keeping it is not said again.
        reason = (step.reason or "was skipped").removesuffix(_UNCHANGED)
    if step.tolerated:
        reason += ", tolerated"
    if step.stale:
        reason += f", kept as stale since attempt {step.basis}"
    changes = edit.changes_of(step.name)
    if not changes:
        return reason if step.stale or step.marking else reason + _UNCHANGED
    idle = edit.changes_of(step.name, FieldClass.OPERATIONAL, FieldClass.COSMETIC)
    words = ", ".join(_change_words(each.field, each.line) for each in changes)
    return f"{reason}; {words}" + (", no effect" if len(idle) == len(changes) else "")
