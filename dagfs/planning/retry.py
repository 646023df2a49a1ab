"""Plans a retry: which steps keep their work and which run, with a reason for each.

`plan_retry` has no clock, disk or plugin of its own: rules come in as a function. Every step, edge,
reference and change is looked at once each time the rules are asked, and they are asked again only
after an answer has sent kept steps back to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.run import Attempt
from dagfs.model.state import RunState
from dagfs.model.value import replace
from dagfs.planning import offspring
from dagfs.planning.answers import Answers
from dagfs.planning.cause import can_adopt, reconsidered, rewound, unfinished
from dagfs.planning.gone import lost_needs
from dagfs.planning.plan import Decision, Plan, Verdict
from dagfs.planning.request import Request, plan_id, states
from dagfs.planning.selection import Scope, scope_of
from dagfs.planning.spread import Causes, decide

Check = Callable[[Edit], Iterable[Finding]]
"""All compatibility rules: what they find about an edit."""


def plan_retry(edit: Edit, request: Request, check: Check) -> Plan:
    """The plan for continuing a run with an edited spec, or with the one it has."""
    answers = request.answers
    acknowledged = frozenset(answers.acknowledged)
    edit = replace(edit, kill_orphans=answers.kill_orphans, acknowledged=acknowledged)
    scope = scope_of(answers.selection, edit.new, states(edit))
    if scope.steps is not None:
        scope = replace(scope, steps=scope.steps | offspring.chosen_children(request.children))
    causes = _causes(edit, request, scope)
    check = _no_findings if request.everything else check
    seen, decisions, findings = _judged(edit, causes, scope, answers, check)
    decisions = _kept_stale(decisions, findings, answers)
    over = bool(request.everything) or answers.selection.afresh
    afresh = offspring.afresh(edit, decisions, request.children, over=over)
    children = tuple(each for each in request.children if offspring.goes_on(each, decisions, afresh))
    plan = Plan(
        run=request.run,
        id=plan_id(edit, request),
        verdict=Verdict.COMPATIBLE,
        base=edit.attempt.n,
        attempt=edit.attempt.n + 1,
        spec=request.spec,
        decisions=decisions,
        findings=(*findings, *(finding for each in children for finding in offspring.findings_of(each))),
        edit=replace(seen, actions={each.step: each.action for each in decisions}),
        answers=answers,
        children=children,
        afresh=afresh,
    )
    return replace(plan, verdict=_verdict(plan))


def _judged(
    edit: Edit, causes: Causes, scope: Scope, answers: Answers, check: Check
) -> tuple[Edit, tuple[Decision, ...], tuple[Finding, ...]]:
    """Decide and ask the rules, again and again until no answer to them sends anything back to run."""
    needs = lost_needs(edit)
    while True:
        seen, decisions = decide(edit, causes, needs, scope)
        findings = tuple(sorted(dict.fromkeys(_found(seen, check)), key=_place))
        more = _sent_back(seen, findings, answers)
        firm = _asked_about_deferred(seen, findings) - set(causes.firm)
        if not more and not firm:
            return seen, decisions, findings
        causes = replace(causes, own={**causes.own, **more}, firm={*causes.firm, *firm})


def with_findings(plan: Plan, findings: Iterable[Finding]) -> Plan:
    """The same plan, judged by these findings too."""
    plan = replace(plan, findings=tuple(sorted((*plan.findings, *findings), key=_place)))
    return replace(plan, verdict=_verdict(plan))


def _causes(edit: Edit, request: Request, scope: Scope) -> Causes:
    """The steps that run for a reason of their own; with a cutoff, those that wait for it apart."""
    if request.everything:
        return Causes(dict.fromkeys(edit.new.by_name, request.everything))
    cutoff = bool(request.answers.cutoff)
    own = rewound(edit) | unfinished(edit) | reconsidered(edit)
    own = _chosen(edit, offspring.edited_children(edit, request.children) | own, scope)
    if not cutoff or scope.steps is not None:
        return Causes(own, cutoff=cutoff)
    soft = {name: why for name, why in own.items() if edit.state(name).prior is not None}
    return Causes({name: why for name, why in own.items() if name not in soft}, soft, cutoff)


def _no_findings(_: Edit) -> Iterable[Finding]:
    """Where nothing is kept, nothing can be incompatible."""
    return ()


def _found(edit: Edit, check: Check) -> Iterable[Finding]:
    """What the rules say. What may run and may be kept is to be fit for both."""
    deferred = [name for name, action in edit.actions.items() if action is Action.DEFER]
    if not deferred:
        return check(edit)
    runs, stays = (
        replace(edit, actions={**edit.actions, **dict.fromkeys(deferred, action)})
        for action in (Action.RUN, Action.KEEP)
    )
    return [*check(runs), *(each for each in check(stays) if each.step in deferred)]


def _place(finding: Finding) -> tuple[int, int, str, str]:
    return (-finding.severity, finding.line, finding.rule, finding.step or "")


def _verdict(plan: Plan) -> Verdict:
    if plan.rejections:
        return Verdict.REFUSED
    if plan.questions:
        return Verdict.NEEDS_ANSWER
    idle = not any(decision.action in (Action.RUN, Action.ADOPT, Action.DEFER) for decision in plan.decisions)
    if idle and not _settles(plan) and (_is_complete(plan.edit.attempt) or plan.answers.selection):
        return Verdict.NOTHING_TO_DO
    return Verdict.COMPATIBLE


def _settles(plan: Plan) -> bool:
    """Work about which was not decided yet counts from now on."""
    return any(each.action.is_keep and plan.edit.state(each.step).prior for each in plan.decisions)


def _is_complete(attempt: Attempt) -> bool:
    """The attempt came to its own end, handlers included; one that did not is taken to it by a retry."""
    return attempt.state in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)


def _chosen(edit: Edit, own: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """The steps with a reason of their own to run, within what was selected."""
    if scope.steps is None:
        return {name: why for name, why in own.items() if scope.allows(name)}
    chosen = [name for name in edit.new.by_name if name in scope.steps and not can_adopt(edit, name)]
    return {name: f"selected; {own[name]}" if name in own else "selected" for name in chosen}


def _sent_back(edit: Edit, findings: Iterable[Finding], answers: Answers) -> dict[str, str]:
    """Kept steps that the operator's answer sends back, with the reason."""
    found: dict[str, str] = {}
    for finding in findings:
        for name in _asked_about(edit, finding):
            if answers.stale_answer(name) == "rerun":
                found.setdefault(name, f"stale: {finding.message}")
    return found


