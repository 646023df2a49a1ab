"""A step that was selected to run needs the steps before it to be finished, or to run too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.rule import Rule

UPSTREAM = "selection.upstream"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            UPSTREAM,
            "Every step before a selected one is finished, or runs as well.",
            accepted="`--from load` where `transform` has succeeded",
            refused="`--from load` where `transform` failed, and was not selected",
            loosened_by="selecting the steps before it too: `--select ++load`",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return list(_cut_off(edit))


def _cut_off(edit: Edit) -> Iterator[Finding]:
    for step in edit.new.steps:
        if edit.action(step.name) is not Action.RUN:
            continue
        for parent in step.depends:
            if edit.action(parent) is Action.LEAVE:
                mark = step.mark("depends")
                state = edit.state(parent).state.replace("_", " ")
                message = (
                    f"step {step.name!r} was selected, but {parent!r} before it has not finished ({state})"
                )
                hint = f"select it too, with all before it: --select '++{step.name}'"
                yield Finding(UPSTREAM, Severity.REJECT, message, step.name, "", mark.line, mark.column, hint)
                break
