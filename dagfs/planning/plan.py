"""A plan: for every step what a retry does with it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dagfs.model.edit import Action, Change, Edit, Finding, Severity
from dagfs.model.site import Site
from dagfs.planning.selection import Selection


class Verdict(StrEnum):
    """What may be done with a plan."""

    COMPATIBLE = "compatible"
    NEEDS_ANSWER = "needs_answer"
    """Somebody must say what becomes of kept steps whose definition changed."""
    REFUSED = "refused"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one step."""

    step: str
    action: Action
    reason: str
    attempt: int = 0
    """The attempt that holds the work that is kept or adopted."""

    def as_data(self) -> dict[str, Any]:
        return {"step": self.step, "action": self.action, "reason": self.reason, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class Answers:
    """What the operator said to a plan's questions. All but the reason is part of the plan's id."""

    on_stale: tuple[tuple[str, str], ...] = ()
    """Step (or `*`) to `rerun`, `keep` or `error`; the last that fits counts."""
    allow: tuple[str, ...] = ()
    """Rules whose allowable rejections are lifted."""
    reason: str = ""
    """Why; needed for `keep` and for `allow`, kept in the attempt."""
    kill_orphans: bool = False
    """End processes that a dead engine left running instead of adopting them."""
    selection: Selection = field(default_factory=Selection)
    """Which steps shall run, where it is not for the plan to find out."""
    params: tuple[tuple[str, str], ...] = ()
    """Parameters that get another value."""
    sets: tuple[str, ...] = ()
    """Values written into the spec, as `STEP.FIELD=VALUE`."""
    tags: tuple[str, ...] = ()
    """Tags that the DAG gets."""
    acknowledged: tuple[str, ...] = ()
    """Steps with `idempotent: false` that may run again."""
    wrapper: str = ""
    """A command that steps to run are put behind, `time -v`."""
    wrapped: str = ""
    """The steps that it is for, as a selection; empty for all that run."""
    profile: str = ""
    """Where steps run in place of what the spec says: a profile's name, or its file."""

    def stale_answer(self, step: str) -> str:
        """`rerun`, `keep` or `error` for a step."""
        found = "error"
        for name, answer in self.on_stale:
            if name in ("*", step):
                found = answer
        return found

    def deciding_data(self) -> dict[str, Any]:
        """What of it decides, the same for two ways of saying the same; the reason decides nothing."""
        answers: dict[str, str] = {}
        for name, answer in self.on_stale:
            answers = {name: answer} if name == "*" else {**answers, name: answer}
        rest = answers.pop("*", "error")
        return {
            "on_stale": {name: answer for name, answer in answers.items() if answer != rest} | {"*": rest},
            "allow": sorted(set(self.allow)),
            "kill_orphans": self.kill_orphans,
            **self._changes(),
            **({"params": dict(self.params)} if self.params else {}),
            **({"acknowledged": sorted(set(self.acknowledged))} if self.acknowledged else {}),
        }

    def _changes(self) -> dict[str, Any]:
        """What is changed beside the spec's own edit; only what is said."""
        found = {
            "params": [list(pair) for pair in self.params],
            "sets": list(self.sets),
            "tags": list(self.tags),
            "wrapper": self.wrapper,
            "wrapped": self.wrapped,
        }
        return {key: value for key, value in found.items() if value}

    def as_data(self) -> dict[str, Any]:
        return {
            "on_stale": [list(pair) for pair in self.on_stale],
            "allow": list(self.allow),
            "reason": self.reason,
            "kill_orphans": self.kill_orphans,
            **({"selection": self.selection.as_data()} if self.selection else {}),
            **({"acknowledged": list(self.acknowledged)} if self.acknowledged else {}),
            **self._changes(),
            **({"profile": self.profile} if self.profile else {}),
        }

    def options(self) -> list[tuple[str, str]]:
        """The options that say it, in the words of the command line; those without a value have none."""
        found = [
            ("--on-stale", answer if step == "*" else f"{step}={answer}") for step, answer in self.on_stale
        ]
        found += [("--allow", rule) for rule in self.allow]
        found += [("--kill-orphans", "")] if self.kill_orphans else []
        found += [("--ack", step) for step in self.acknowledged]
        found += self.selection.options()
        found += [("--param", f"{name}={value}") for name, value in self.params]
        found += [("--set", each) for each in self.sets]
        found += [("--tag", tag) for tag in self.tags]
        said = {
            "--with": self.wrapper,
            "--with-steps": self.wrapped,
            "--profile": self.profile,
            "--reason": self.reason,
        }
        return found + [(name, value) for name, value in said.items() if value]

    def of_child(self, child: str) -> Answers:
        """What of it is about a child: `CHILD/STEP`, and what is said of all."""
        own = tuple(
            (name.removeprefix(f"{child}/"), answer)
            for name, answer in self.on_stale
            if name == "*" or name.startswith(f"{child}/")
        )
        acknowledged = tuple(
            step.removeprefix(f"{child}/") for step in self.acknowledged if step.startswith(f"{child}/")
        )
        return Answers(
            own,
            self.allow,
            self.reason,
            self.kill_orphans,
            acknowledged=acknowledged,
            profile=self.profile,
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Answers:
        """Read back what `as_data` wrote; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            on_stale=tuple((str(step), str(answer)) for step, answer in data["on_stale"]),
            allow=tuple(map(str, data["allow"])),
            reason=str(data["reason"]),
            kill_orphans=bool(data["kill_orphans"]),
            selection=Selection.from_data(data.get("selection", {})),
            params=tuple((str(name), str(value)) for name, value in data.get("params", ())),
            sets=tuple(map(str, data.get("sets", ()))),
            tags=tuple(map(str, data.get("tags", ()))),
            acknowledged=tuple(map(str, data.get("acknowledged", ()))),
            wrapper=str(data.get("wrapper", "")),
            wrapped=str(data.get("wrapped", "")),
            profile=str(data.get("profile", "")),
        )


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """What would become of one child of a step."""

    step: str
    child: str
    """Its id; the second part of its address."""
    plan: Plan


@dataclass(frozen=True, slots=True)
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
        return self.edit.sites.get(decision.step) if decision.action is Action.RUN else None

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
