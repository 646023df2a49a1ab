"""What becomes of the children of steps: which go on, which start over, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dagfs.model.dag import Step
from dagfs.model.edit import Action, Edit, Finding
from dagfs.model.value import replace
from dagfs.planning.plan import ChildPlan, Decision, Verdict
from dagfs.planning.usage import given_texts, used_names


def chosen_children(plans: Iterable[ChildPlan]) -> set[str]:
    """The steps of which a child has steps to run that were selected."""
    chosen = (each for each in plans if each.plan.answers.selection)
    return {each.step for each in chosen if each.plan.verdict is not Verdict.NOTHING_TO_DO}


def edited_children(edit: Edit, plans: Iterable[ChildPlan]) -> dict[str, str]:
    """Finished steps of which a child would run again: its own spec was edited, or steps of it selected."""
    return {
        each.step: f"{'steps of ' if each.plan.answers.selection else ''}its child {each.child}"
        + (" are to run" if each.plan.answers.selection else " was edited")
        for each in plans
        if each.is_edited
        and each.step in edit.new.by_name
        and edit.state(each.step).state.is_success
        and each.plan.verdict is not Verdict.NOTHING_TO_DO
    }


def afresh(
    edit: Edit, decisions: Iterable[Decision], plans: Iterable[ChildPlan], *, over: bool
) -> tuple[str, ...]:
    """Steps whose children start over: what they were given, or what lies before them, is no longer the same.

    Items are told apart by their values, so those of an unfinished step go on by themselves. `over`: all do.
    """
    running = {each.step for each in decisions if each.action.may_run}
    edited = {each.step for each in plans if each.is_edited}
    names = used_names(edit.new, given_texts) if edit.params or edit.env else {}
    found = []
    for name in running:
        step, state = edit.new.by_name[name], edit.work(name).state
        redone = state.is_success and name not in edited
        behind = step.parallel is None and any(parent in running for parent in step.depends)
        other = _is_given_more(edit, step, names.get(name, frozenset()))
        if step.calls and (over or redone or behind or other):
            found.append(name)
    return tuple(sorted(found))


def _is_given_more(edit: Edit, step: Step, names: Collection[str]) -> bool:
    """What its children are given is, or may be, something else than they were given before.

    `names` are those that its parameters for them speak of. A body within the step has all that the DAG has.
    """
    before = edit.old.by_name.get(step.name)
    if not edit.state(step.name).children or before is None:
        return False
    if (before.call.params, before.call.text) != (step.call.params, step.call.text):
        return True
    changed = edit.params.get(step.name, {}).keys()
    if step.call.body:
        return bool(changed)
    return not (changed | edit.env.get(step.name, {}).keys()).isdisjoint(names)


def goes_on(child: ChildPlan, decisions: Iterable[Decision], afresh: Collection[str]) -> bool:
    runs = any(each.step == child.step and each.action is Action.RUN for each in decisions)
    return runs and child.step not in afresh


def findings_of(child: ChildPlan) -> Iterable[Finding]:
    """A child's findings, as those of its step; answers name the child and its step."""
    for finding in child.plan.findings:
        if finding in child.plan.rejections or finding in child.plan.questions:
            step = f"{child.child}/{finding.step}" if finding.step else None
            place = f"{child.plan.spec}:{finding.line}:{finding.column}: " if finding.line else ""
            message = f"child {child.child}: {place}{finding.message}"
            yield replace(finding, step=step, message=message, line=0, column=0)
