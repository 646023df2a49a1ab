"""Plans a retry: which steps keep their work and which run, with a reason for each.

`plan_retry` has no clock, disk or plugin of its own: rules come in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dagfs.model.dag import Dag, Step
from dagfs.model.edit import Action, Edit, Finding, Severity
from dagfs.model.fingerprint import FieldClass, digest
from dagfs.model.graph import topological
from dagfs.model.reference import references
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.plan import Answers, Decision, Plan, Verdict
from dagfs.planning.usage import texts

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


def plan_retry(edit: Edit, request: Request, check: Check) -> Plan:
    """The plan for continuing a run with an edited spec, or with the one it has."""
    edit = replace(edit, kill_orphans=request.answers.kill_orphans)
    consumed = consumers(edit.new)
    again: dict[str, str] = {}
    while True:
        decisions = _decide(edit, again, request.answers)
        seen = replace(edit, actions={each.step: each.action for each in decisions})
        findings = tuple(sorted(_unique(check(seen)), key=_place))
        more = _reruns(seen, findings, request.answers, again) | _lost_work(seen, consumed)
        if not more:
            break
        again.update(more)
    decisions = _kept_stale(decisions, findings, request.answers)
    plan = Plan(
        run=request.run,
        id=plan_id(edit.attempt, request),
        verdict=Verdict.COMPATIBLE,
        base=edit.attempt.n,
        attempt=edit.attempt.n + 1,
        spec=request.spec,
        decisions=decisions,
        findings=findings,
        edit=replace(seen, actions={each.step: each.action for each in decisions}),
        answers=request.answers,
    )
    return replace(plan, verdict=_verdict(plan))


def plan_id(attempt: Attempt, request: Request) -> str:
    """Covers all that decides, so that an equal id means an equal plan. The reason given decides nothing."""
    return digest(
        {
            "run": request.run,
            "attempt": attempt.n,
            "states": {name: [step.state, step.attempt, step.stale] for name, step in attempt.steps.items()},
            "spec": request.spec_sha256,
            "answers": {**request.answers.as_data(), "reason": ""},
            "circumstances": dict(request.circumstances),
        }
    )


def _place(finding: Finding) -> tuple[int, int, str, str]:
    return (-finding.severity, finding.line, finding.rule, finding.step or "")


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _verdict(plan: Plan) -> Verdict:
    if plan.rejections:
        return Verdict.REFUSED
    if plan.questions:
        return Verdict.NEEDS_ANSWER
    if all(decision.action.is_keep for decision in plan.decisions) and _is_complete(plan.edit.attempt):
        return Verdict.NOTHING_TO_DO
    return Verdict.COMPATIBLE


def _is_complete(attempt: Attempt) -> bool:
    """The attempt came to its own end, handlers included; one that did not is taken to it by a retry."""
    return attempt.state in (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)


def _decide(edit: Edit, again: Mapping[str, str], answers: Answers) -> tuple[Decision, ...]:
    """One pass in topological order; the result is in the order of the spec."""
    retry_tolerated = not _has_hard_failure(edit.attempt)
    decided: dict[str, Decision] = {}
    for name in topological(edit.new.depends):
        parents = edit.new.by_name[name].depends
        running = next((p for p in parents if p in decided and decided[p].action is Action.RUN), None)
        decided[name] = _decide_step(edit, name, running, again.get(name), retry_tolerated, answers)
    return tuple(decided[step.name] for step in edit.new.steps if step.name in decided)


def _decide_step(
    edit: Edit, name: str, running: str | None, again: str | None, retry_tolerated: bool, answers: Answers
) -> Decision:
    step = edit.state(name)
    if step.state is StepState.RUNNING and not (answers.kill_orphans or again or running):
        return Decision(name, Action.ADOPT, f"still running since attempt {step.attempt}", step.attempt)
    reason = _why_unfinished(step, retry_tolerated)
    if running and step.state in (StepState.UPSTREAM_FAILED, StepState.NOT_STARTED):
        reason = f"upstream {running} runs"
    if reason:
        return Decision(name, Action.RUN, reason + _edited(edit, name))
    if again:
        return Decision(name, Action.RUN, again)
    if running:
        return Decision(name, Action.RUN, f"upstream {running} runs")
    if step.state is StepState.SKIPPED and _condition_changed(edit, name):
        return Decision(name, Action.RUN, "its precondition changed")
    action = Action.KEEP_STALE if step.stale else Action.KEEP
    return Decision(name, action, _why_kept(edit, step), step.attempt)


def _why_unfinished(step: StepRun, retry_tolerated: bool) -> str:
    """Why a step must run whatever the edit; empty where its work can be kept."""
    state = step.state
    if state.is_success or state is StepState.SKIPPED:
        return ""
    if state is StepState.FAILED:
        if step.tolerated and not retry_tolerated:
            return ""
        how = f"signal {step.signal}" if step.signal else f"exit {step.exit_code}"
        return f"failed ({how})" if step.exit_code is not None else "failed"
    return _WHY_RUN.get(state, str(state))


_WHY_RUN = {
    StepState.NOT_STARTED: "never ran",
    StepState.QUEUED: "never ran",
    StepState.RUNNING: "was running when its engine died",
    StepState.RETRYING: "was between two tries",
    StepState.WAITING: "was waiting",
    StepState.ABORTED: "was stopped",
    StepState.REJECTED: "was rejected",
    StepState.UPSTREAM_FAILED: "never ran: an upstream step failed",
    StepState.LOST: "its end is unknown",
}


def _has_hard_failure(attempt: Attempt) -> bool:
    """Something beside tolerated failures and skips is unfinished."""
    return any(
        not (step.state.is_success or step.state is StepState.SKIPPED or step.tolerated)
        for step in attempt.steps.values()
    )


def _edited(edit: Edit, name: str) -> str:
    words = [_change_words(each.field, each.line) for each in edit.changes if each.step == name]
    return ", " + ", ".join(words) if words else ""


def _change_words(path: str, line: int) -> str:
    return f"{path} changed at line {line}" if line else f"{path} changed"


def _why_kept(edit: Edit, step: StepRun) -> str:
    reason = f"{step.state.replace('_', ' ')} in attempt {step.attempt or edit.attempt.n}"
    if step.state is StepState.SKIPPED:
        reason = step.reason or "was skipped"
    if step.stale:
        return f"{reason}, accepted as stale in attempt {step.basis}"
    changes = [each for each in edit.changes if each.step == step.name]
    if not changes:
        return reason + ", unchanged"
    idle = [each for each in changes if each.kind in (FieldClass.OPERATIONAL, FieldClass.COSMETIC)]
    words = ", ".join(_change_words(each.field, each.line) for each in changes)
    return f"{reason}; {words}" + (", no effect" if len(idle) == len(changes) else "")


def _condition_changed(edit: Edit, name: str) -> bool:
    return any(each.step == name and each.field == "preconditions" for each in edit.changes)


def _reruns(
    edit: Edit, findings: Iterable[Finding], answers: Answers, again: Mapping[str, str]
) -> dict[str, str]:
    """Kept steps that the operator's answer sends back, with the reason."""
    found = {}
    for finding in findings:
        name = finding.step
        if finding.severity is not Severity.ASK or name is None or name in again:
            continue
        if edit.is_kept(name) and answers.stale_answer(name) == "rerun":
            found[name] = f"stale: {finding.message}"
    return found


