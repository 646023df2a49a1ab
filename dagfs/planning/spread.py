"""From the steps with a reason of their own to run to a decision on each step."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from dagfs.model.edit import Action, Edit
from dagfs.model.graph import children, closure
from dagfs.model.state import StepState
from dagfs.model.value import field, frozen, replace
from dagfs.planning.cause import NEVER_RAN, can_adopt, edited, is_done, why_kept, why_unfinished
from dagfs.planning.cutoff import Sifted, sift
from dagfs.planning.gone import Needs
from dagfs.planning.plan import Decision
from dagfs.planning.selection import Scope


@frozen
class Causes:
    """Why steps run, before anything that stands behind them is looked at."""

    own: Mapping[str, str]
    """Steps that have a reason of their own, with that."""
    soft: Mapping[str, str] = field(default_factory=dict)
    """Steps that run unless a cutoff spares them."""
    cutoff: bool = False
    firm: Collection[str] = ()
    """Steps that no cutoff may spare."""


def decide(edit: Edit, causes: Causes, needs: Needs, scope: Scope) -> tuple[Edit, tuple[Decision, ...]]:
    """A decision on each step, in the order of the spec; and the edit, seen with what becomes of them."""
    running, adopted = _spread(edit, {**causes.soft, **causes.own}, needs, scope)
    sifted = Sifted(running)
    if causes.cutoff:
        sifted = sift(edit, running, adopted, {*causes.own, *causes.firm}, needs)
    overtaken = _overtaken(edit, {*sifted.running, *sifted.deferred}, adopted)
    overtaken = {name: word for name, word in overtaken.items() if name not in sifted.spared}
    decisions = tuple(_decision(edit, name, sifted, adopted, overtaken) for name in edit.new.by_name)
    actions = {each.step: each.action for each in decisions}
    anyway = frozenset(closure(causes.own, _taken_along(edit.old.depends, scope)))
    anyway -= sifted.deferred.keys() | sifted.spared.keys()
    return replace(edit, actions=actions, anyway=anyway), decisions


def _taken_along(depends: Mapping[str, Collection[str]], scope: Scope) -> Mapping[str, list[str]]:
    """For each step, those behind it that run because it does."""
    if scope.only:
        return {}
    behind = children(depends)
    return {name: list(filter(scope.allows, steps)) for name, steps in behind.items()}


def _overtaken(edit: Edit, running: Collection[str], adopted: Collection[str]) -> dict[str, str]:
    """Steps that stay although something before them runs, each with a word on what does."""
    behind = children(edit.new.depends)
    found: dict[str, str] = {}
    work = deque((*running, *sorted(adopted)))
    while work:
        name = work.popleft()
        word = "is kept as stale" if name in found else "runs"
        for each in behind[name]:
            if each not in running and each not in adopted and each not in found:
                found[each] = f"upstream {name} {word}"
                work.append(each)
    return found


def _spread(
    edit: Edit, own: Mapping[str, str], needs: Needs, scope: Scope
) -> tuple[dict[str, str], set[str]]:
    """All steps that run, with their reasons, and those that are adopted instead.

    What runs takes along all that stands behind it, as far as the scope goes, and the makers of what it
    needs and is lost.
    """
    behind = _taken_along(edit.new.depends, scope)
    adopted = {name for name in edit.new.by_name if name not in own and can_adopt(edit, name)}
    running = dict(own)
    work = deque((*own, *sorted(adopted)))
    while work:
        name = work.popleft()
        word = "runs" if name in running else "is still running"
        found = dict.fromkeys(behind.get(name, ()), f"upstream {name} {word}")
        found |= {maker: gone for maker, gone in needs.get(name, {}).items() if name in running}
        for each, reason in found.items():
            if each not in running:
                running[each] = reason
                work.append(each)
    return running, adopted - running.keys()


def _decision(
    edit: Edit, name: str, sifted: Sifted, adopted: Collection[str], overtaken: Mapping[str, str]
) -> Decision:
    step, running = edit.state(name), sifted.running
    if name in adopted:
        word = "waiting" if step.state is StepState.WAITING else "running"
        why = f"still {word} since attempt {step.attempt}{edited(edit, name)}"
        stays = "; the question stays as it was asked" if step.state is StepState.WAITING else ""
        why += stays if edit.changes_of(name) else ""
        return Decision(name, Action.ADOPT, why, step.attempt)
    if name in running:
        return Decision(name, Action.RUN, _why_this_runs(edit, name, running))
    work = edit.work(name)
    if name in sifted.deferred:
        why = sifted.reason(name)
        return Decision(name, Action.DEFER, why, work.attempt, against=sifted.deferred[name])
    if name in sifted.spared:
        return Decision(name, Action.KEEP, sifted.spared[name] or why_kept(edit, work), work.attempt)
    if not (is_done(step) or step.tolerated):
        return Decision(name, Action.LEAVE, f"not selected; {why_unfinished(step)}", step.attempt)
    if name in overtaken and step.state is not StepState.SKIPPED:
        return Decision(name, Action.KEEP_STALE, f"not selected, though {overtaken[name]}", step.attempt)
    action = Action.KEEP_STALE if step.stale else Action.KEEP
    return Decision(name, action, why_kept(edit, step), step.attempt)


def _why_this_runs(edit: Edit, name: str, running: Mapping[str, str]) -> str:
    """For a step that never ran, a parent that runs says more than that."""
    if edit.state(name).state in NEVER_RAN:
        parent = next((each for each in edit.new.by_name[name].depends if each in running), None)
        if parent:
            return f"upstream {parent} runs" + edited(edit, name)
    return running[name]
