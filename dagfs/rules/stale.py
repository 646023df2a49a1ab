"""Work that is kept although it might now come out differently: somebody must say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Step
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule

SEMANTIC = "stale.semantic"
PARAMS = "stale.params"
ENV = "stale.env"
WORKDIR = "workdir.change"
_ANSWER = "--on-stale rerun runs {step} and all behind it again; --on-stale keep --reason '…' keeps its work"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            SEMANTIC,
            "The definition of a finished step changed in a way that its result may depend on.",
            accepted="a new `timeout_sec` of a finished step",
            refused="a new `command` of a finished step",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        ),
        Rule(
            PARAMS,
            "A parameter that a finished step used, or may have read, has another value now.",
            accepted="another value of a parameter that no finished step can have used",
            refused="another `date` where `extract --date ${date}` is finished",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        ),
        Rule(
            ENV,
            "A variable of the DAG's `env` that a finished step uses changed.",
            accepted="a new variable that only steps to run use",
            refused="another `TARGET` where a finished step wrote to `$TARGET`",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        ),
        Rule(
            WORKDIR,
            "The DAG's working directory changed while finished steps may have left files in the old one.",
            accepted="the same directory written differently",
            refused="nothing: it is a warning",
        ),
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    found: list[Finding] = []
    for step in edit.new.steps:
        if edit.is_kept(step.name):
            found += [*_definition(edit, step), *_params(edit, step), *_env(edit, step)]
    return [*found, *_working_dir(edit)]


def _ask(rule: str, edit: Edit, step: Step, field: str, message: str) -> Finding:
    own = step.mark(field) if field in step.marks else edit.new.mark(field)
    hint = _ANSWER.format(step=step.name)
    return Finding(rule, Severity.ASK, message, step.name, field, own.line, own.column, hint)


def _definition(edit: Edit, step: Step) -> Iterator[Finding]:
    kinds = (FieldClass.SEMANTIC, FieldClass.WIRING)
    changed = [each for each in edit.changes if each.step == step.name and each.kind in kinds]
    for change in changed:
        # What a step waits for is the shape of the run, which has its own rule.
        if change.field != "depends":
            message = f"{change.field} of finished step {step.name!r} changed"
            yield Finding(
                SEMANTIC,
                Severity.ASK,
                message,
                step.name,
                change.field,
                change.line,
                change.column,
                _ANSWER.format(step=step.name),
            )
    if not step.shell and edit.old.shell != edit.new.shell:
        message = f"the shell of finished step {step.name!r} changed"
        yield _ask(SEMANTIC, edit, step, "shell", message)


def _params(edit: Edit, step: Step) -> Iterator[Finding]:
    for name, (then, now) in edit.params.get(step.name, {}).items():
        words = f"{name} was {_shown(then)} when {step.name!r} ran and is {_shown(now)} now"
        if name in edit.uses.get(step.name, ()):
            yield _ask(PARAMS, edit, step, f"params.{name}", words)
        elif step.name in edit.opaque:
            yield _ask(PARAMS, edit, step, f"params.{name}", f"{words}; its programs may have read it")


def _shown(value: str | None) -> str:
    return "not set" if value is None else repr(value)


def _env(edit: Edit, step: Step) -> Iterator[Finding]:
    own = {variable.name for variable in step.env}
    differences: Mapping[str, tuple[str | None, str | None]] = edit.env.get(step.name, {})
    for name in differences:
        if name in own:
            continue
        field = f"env.{name}"
        if name in edit.uses.get(step.name, ()):
            message = f"env {name}, which finished step {step.name!r} used, changed"
            yield _ask(ENV, edit, step, field, message)
        elif step.name in edit.opaque:
            mark = edit.new.mark(field)
            message = f"env {name} changed; programs of finished step {step.name!r} may have read it"
            yield Finding(ENV, Severity.WARN, message, step.name, field, mark.line, mark.column)


def _working_dir(edit: Edit) -> Iterator[Finding]:
    if edit.old.working_dir == edit.new.working_dir:
        return
    kept = [s.name for s in edit.new.steps if edit.is_kept(s.name) and not s.working_dir]
    if kept:
        mark = edit.new.mark("working_dir")
        message = f"working_dir changed; files that {', '.join(kept)} left in the old one are not moved"
        yield Finding(WORKDIR, Severity.WARN, message, None, "working_dir", mark.line, mark.column)