def _kept_stale(
    decisions: Iterable[Decision], findings: Iterable[Finding], answers: Answers
) -> tuple[Decision, ...]:
    """Mark the kept steps whose questions were answered with `keep`."""
    asked = {each.step: each for each in findings if each.severity is Severity.ASK}
    result = []
    for decision in decisions:
        finding = asked.get(decision.step)
        if finding and decision.action.is_keep and answers.stale_answer(decision.step) == "keep":
            reason = f"kept although {finding.message}"
            decision = replace(decision, action=Action.KEEP_STALE, reason=reason)  # noqa: PLW2901
        result.append(decision)
    return tuple(result)


def _lost_work(edit: Edit, consumed: Mapping[str, Mapping[str, frozenset[str]]]) -> dict[str, str]:
    """Kept steps whose work is gone from the disk although a step that runs would use it."""
    found = {}
    for name, evidence in edit.evidence.items():
        if not edit.is_kept(name):
            continue
        uses = {
            kind
            for consumer, kinds in consumed.get(name, {}).items()
            if not edit.is_kept(consumer)
            for kind in kinds
        }
        if evidence.outputs == "missing" and "outputs" in uses:
            found[name] = "its outputs.json is gone"
        elif evidence.artifacts_missing and "artifacts" in uses:
            found[name] = f"its artifact {evidence.artifacts_missing[0]} is gone"
    return found


def consumers(dag: Dag) -> Mapping[str, Mapping[str, frozenset[str]]]:
    """For each step, who refers to what of its work: `{producer: {consumer: {outputs, artifacts, logs}}}`."""
    producers: dict[str, set[str]] = {}
    for step in dag.steps:
        if step.output.name:
            producers.setdefault(step.output.name, set()).add(step.name)
    found: dict[str, dict[str, frozenset[str]]] = {}
    for step in dag.steps:
        for producer, kind in _references(step, dag, producers):
            kinds = found.setdefault(producer, {})
            kinds[step.name] = kinds.get(step.name, frozenset()) | {kind}
    return found


def _references(step: Step, dag: Dag, producers: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    """The steps whose work a step's text refers to, and what of it."""
    for text in texts(step):
        for reference in references(text):
            for producer in producers.get(reference.name, ()):
                yield producer, "outputs"
            if reference.path and reference.name in dag.names:
                kind = reference.path.split(".")[0]
                yield dag.names[reference.name], kind if kind in ("outputs", "artifacts") else "logs"
