"""Plans a retry: which steps keep their work and which run, with a reason for each.

`plan_retry` has no clock, disk or plugin of its own: rules come in as a function. Every step, edge,
reference and change is looked at once each time the rules are asked, and they are asked again only
after an answer has sent kept steps back to run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dagfs.model.dag import Step
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass, digest
from dagfs.model.graph import children, closure
from dagfs.model.reference import references
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.plan import Answers, ChildPlan, Decision, Plan, Verdict
from dagfs.planning.selection import Scope, scope_of
from dagfs.planning.usage import condition_texts, texts, used_names

Check = Callable[[Edit], Iterable[Finding]]
"""All compatibility rules: what they find about an edit."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a retry is asked for, beside the edit."""

    run: str
    spec: str
    """The file whose text it is for."""
    spec_sha256: str
    answers: Answers = field(default_factory=Answers)
    circumstances: Mapping[str, str] = field(default_factory=dict)
    """Whatever else decides: versions of rules and plugins, the digest of dagfs.yaml."""
    children: tuple[ChildPlan, ...] = ()
    """What would become of children that are unfinished or were edited."""
    everything: str = ""
    """Why nothing at all is kept; empty where finished work is."""


def plan_retry(edit: Edit, request: Request, check: Check) -> Plan:
    """The plan for continuing a run with an edited spec, or with the one it has."""
    answers = request.answers
    acknowledged = frozenset(answers.acknowledged)
    edit = replace(edit, kill_orphans=answers.kill_orphans, acknowledged=acknowledged)
    scope = scope_of(request.answers.selection, edit.new, _states(edit))
    own = _rewound(edit) | _unfinished(edit) | _reconsidered(edit)
    own = _chosen(edit, _with_edited_children(edit, request) | own, scope)
    if request.everything:
        check, own = _no_findings, dict.fromkeys(edit.new.by_name, request.everything)
    needs = _lost_needs(edit)
    while True:
        seen, decisions = _decide(edit, own, needs, scope)
        findings = tuple(sorted(dict.fromkeys(check(seen)), key=_place))
        more = _sent_back(seen, findings, request.answers)
        if not more:
            break
        own |= more
    decisions = _kept_stale(decisions, findings, request.answers)
    afresh = _afresh(edit, decisions, request)
    children = tuple(each for each in request.children if _goes_on(each, decisions, afresh))
    plan = Plan(
        run=request.run,
        id=plan_id(edit, request),
        verdict=Verdict.COMPATIBLE,
        base=edit.attempt.n,
        attempt=edit.attempt.n + 1,
        spec=request.spec,
        decisions=decisions,
        findings=(*findings, *(finding for each in children for finding in _of_child(each))),
        edit=replace(seen, actions={each.step: each.action for each in decisions}),
        answers=request.answers,
        children=children,
        afresh=afresh,
    )
    return replace(plan, verdict=_verdict(plan))


def _no_findings(_: Edit) -> Iterable[Finding]:
    """Where nothing is kept, nothing can be incompatible."""
    return ()


def plan_id(edit: Edit, request: Request) -> str:
    """Covers all that decides, so that an equal id means an equal plan. The reason given decides nothing."""
    return digest(
        {
            "run": request.run,
            "attempt": [edit.attempt.n, edit.attempt.state],
            "steps": {name: _facts(step) for name, step in edit.attempt.steps.items()},
            "spec": [request.spec, request.spec_sha256],
            "edit": _edit_data(edit),
            "answers": request.answers.deciding_data(),
            **_selection_data(edit, request),
            "circumstances": dict(request.circumstances),
            **(
                {"children": [[each.child, each.plan.id] for each in request.children]}
                if request.children
                else {}
            ),
            **({"everything": request.everything} if request.everything else {}),
        }
    )


def _selection_data(edit: Edit, request: Request) -> dict[str, Any]:
    """The steps that were selected, however that was said."""
    selection = request.answers.selection
    if not selection:
        return {}
    scope = scope_of(selection, edit.new, _states(edit))
    return {"selection": [*scope.as_data(), selection.afresh]}


def _states(edit: Edit) -> dict[str, StepState]:
    return {name: edit.state(name).state for name in edit.new.by_name}


def _facts(step: StepRun) -> list[Any]:
    return [
        *(step.state, step.attempt, step.basis, step.stale, step.tolerated, step.ever_started),
        *(step.exit_code, step.signal, sorted(step.outputs)),
        *((step.marking.time, step.outputs_sha256) if step.marking else ()),
    ]


