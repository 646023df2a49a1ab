"""A step that must not simply be done twice runs again only when somebody says so by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.rule import Rule

ACK = "effects.ack"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            ACK,
            "A step with `idempotent: false` that has been started before runs again only when it is named.",
            accepted="running it for the first time, or keeping its work",
            refused="a retry from the failure of `send_invoices`, which says `idempotent: false`",
            loosened_by="--ack STEP, for each such step",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return list(_not_acknowledged(edit))


def _not_acknowledged(edit: Edit) -> Iterator[Finding]:
    for step in edit.new.steps:
        runs_again = edit.action(step.name) is Action.RUN and edit.state(step.name).ever_started
        before = edit.old.by_name.get(step.name)
        careful = not step.idempotent or (before is not None and not before.idempotent)
        if careful and runs_again and step.name not in edit.acknowledged:
            mark = step.mark("idempotent")
            state = edit.state(step.name).state.replace("_", " ")
            message = (
                f"step {step.name!r} is not idempotent, was started before ({state}), and would run again"
            )
            done = f"`dagfs mark RUN {step.name} succeeded -m WHY`"
            hint = f"look what it has done; then say --ack {step.name}, or where it is done {done}"
            yield Finding(
                ACK, Severity.REJECT, message, step.name, "idempotent", mark.line, mark.column, hint
            )