def _asked_about(edit: Edit, finding: Finding) -> Iterable[str]:
    """The kept steps that a question is about: one, or all where it names none."""
    if finding.severity is not Severity.ASK:
        return ()
    names = edit.actions if finding.step is None else (finding.step,)
    return [name for name in names if edit.is_kept(name)]


def _asked_about_deferred(edit: Edit, findings: Iterable[Finding]) -> set[str]:
    """Steps that might be kept, but for a question about them: they run, and nobody need be asked."""
    deferred = {name for name, action in edit.actions.items() if action is Action.DEFER}
    spared = {name for name in edit.actions if edit.is_kept(name) and edit.state(name).prior is not None}
    asks = [finding for finding in findings if finding.severity is Severity.ASK]
    return {name for each in asks for name in deferred | spared if each.step is None or each.step == name}


def _kept_stale(
    decisions: Iterable[Decision], findings: Iterable[Finding], answers: Answers
) -> tuple[Decision, ...]:
    """Mark the kept steps whose questions were answered with `keep`."""
    first: dict[str | None, Finding] = {}
    for finding in findings:
        if finding.severity is Severity.ASK:
            first.setdefault(finding.step, finding)
    result = []
    for decision in decisions:
        asked = first.get(decision.step) or first.get(None)
        if asked and decision.action.is_keep and answers.stale_answer(decision.step) == "keep":
            reason = f"kept although {asked.message}"
            result.append(replace(decision, action=Action.KEEP_STALE, reason=reason))
        else:
            result.append(decision)
    return tuple(result)