def _edit_data(edit: Edit) -> dict[str, Any]:
    """What the edit changes, and the values and evidence it is seen against."""
    # Steps whose work answers to one attempt share one mapping of differences.
    shared = {id(each): digest(each) for each in (*edit.params.values(), *edit.env.values())}
    return {
        "changes": [[each.step, each.field, each.old, each.new, each.kind] for each in edit.changes],
        "shape": [edit.added, edit.removed, edit.renamed, {s.name: s.depends for s in edit.new.steps}],
        "params": {name: shared[id(each)] for name, each in edit.params.items()},
        "env": {name: shared[id(each)] for name, each in edit.env.items()},
        "opaque": sorted(edit.opaque),
        "evidence": {
            name: [
                *(each.outputs, each.artifacts_missing, each.artifacts_altered, each.work_changed),
                *([each.inputs_changed] if each.inputs_changed else []),
            ]
            for name, each in edit.evidence.items()
        },
    }


def _place(finding: Finding) -> tuple[int, int, str, str]:
    return (-finding.severity, finding.line, finding.rule, finding.step or "")


def _verdict(plan: Plan) -> Verdict:
    if plan.rejections:
        return Verdict.REFUSED
    if plan.questions:
        return Verdict.NEEDS_ANSWER
    idle = not any(decision.action in (Action.RUN, Action.ADOPT) for decision in plan.decisions)
    if idle and (_is_complete(plan.edit.attempt) or plan.answers.selection):
        return Verdict.NOTHING_TO_DO
    return Verdict.COMPATIBLE


def _is_complete(attempt: Attempt) -> bool:
    """The attempt came to its own end, handlers included; one that did not is taken to it by a retry."""
    return attempt.state in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)


# -- which steps run -----------------------------------------------------------------------------

_NEVER_RAN = {
    StepState.NOT_STARTED: "never ran",
    StepState.QUEUED: "never ran",
    StepState.UPSTREAM_FAILED: "never ran: an upstream step failed",
}
_UNFINISHED = {
    StepState.RUNNING: "was running when its engine died",
    StepState.RETRYING: "was between two tries",
    StepState.WAITING: "was waiting",
    StepState.ABORTED: "was stopped",
    StepState.REJECTED: "was rejected",
    StepState.LOST: "its end is unknown",
    **_NEVER_RAN,
}

Needs = Mapping[str, Mapping[str, str]]
"""For each step, those whose work it uses although it is gone from the disk, with what is gone."""


def _decide(
    edit: Edit, own: Mapping[str, str], needs: Needs, scope: Scope
) -> tuple[Edit, tuple[Decision, ...]]:
    """From the steps with a reason of their own to a decision on each, in the order of the spec."""
    running, adopted = _spread(edit, own, needs, scope)
    overtaken = _overtaken(edit, running, adopted)
    decisions = tuple(_decision(edit, name, running, adopted, overtaken) for name in edit.new.by_name)
    actions = {each.step: each.action for each in decisions}
    anyway = frozenset(closure(own, _taken_along(edit.old.depends, scope)))
    return replace(edit, actions=actions, anyway=anyway), decisions


def _taken_along(depends: Mapping[str, Collection[str]], scope: Scope) -> Mapping[str, list[str]]:
    """For each step, those behind it that run because it does."""
    if scope.only:
        return {}
    behind = children(depends)
    return {name: list(filter(scope.allows, steps)) for name, steps in behind.items()}


def _overtaken(edit: Edit, running: Mapping[str, str], adopted: Collection[str]) -> dict[str, str]:
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
    adopted = {name for name in edit.new.by_name if name not in own and _can_adopt(edit, name)}
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


def _can_adopt(edit: Edit, name: str) -> bool:
    """Its process goes on, or somebody is still asked; what the engine itself did ended with that."""
    state = edit.state(name)
    if state.state is StepState.WAITING:
        return state.question is not None and not edit.changes_of(name, FieldClass.SEMANTIC)
    running = state.state is StepState.RUNNING and not edit.kill_orphans
    return running and not edit.new.by_name[name].is_engine_work


def _decision(
    edit: Edit,
    name: str,
    running: Mapping[str, str],
    adopted: Collection[str],
    overtaken: Mapping[str, str],
) -> Decision:
    step = edit.state(name)
    if name in adopted:
        word = "waiting" if step.state is StepState.WAITING else "running"
        return Decision(name, Action.ADOPT, f"still {word} since attempt {step.attempt}", step.attempt)
    if name in running:
        return Decision(name, Action.RUN, _why_this_runs(edit, name, running))
    if not (_is_done(step) or step.tolerated):
        return Decision(name, Action.LEAVE, f"not selected; {_why_unfinished(step)}", step.attempt)
    if name in overtaken and step.state is not StepState.SKIPPED:
        return Decision(name, Action.KEEP_STALE, f"not selected, though {overtaken[name]}", step.attempt)
    action = Action.KEEP_STALE if step.stale else Action.KEEP
    return Decision(name, action, _why_kept(edit, step), step.attempt)


