"""A step's process that outlived its engine goes on with the definition it was started with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.state import StepState

RUNNING = "orphan.running"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            RUNNING,
            "A step that is still running is not started a second time, and not edited under way.",
            accepted="a retry that adopts the running step unchanged",
            refused="a new `command` of a step whose old process is still running",
            loosened_by="--kill-orphans, or waiting until it has ended",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return list(_running(edit))


def _running(edit: Edit) -> Iterator[Finding]:
    if edit.kill_orphans:
        return
    for step in edit.new.steps:
        if edit.state(step.name).state is not StepState.RUNNING:
            continue
        changed = [c.field for c in edit.changes_of(step.name, FieldClass.SEMANTIC)]
        changed += [name for name in edit.params.get(step.name, {}) if name in edit.uses[step.name]]
        if edit.action(step.name) is Action.ADOPT and not changed:
            continue
        what = f"its {changed[0]} changed" if changed else "a step before it would run again"
        mark = step.mark(changed[0] if changed else "")
        yield Finding(
            RUNNING,
            Severity.REJECT,
            f"step {step.name!r} is still running, and {what}",
            step.name,
            changed[0] if changed else "",
            mark.line,
            mark.column,
            "wait until it has ended, or end it with --kill-orphans",
        )
