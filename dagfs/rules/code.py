"""The files that a finished step was made with, as far as it names them, are still the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.rule import Rule

IDENTITY = "code.identity"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            IDENTITY,
            "A file that a finished step names as its `inputs` changed since. A warning; with `strict: true` "
            "it asks, as an edit of the step does.",
            accepted="another file, which no finished step names",
            refused="an edited `go.sh` where a finished step has `inputs: {files: [go.sh], strict: true}`",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return list(_changed(edit))


def _changed(edit: Edit) -> Iterator[Finding]:
    for name, evidence in edit.evidence.items():
        if not evidence.inputs_changed or not edit.is_kept(name) or name not in edit.new.by_name:
            continue
        step = edit.new.by_name[name]
        files = ", ".join(evidence.inputs_changed[:3])
        more = len(evidence.inputs_changed) - 3
        files += f" and {more} more" if more > 0 else ""
        mark = step.mark("inputs")
        severity = Severity.ASK if step.inputs.strict else Severity.WARN
        message = f"{files} changed since step {name!r} finished"
        hint = f"--on-stale rerun runs {name} again, and all behind it; --on-stale keep --reason '…' keeps it"
        yield Finding(IDENTITY, severity, message, name, "inputs", mark.line, mark.column, hint)