def _why_this_runs(edit: Edit, name: str, running: Mapping[str, str]) -> str:
    """For a step that never ran, a parent that runs says more than that."""
    if edit.state(name).state in _NEVER_RAN:
        parent = next((each for each in edit.new.by_name[name].depends if each in running), None)
        if parent:
            return f"upstream {parent} runs" + _edited(edit, name)
    return running[name]


def _unfinished(edit: Edit) -> dict[str, str]:
    """The steps that must run whatever was edited: no work of theirs can be kept, no process adopted."""
    keep_tolerated = _has_hard_failure(edit.attempt)
    found = {}
    for name in edit.new.by_name:
        step = edit.state(name)
        kept = _is_done(step) or (step.tolerated and keep_tolerated)
        if not kept and not _can_adopt(edit, name):
            found[name] = _why_unfinished(step) + _edited(edit, name)
    return found


def _is_done(step: StepRun) -> bool:
    return step.state.is_success or step.state is StepState.SKIPPED


def _chosen(edit: Edit, own: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """The steps with a reason of their own to run, within what was selected."""
    if scope.steps is None:
        return {name: why for name, why in own.items() if scope.allows(name)}
    chosen = [name for name in edit.new.by_name if name in scope.steps and not _can_adopt(edit, name)]
    return {name: f"selected; {own[name]}" if name in own else "selected" for name in chosen}


def _why_unfinished(step: StepRun) -> str:
    if step.marking:
        return str(step.marking)
    if step.state is StepState.FAILED:
        if step.signal:
            return f"failed (signal {step.signal})"
        return "failed" if step.exit_code is None else f"failed (exit {step.exit_code})"
    return _UNFINISHED[step.state]


def _has_hard_failure(attempt: Attempt) -> bool:
    """Something beside tolerated failures and skips is unfinished."""
    return any(not (_is_done(step) or step.tolerated) for step in attempt.steps.values())


def _rewound(edit: Edit) -> dict[str, str]:
    """The steps that a rejection goes back to."""
    found = {}
    for step in edit.new.steps:
        name = edit.new.names.get(step.approval.rewind_to) if step.approval else None
        if name is not None and edit.state(step.name).state is StepState.REJECTED:
            found[name] = f"{step.name} was rejected, and goes back to it"
    return found


def _reconsidered(edit: Edit) -> dict[str, str]:
    """Skipped steps whose skipping is no longer certain. Judging a condition again costs no work."""
    skipped = [name for name in edit.new.by_name if _was_skipped(edit.state(name))]
    names = used_names(edit.new, condition_texts) if skipped else {}
    found = {}
    for name in skipped:
        differing = {**edit.params.get(name, {}), **edit.env.get(name, {})}
        lenient = [
            parent
            for parent in edit.new.by_name[name].depends
            if edit.state(parent).state is StepState.SKIPPED and _changed(edit, parent, "continue_on")
        ]
        marked = [each for each in edit.new.by_name[name].depends if _is_now_done(edit, each)]
        if marked:
            found[name] = f"upstream {marked[0]} was marked succeeded"
        elif _changed(edit, name, "preconditions"):
            found[name] = "its precondition changed"
        elif edit.new.by_name[name].preconditions and (used := sorted(names[name] & differing.keys())):
            found[name] = f"its precondition uses {used[0]}, which changed"
        elif lenient:
            found[name] = f"continue_on of upstream {lenient[0]} changed"
    return found


def _was_skipped(step: StepRun) -> bool:
    """By a condition; what somebody marked so stays so."""
    return step.state is StepState.SKIPPED and step.marking is None


def _is_now_done(edit: Edit, name: str) -> bool:
    """Marked succeeded since the steps behind it were judged."""
    step = edit.state(name)
    return step.state.is_success and step.marking is not None and step.marking.attempt == edit.attempt.n


def _changed(edit: Edit, step: str, path: str) -> bool:
    return any(each.field == path for each in edit.changes_of(step))


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


# -- sub-DAGs ------------------------------------------------------------------------------------


def _with_edited_children(edit: Edit, request: Request) -> dict[str, str]:
    """Finished steps of which a child would run again because its own spec was edited."""
    return {
        each.step: f"its child {each.child} was edited"
        for each in request.children
        if each.step in edit.new.by_name
        and edit.state(each.step).state.is_success
        and each.plan.verdict is not Verdict.NOTHING_TO_DO
    }


def _afresh(edit: Edit, decisions: Iterable[Decision], request: Request) -> tuple[str, ...]:
    """Steps whose children start over: what they were given, or what lies before them, is no longer the same.

    Items are told apart by their values, so those of an unfinished step go on by themselves.
    """
    running = {each.step for each in decisions if each.action is Action.RUN}
    edited = {each.step for each in request.children}
    found = []
    for name in running:
        step, state = edit.new.by_name[name], edit.state(name).state
        redone = state.is_success and name not in edited
        behind = step.parallel is None and any(parent in running for parent in step.depends)
        over = request.everything or request.answers.selection.afresh
        if step.calls and (over or redone or behind):
            found.append(name)
    return tuple(sorted(found))


def _goes_on(child: ChildPlan, decisions: Iterable[Decision], afresh: Collection[str]) -> bool:
    runs = any(each.step == child.step and each.action is Action.RUN for each in decisions)
    return runs and child.step not in afresh


def _of_child(child: ChildPlan) -> Iterable[Finding]:
    """A child's findings, as those of its step; answers name the child and its step."""
    for finding in child.plan.findings:
        if finding in child.plan.rejections or finding in child.plan.questions:
            step = f"{child.child}/{finding.step}" if finding.step else None
            place = f"{child.plan.spec}:{finding.line}:{finding.column}: " if finding.line else ""
            message = f"child {child.child}: {place}{finding.message}"
            yield replace(finding, step=step, message=message, line=0, column=0)


# -- words for the steps that are kept -----------------------------------------------------------


def _edited(edit: Edit, name: str) -> str:
    words = [_change_words(each.field, each.line) for each in edit.changes_of(name)]
    return ", " + ", ".join(words) if words else ""


def _change_words(path: str, line: int) -> str:
    return f"{path} changed at line {line}" if line else f"{path} changed"


def _why_kept(edit: Edit, step: StepRun) -> str:
    reason = f"{step.state.replace('_', ' ')} in attempt {step.attempt or edit.attempt.n}"
    if step.marking:
        reason = str(step.marking)
    elif step.state is StepState.SKIPPED:
        reason = step.reason or "was skipped"
    if step.tolerated:
        reason += ", tolerated"
    if step.stale:
        reason += f", kept as stale since attempt {step.basis}"
    changes = edit.changes_of(step.name)
    if not changes:
        return reason if step.stale or step.marking else f"{reason}, unchanged"
    idle = edit.changes_of(step.name, FieldClass.OPERATIONAL, FieldClass.COSMETIC)
    words = ", ".join(_change_words(each.field, each.line) for each in changes)
    return f"{reason}; {words}" + (", no effect" if len(idle) == len(changes) else "")


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


# -- work that is gone ---------------------------------------------------------------------------


def _lost_needs(edit: Edit) -> Needs:
    """Who refers to work that is on record, but no longer on the disk."""
    lost: dict[tuple[str, str], str] = {}
    for name, evidence in edit.evidence.items():
        if evidence.outputs == "missing":
            lost[name, "outputs"] = "its outputs.json is gone"
        if evidence.artifacts_missing:
            lost[name, "artifacts"] = f"its artifact {evidence.artifacts_missing[0]} is gone"
    needs: dict[str, dict[str, str]] = {}
    if lost:
        producers = _producers(edit)
        for step in edit.new.steps:
            for producer, kind in _references(step, edit, producers):
                if (producer, kind) in lost:
                    needs.setdefault(step.name, {}).setdefault(producer, lost[producer, kind])
    return needs


def _producers(edit: Edit) -> dict[str, list[str]]:
    """Output names to the steps that declare them, or have put them out."""
    found: dict[str, list[str]] = {}
    for step in edit.new.steps:
        declared = {step.output.name} if step.output.name else set()
        for name in declared | edit.state(step.name).outputs.keys():
            found.setdefault(name, []).append(step.name)
    return found


def _references(step: Step, edit: Edit, producers: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The steps whose outputs or artifacts a step's text refers to."""
    names = edit.new.names
    for name in edit.uses.get(step.name, ()):
        for producer in producers.get(name, ()):
            if producer != step.name:
                yield producer, "outputs"
    for text in texts(step):
        for reference in references(text):
            name, path = reference.name, reference.path
            if name == "steps":
                name, _, path = path.partition(".")
            kind = path.split(".")[0]
            if kind in ("outputs", "artifacts") and name in names:
                yield names[name], kind
