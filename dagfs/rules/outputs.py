"""What a step to run takes from the steps before it must still be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Step
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.graph import topological
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
            refused="dropping `output: ROWS` of a step that runs again, while `load` says `${ROWS}`",
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


def _missing(edit: Edit) -> Iterator[Finding]:
    makers = _makers(edit)
    wanted = _wanted(edit, makers.keys())
    if not wanted:
        return
    bits = {
        maker: 1 << n for n, maker in enumerate(dict.fromkeys(m for each in makers.values() for m in each))
    }
    above = _above(edit.new.depends, bits)
    for step in edit.new.steps:
        for name in sorted(wanted.get(step.name, ())):
            upstream = [maker for maker in makers[name] if above[step.name] & bits[maker]]
            if upstream and not any(_gives(edit, maker, name) for maker in upstream):
                yield _unmet(edit, step, name, upstream)


def _makers(edit: Edit) -> dict[str, list[str]]:
    """Output names to the steps that declare them, declared them, or have put them out."""
    found: dict[str, list[str]] = {}
    for step in edit.new.steps:
        before = edit.old.by_name.get(step.name)
        names = {step.output.name, before.output.name if before else "", *edit.state(step.name).outputs}
        for name in names - {""}:
            found.setdefault(name, []).append(step.name)
    return found


def _wanted(edit: Edit, made: Iterable[str]) -> dict[str, set[str]]:
    """For each step to run, the outputs it refers to; parameters and variables can stand in for one."""
    given = {param.name for param in edit.new.params} | {variable.name for variable in edit.new.env}
    names = set(made) - given
    found = {}
    for step in edit.new.steps:
        used = names & edit.uses.get(step.name, frozenset()) - {step.output.name}
        if used and edit.action(step.name) is Action.RUN:
            found[step.name] = used
    return found


def _above(depends: Mapping[str, Sequence[str]], bits: Mapping[str, int]) -> dict[str, int]:
    """For each step the makers upstream of it, one bit each, so that a large graph stays cheap."""
    found: dict[str, int] = {}
    for name in topological(depends):
        found[name] = 0
        for parent in depends[name]:
            found[name] |= found[parent] | bits.get(parent, 0)
    return found


def _gives(edit: Edit, maker: str, name: str) -> bool:
    """The step has put it out and is kept, or will put it out, as far as the spec tells.

    One that is kept as skipped gives what it gave the last time: nothing.
    """
    if edit.is_kept(maker):
        state = edit.state(maker)
        return name in state.outputs or not state.state.is_success
    if edit.action(maker) is Action.LEAVE:
        return name in edit.state(maker).outputs
    before = edit.old.by_name.get(maker)
    # What a step writes to $DAGFS_OUTPUT stands in no spec: it is expected to do so again.
    dropped = before is not None and before.output.name == name
    return edit.new.by_name[maker].output.name == name or not dropped


def _unmet(edit: Edit, step: Step, name: str, upstream: Sequence[str]) -> Finding:
    field, line, column = _place(step, name)
    declares = [maker for maker in upstream if edit.new.by_name[maker].output.name == name]
    if declares:
        maker = declares[0]
        have = ", ".join(sorted(edit.state(maker).outputs)) or "none"
        message = (
            f"step {step.name!r} needs {name}, which finished step {maker!r} did not put out (it has {have})"
        )
        hint = f"--on-stale rerun runs {maker} again; or refer to what it has put out: {have}"
    else:
        maker = upstream[0]
        message = f"step {step.name!r} needs {name}, which step {maker!r} no longer puts out"
        hint = f"put `output: {name}` of {maker} back, or stop referring to {name}"
    return Finding(MISSING, Severity.REJECT, message, step.name, field, line, column, hint)


def _place(step: Step, name: str) -> tuple[str, int, int]:
    """The field of the step that names the output, as far as that can be seen."""
    word = re.compile(rf"(?<!\w){re.escape(name)}\b")
    for field, value in step.as_data().items():
        if "$" in str(value) and word.search(str(value)):
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
