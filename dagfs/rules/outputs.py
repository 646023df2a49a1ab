"""What a step to run takes from the steps before it must still be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.graph import ancestors
from dagfs.model.rule import Rule

MISSING = "outputs.missing"
VERIFY = "outputs.verify"
WORK = "work.changed"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            MISSING,
            "Every output that a step to run refers to is kept or will be made.",
            accepted="dropping an `output` that nobody to run refers to, and re-running its step",
            refused="dropping `output: ROWS` of `extract` while `load` says `${ROWS}`",
        ),
        Rule(
            VERIFY,
            "Outputs and artifacts of a finished step are as they were when it ended.",
            accepted="reading an artifact",
            refused="overwriting an artifact of a finished step and retrying",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        ),
        Rule(
            WORK,
            "A file in the run's work folder changed after the finished step that wrote it.",
            accepted="everything: it is a warning",
        ),
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return [*_missing(edit), *_altered(edit)]


def _declared(dag: Dag) -> dict[str, set[str]]:
    """Output names to the steps that declare them."""
    found: dict[str, set[str]] = {}
    for step in dag.steps:
        if step.output.name:
            found.setdefault(step.output.name, set()).add(step.name)
    return found


def _missing(edit: Edit) -> Iterator[Finding]:
    old, new = _declared(edit.old), _declared(edit.new)
    given = {param.name for param in edit.new.params} | {variable.name for variable in edit.new.env}
    for step in edit.new.steps:
        if edit.is_kept(step.name):
            continue
        names = edit.uses.get(step.name, frozenset()) & (old.keys() | new.keys())
        names -= given | {variable.name for variable in step.env} | {step.output.name}
        if names:
            upstream = set(ancestors(step.name, edit.new.depends))
            yield from (
                finding
                for name in sorted(names)
                if (finding := _check(edit, step, name, upstream, old, new)) is not None
            )


def _check(
    edit: Edit,
    step: Step,
    name: str,
    upstream: set[str],
    old: Mapping[str, set[str]],
    new: Mapping[str, set[str]],
) -> Finding | None:
    makers = new.get(name, set()) & upstream
    if any(not edit.is_kept(maker) or name in edit.state(maker).outputs for maker in makers):
        return None
    field, line, column = _place(step, name)
    if makers:
        maker = sorted(makers)[0]
        have = ", ".join(sorted(edit.state(maker).outputs)) or "none"
        message = (
            f"step {step.name!r} needs {name}, which finished step {maker!r} did not put out (it has {have})"
        )
        hint = f"--on-stale rerun runs {maker} again; or refer to what it has put out: {have}"
    elif old.get(name, set()) & upstream:
        maker = sorted(old[name] & upstream)[0]
        message = f"step {step.name!r} needs {name}, which step {maker!r} no longer puts out"
        hint = f"put `output: {name}` of {maker} back, or stop referring to {name}"
    else:
        return None
    return Finding(MISSING, Severity.REJECT, message, step.name, field, line, column, hint)


def _place(step: Step, name: str) -> tuple[str, int, int]:
    """The field of the step that names the output, as far as that can be seen."""
    word = re.compile(rf"\$\{{?{re.escape(name)}\b")
    for field, value in step.as_data().items():
        if word.search(str(value)):
            mark = step.mark(field)
            return field, mark.line, mark.column
    mark = step.mark()
    return "", mark.line, mark.column


def _altered(edit: Edit) -> Iterator[Finding]:
    for name, evidence in edit.evidence.items():
        if not edit.is_kept(name):
            continue
        mark = edit.new.by_name[name].mark() if name in edit.new.by_name else edit.new.mark()
        what = [f"artifact {path}" for path in evidence.artifacts_altered]
        what += ["outputs.json"] if evidence.outputs == "altered" else []
        for each in what:
            message = f"{each} of finished step {name!r} was changed after it ended"
            hint = "--on-stale rerun makes it again; --on-stale keep --reason '…' uses it as it is"
            yield Finding(VERIFY, Severity.ASK, message, name, "", mark.line, mark.column, hint)
        if evidence.work_changed:
            files = ", ".join(evidence.work_changed[:3])
            more = len(evidence.work_changed) - 3
            files += f" and {more} more" if more > 0 else ""
            message = f"work/{files} changed after finished step {name!r} wrote it"
            yield Finding(WORK, Severity.WARN, message, name, "", mark.line, mark.column)
