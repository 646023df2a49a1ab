"""A plan: for every step what a retry does with it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dagfs.model.edit import Action, Change, Edit, Finding, Severity
from dagfs.model.site import Site
from dagfs.model.value import field, frozen
from dagfs.planning.answers import Answers


class Verdict(StrEnum):
    """What may be done with a plan."""

    COMPATIBLE = "compatible"
    NEEDS_ANSWER = "needs_answer"
    """Somebody must say what becomes of kept steps whose definition changed."""
    REFUSED = "refused"
    NOTHING_TO_DO = "nothing_to_do"


@frozen
class Decision:
    """What becomes of one step."""

    step: str
    action: Action
    reason: str
    attempt: int = 0
    """The attempt that holds the work that is kept or adopted."""
    against: Mapping[str, str] = field(default_factory=dict)
    """For one that is deferred, steps before it to digests of what they had made."""

    def as_data(self) -> dict[str, Any]:
        found = {"step": self.step, "action": self.action, "reason": self.reason, "attempt": self.attempt}
        return {**found, **({"unless_same": sorted(self.against)} if self.against else {})}


@frozen
class ChildPlan:
    """What would become of one child of a step."""

    step: str
    child: str
    """Its id; the second part of its address."""
    plan: Plan
    is_edited: bool = False
    """Its own spec was edited, or steps of it selected: it counts although its step has succeeded."""


@frozen
class Plan:
    """What `dagfs plan` shows and `dagfs retry` carries out: one and the same."""

    run: str
    id: str
    verdict: Verdict
    base: int
    """The attempt that would be continued."""
    attempt: int
    """The attempt that would be made."""
    spec: str
    """The text it is for: `spec.next.yaml`, or the newest `spec.vN.yaml` where nothing is pending."""
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    edit: Edit = field(repr=False)
    answers: Answers = Answers()
    children: tuple[ChildPlan, ...] = ()
    """Children that go on with their own finished work kept, when their step runs."""
    afresh: tuple[str, ...] = ()
    """Steps whose children start over."""

    @property
    def actions(self) -> Mapping[str, Action]:
        return {decision.step: decision.action for decision in self.decisions}

    @property
    def questions(self) -> tuple[Finding, ...]:
        """Findings that wait for an answer."""
        return tuple(finding for finding in self.findings if self.is_open(finding))

    @property
    def rejections(self) -> tuple[Finding, ...]:
        """Findings that refuse the edit and were not allowed."""
        return tuple(
            finding
            for finding in self.findings
            if finding.severity is Severity.REJECT and not self.lifts(finding)
        )

    def is_open(self, finding: Finding) -> bool:
        """It asks something that the operator has not answered."""
        asks = finding.severity is Severity.ASK
        return asks and self.answers.stale_answer(finding.step or "*") == "error"

    def blocks(self, finding: Finding) -> bool:
        """It stands in the way of the plan."""
        rejects = finding.severity is Severity.REJECT and not self.lifts(finding)
        return rejects or self.is_open(finding)

    def lifts(self, finding: Finding) -> bool:
        """The operator allowed what this finding rejects, and here that is possible."""
        rejects = finding.severity is Severity.REJECT
        return rejects and finding.allowable and finding.rule in self.answers.allow

    def site(self, decision: Decision) -> Site | None:
        """Where a step that runs would do so, if that is a profile's choice, or another place than before."""
        return self.edit.sites.get(decision.step) if decision.action.may_run else None

    def _site_data(self, decision: Decision) -> dict[str, Any]:
        site = self.site(decision)
        return {"executor": site.executor, "before": site.before} if site else {}

    def as_data(self) -> dict[str, Any]:
        """The JSON of `dagfs plan --json`, which `dagfs retry --plan FILE` takes back."""
        return {
            "format": 1,
            "run": self.run,
            "plan": self.id,
            "verdict": self.verdict,
            "base": self.base,
            "attempt": self.attempt,
            "spec": self.spec,
            "steps": [{**decision.as_data(), **self._site_data(decision)} for decision in self.decisions],
            "findings": [finding_data(finding, self) for finding in self.findings],
            "changes": [change_data(change) for change in self.edit.changes],
            "added": list(self.edit.added),
            "removed": list(self.edit.removed),
            "renamed": dict(self.edit.renamed),
            "answers": self.answers.as_data(),
            "children": [
                {
                    "step": each.step,
                    "child": each.child,
                    "verdict": each.plan.verdict,
                    "steps": [decision.as_data() for decision in each.plan.decisions],
                    "children": each.plan.as_data()["children"],
                }
                for each in self.children
            ],
            "afresh": list(self.afresh),
        }


def change_data(change: Change) -> dict[str, Any]:
    """One changed field as JSON."""
    return {
        "step": change.step,
        "field": change.field,
        "kind": change.kind,
        "old": change.old,
        "new": change.new,
        "line": change.line,
    }


def finding_data(finding: Finding, plan: Plan) -> dict[str, Any]:
    """One finding as JSON, with whether it still stands in the way."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.name.lower(),
        "step": finding.step,
        "field": finding.field,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "hint": finding.hint,
        "allowable": finding.allowable,
        "blocks": plan.blocks(finding),
    }
