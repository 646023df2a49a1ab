"""A step's process that outlived its engine goes on with the definition it was started with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Step
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.rule import Rule
from dagfs.model.state import StepState
from dagfs.rules.stale import doubts

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
    shell = edit.old.shell != edit.new.shell
    for step in edit.new.steps:
        if edit.state(step.name).state is not StepState.RUNNING or step.is_engine_work:
            continue
        asked = (each for each in doubts(edit, step, shell=shell) if each.severity is Severity.ASK)
        changed = next(asked, None)
        if edit.action(step.name) is Action.ADOPT and changed is None:
            continue
        yield _reject(step, changed)


def _reject(step: Step, changed: Finding | None) -> Finding:
    mark = step.mark()
    what = f"{changed.field} changed" if changed else "a step before it would run again"
    return Finding(
        RUNNING,
        Severity.REJECT,
        f"step {step.name!r} is still running, and {what}",
        step.name,
        changed.field if changed else "",
        changed.line if changed else mark.line,
        changed.column if changed else mark.column,
        "wait until it has ended, or end it with --kill-orphans",
    )
