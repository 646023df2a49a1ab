"""Work that is kept although it might now come out differently: somebody must say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Mark, Step
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.state import StepState

SEMANTIC = "stale.semantic"
PARAMS = "stale.params"
ENV = "stale.env"
WORKDIR = "workdir.change"
# What programs of every kind look at, plain ones too; or names that begin so.
_NAMES_READ_BY_ALL = """
    PATH HOME IFS ENV TZ LANG LANGUAGE TMPDIR CDPATH COLUMNS POSIXLY_CORRECT BLOCK_SIZE BLOCKSIZE
"""
_READ_BY_ALL = frozenset(_NAMES_READ_BY_ALL.split())
_READ_BY_ALL_PREFIXES = ("LC_", "LD_", "BASH_")
_LONGEST = 60
_OWN_CONTAINER = {"image", "name", "container_name", "exec"}
_ANSWER = "--on-stale rerun runs {step} and all behind it again; --on-stale keep --reason '…' keeps its work"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            SEMANTIC,
            "The definition of a finished step changed in a way that its result may depend on.",
            accepted="a new `timeout_sec` of a finished step, or anything of a skipped one",
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
            "A variable of the DAG's `env` that a finished step uses changed. Where it is only possible that "
            "it was used, this is a warning.",
            accepted="a new variable that only steps to run use",
            refused="another `TARGET` where a finished step wrote to `$TARGET`",
            loosened_by="--on-stale rerun, or --on-stale keep --reason '…'",
        ),
        Rule(
            WORKDIR,
            "The DAG's working directory changed while finished steps may have left files in the old one.",
            accepted="everything: it is a warning",
        ),
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    found: list[Finding] = []
    shell = edit.old.shell != edit.new.shell
    for step in edit.new.steps:
        # One that was skipped has no work; when it is to be judged again is part of every plan.
        if edit.is_kept(step.name) and edit.state(step.name).state is not StepState.SKIPPED:
            found += doubts(edit, step, shell=shell)
    return [*found, *_dotenv(edit), *_working_dir(edit)]


def doubts(edit: Edit, step: Step, *, shell: bool) -> Iterator[Finding]:
    """All that may make a step's work come out differently now. `shell`: the DAG's own has changed."""
    yield from _definition(edit, step)
    if shell and not step.shell and step.executor.type in ("shell", "command"):
        mark = edit.new.mark("shell")
        yield _ask(SEMANTIC, step, "shell", mark, f"the shell of finished step {step.name!r} changed")
    yield from _surroundings(edit, step)
    yield from _params(edit, step)
    yield from _env(edit, step)


def _surroundings(edit: Edit, step: Step) -> Iterator[Finding]:
    """What the DAG says of the container or the machine that the step ran in."""
    if step.executor.type == "docker" and not _OWN_CONTAINER & step.executor.config.keys():
        if edit.old.container != edit.new.container:
            message = f"the container of finished step {step.name!r} changed"
            yield _ask(SEMANTIC, step, "container", edit.new.mark("container"), message)
    elif step.executor.type == "ssh" and edit.old.ssh != edit.new.ssh:
        message = f"the DAG's ssh, which finished step {step.name!r} used, changed"
        yield _ask(SEMANTIC, step, "ssh", edit.new.mark("ssh"), message)


def _ask(rule: str, step: Step, field: str, mark: Mark, message: str) -> Finding:
    hint = _ANSWER.format(step=step.name)
    return Finding(rule, Severity.ASK, message, step.name, field, mark.line, mark.column, hint)


def _definition(edit: Edit, step: Step) -> Iterator[Finding]:
    for change in edit.changes_of(step.name, FieldClass.SEMANTIC, FieldClass.WIRING):
        # What a step waits for is the shape of the run, which has its own rule.
        if change.field != "depends":
            mark = Mark(change.line, change.column)
            yield _ask(
                SEMANTIC, step, change.field, mark, f"{change.field} of finished step {step.name!r} changed"
            )


def _params(edit: Edit, step: Step) -> Iterator[Finding]:
    for name, (then, now) in edit.params.get(step.name, {}).items():
        used = name in edit.uses.get(step.name, ())
        if used or _may_have_read(edit, step, name):
            words = f"{name} was {_shown(then)} when {step.name!r} ran and is {_shown(now)} now"
            words += "" if used else "; its programs may have read it"
            field = f"params.{name}"
            yield _ask(PARAMS, step, field, edit.new.mark(field), words)


def _may_have_read(edit: Edit, step: Step, name: str) -> bool:
    return step.name in edit.opaque or name in _READ_BY_ALL or name.startswith(_READ_BY_ALL_PREFIXES)


def _shown(value: str | None) -> str:
    if value is None:
        return "not set"
    return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")


def _env(edit: Edit, step: Step) -> Iterator[Finding]:
    own = {variable.name for variable in step.env}
    for name in edit.env.get(step.name, {}):
        is_const = name.startswith("consts.")
        field = name if is_const else f"env.{name}"
        mark = edit.new.mark(field)
        if name in edit.uses.get(step.name, ()):
            message = (
                f"{name if is_const else f'env {name}'}, which finished step {step.name!r} used, changed"
            )
            yield _ask(ENV, step, field, mark, message)
        elif not is_const and name not in own and _may_have_read(edit, step, name):
            message = f"env {name} changed; programs of finished step {step.name!r} may have read it"
            yield _warn(ENV, step.name, field, mark, message)


def _warn(rule: str, step: str | None, field: str, mark: Mark, message: str) -> Finding:
    return Finding(rule, Severity.WARN, message, step, field, mark.line, mark.column)


def _dotenv(edit: Edit) -> Iterator[Finding]:
    kept = [step.name for step in edit.new.steps if edit.is_kept(step.name)]
    if kept and edit.old.dotenv != edit.new.dotenv:
        message = f"dotenv changed; {_some(kept)} may have used what was set there"
        yield _warn(ENV, None, "dotenv", edit.new.mark("dotenv"), message)


def _working_dir(edit: Edit) -> Iterator[Finding]:
    kept = [each.name for each in edit.new.steps if edit.is_kept(each.name) and not each.working_dir]
    if kept and edit.old.working_dir != edit.new.working_dir:
        message = f"working_dir changed; files that {_some(kept)} left in the old one are not moved"
        yield _warn(WORKDIR, None, "working_dir", edit.new.mark("working_dir"), message)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
