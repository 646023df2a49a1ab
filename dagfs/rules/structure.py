"""The shape of a run is fixed: its steps, their names and what they wait for.

A few changes of shape are provably harmless at one moment of one run; those may be allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagfs.hooks import hookimpl
from dagfs.model.dag import Mark
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.graph import children, closure
from dagfs.model.rule import Rule
from dagfs.model.state import StepState

RENAME = "structure.rename"
ADD = "structure.add"
REMOVE = "structure.remove"
DEPENDS = "structure.depends"
DAG = "structure.dag"
_NEVER_RAN = (StepState.NOT_STARTED, StepState.QUEUED, StepState.UPSTREAM_FAILED)


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            RENAME,
            "A step keeps its name for the life of a run, so that its attempts stay one history.",
            accepted="changing a step's `description`",
            refused="`transform` becoming `transform_data`",
        ),
        Rule(
            ADD,
            "A retry adds no steps.",
            accepted="doing the extra work in a step that runs anyway",
            refused="a new step `notify` at the end",
            loosened_by="--allow structure.add, where no finished step comes to stand behind the new one",
        ),
        Rule(
            REMOVE,
            "A retry removes no steps.",
            accepted="making a step's command `true`",
            refused="deleting `report`",
            loosened_by="--allow structure.remove, where the step never ran and nothing waits for it or "
            "refers to it",
        ),
        Rule(
            DEPENDS,
            "A retry keeps what each step waits for.",
            accepted="the same names in another order",
            refused="`load` no longer waiting for `transform`",
            loosened_by="--allow structure.depends, where the step and those it is tied to or cut off from "
            "run anyway",
        ),
        Rule(
            DAG,
            "A run stays a run of its DAG.",
            accepted="changing the DAG's `description`",
            refused="`name: nightly` becoming `name: weekly`",
        ),
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return [*_renamed(edit), *_added(edit), *_removed(edit), *_rewired(edit), *_other_dag(edit)]


def _reject(
    rule: str,
    mark: Mark,
    message: str,
    *,
    step: str | None,
    field: str = "",
    hint: str,
    allowable: bool = False,
) -> Finding:
    hint += f", or --allow {rule} --reason '…'" if allowable else ""
    return Finding(rule, Severity.REJECT, message, step, field, mark.line, mark.column, hint, allowable)


def _renamed(edit: Edit) -> Iterator[Finding]:
    for old, new in edit.renamed.items():
        message = f"step {old!r} was renamed to {new!r}"
        hint = f"call it {old!r} again; words for people go into its description"
        yield _reject(RENAME, edit.new.by_name[new].mark("name"), message, step=new, field="name", hint=hint)


def _added(edit: Edit) -> Iterator[Finding]:
    if not edit.added:
        return
    finished = edit.old.by_name.keys() - edit.anyway
    before_finished = closure(finished, edit.new.depends)
    for name in edit.added:
        harmless = name not in before_finished
        hint = "take it out and `dagfs run` the new spec instead"
        mark = edit.new.by_name[name].mark("name")
        yield _reject(ADD, mark, f"step {name!r} was added", step=name, hint=hint, allowable=harmless)


def _removed(edit: Edit) -> Iterator[Finding]:
    if not edit.removed:
        return
    gone = set(edit.removed)
    behind = children(edit.old.depends)
    mentioned = frozenset().union(*edit.uses.values())
    for name in edit.removed:
        step, state = edit.old.by_name[name], edit.state(name)
        never_ran = state.state in _NEVER_RAN and not state.ever_started
        alone = gone.issuperset(behind[name]) and not {name, step.id, step.output.name} & mentioned
        hint = f"put {name!r} back; `command: 'true'` makes it do nothing"
        yield _reject(
            REMOVE,
            edit.new.mark("steps"),
            f"step {name!r} was removed",
            step=name,
            hint=hint,
            allowable=never_ran and alone,
        )


def _rewired(edit: Edit) -> Iterator[Finding]:
    names = {**{name: name for name in edit.old.by_name}, **edit.renamed}
    gone = set(edit.removed)
    for step in edit.new.steps:
        before = edit.old.by_name.get(step.name)
        if before is None:
            continue
        old = {names[name] for name in before.depends if name not in gone}
        new = set(step.depends) - set(edit.added)
        if old != new:
            yield _rewiring(edit, step.name, old, new)


def _rewiring(edit: Edit, name: str, old: set[str], new: set[str]) -> Finding:
    touched = {name, *(old ^ new)}
    harmless = edit.anyway.issuperset(touched)
    words = [f"no longer waits for {each!r}" for each in sorted(old - new)]
    words += [f"now waits for {each!r}" for each in sorted(new - old)]
    finished = ", ".join(sorted(touched - edit.anyway))
    hint = f"let it wait for {', '.join(sorted(old)) or 'nothing'} again"
    message = f"step {name!r} {' and '.join(words)}" + (f" (not to run: {finished})" if finished else "")
    mark = edit.new.by_name[name].mark("depends")
    return _reject(DEPENDS, mark, message, step=name, field="depends", hint=hint, allowable=harmless)


def _other_dag(edit: Edit) -> Iterator[Finding]:
    if edit.old.name != edit.new.name:
        message = f"the DAG {edit.old.name!r} was renamed to {edit.new.name!r}"
        hint = f"call it {edit.old.name!r} again"
        yield _reject(DAG, edit.new.mark("name"), message, step=None, field="name", hint=hint)
