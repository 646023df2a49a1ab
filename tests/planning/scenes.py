"""Small scenes for tests of planning and rules: a run as it stands, an edit of its spec, the plan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from textwrap import dedent

from dagfs.hooks.manager import PluginManager
from dagfs.model.dag import Dag
from dagfs.model.edit import Edit, Evidence, Finding
from dagfs.model.run import Attempt, AttemptHeader, StepRun
from dagfs.model.state import RunState, StepState
from dagfs.planning.answers import Answers
from dagfs.planning.compat import Basis, compare
from dagfs.planning.frontier import Outcome, verdict
from dagfs.planning.plan import Plan
from dagfs.planning.request import Request
from dagfs.planning.retry import plan_retry
from dagfs.spec.parse import Options, read

PLUGINS = PluginManager()
PLUGINS.load_built_ins()

BEGUN = frozenset(StepState) - {
    StepState.NOT_STARTED,
    StepState.QUEUED,
    StepState.SKIPPED,
    StepState.UPSTREAM_FAILED,
}


def spec(text: str) -> Dag:
    """The DAG of a YAML text, with the places of its fields; the first line of `text` may be empty."""
    return read(dedent(text).lstrip("\n").encode(), "spec.next.yaml", options=Options(dialect="dagu2"))


def step_run(dag: Dag, name: str, state: StepState, n: int = 1, **more: object) -> StepRun:
    """A step that came to `state` in attempt `n`, with the output it declares if it ran well."""
    ran = state in BEGUN
    output = dag.by_name[name].output.name
    made = StepRun(
        name,
        state,
        attempt=n if ran else 0,
        log_attempt=n if ran else 0,
        basis=n if ran else 0,
        ever_started=ran,
        exit_code={StepState.SUCCEEDED: 0, StepState.FAILED: 1}.get(state),
        outputs={output: "some value"} if output and state.is_success else {},
    )
    return replace(made, **more)


def attempt_of(dag: Dag, steps: Mapping[str, StepRun], n: int = 1) -> Attempt:
    """An attempt that ended as its steps say."""
    ends = [Outcome(step.state, step.tolerated) for step in steps.values()]
    underway = any(step.state.is_underway for step in steps.values())
    state = RunState.INTERRUPTED if underway else verdict(ends)
    return Attempt(AttemptHeader(n=n), state=state, steps=steps)


@dataclass
class Scene:
    """A run of a spec with one attempt, where steps not named have succeeded."""

    text: str
    states: Mapping[str, StepState | StepRun] = field(default_factory=dict)
    params: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        self.old = spec(self.text)
        self.attempt = attempt_of(self.old, {step.name: self._run(step.name) for step in self.old.steps})

    def _run(self, name: str) -> StepRun:
        state = self.states.get(name, StepState.SUCCEEDED)
        return state if isinstance(state, StepRun) else step_run(self.old, name, state)

    def edit(
        self,
        new: str | Dag | None = None,
        *,
        params: Mapping[str, str] | None = None,
        evidence: Mapping[str, Evidence] | None = None,
    ) -> Edit:
        dag = self.old if new is None else spec(new) if isinstance(new, str) else new
        declared = {param.name: param.value for param in self.old.params}
        after = {param.name: param.value for param in dag.params}
        return compare(
            self.attempt,
            {1: Basis(self.old, declared if self.params is None else self.params)},
            Basis(dag, after if params is None else params),
            PLUGINS.classify,
            evidence,
        )

    def plan(
        self,
        new: str | Dag | None = None,
        answers: Answers | None = None,
        *,
        params: Mapping[str, str] | None = None,
        evidence: Mapping[str, Evidence] | None = None,
    ) -> Plan:
        """The plan of a retry with `new`, or without an edit."""
        return plan_retry(
            self.edit(new, params=params, evidence=evidence),
            request(new if isinstance(new, str) else self.text, answers),
            PLUGINS.check_edit,
        )


def request(text: str, answers: Answers | None = None) -> Request:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Request("run1", "spec.next.yaml", sha256, answers or Answers(), {"shell": "1"})


def rerun(*steps: str) -> Answers:
    return Answers(on_stale=tuple((step, "rerun") for step in steps or ("*",)))


def keep(*steps: str) -> Answers:
    return Answers(on_stale=tuple((step, "keep") for step in steps or ("*",)), reason="it is fine")


def allow(*rules: str) -> Answers:
    return Answers(allow=rules, reason="it is fine")


def actions(plan: Plan) -> dict[str, str]:
    return {decision.step: decision.action.value for decision in plan.decisions}


def reason(plan: Plan, step: str) -> str:
    return next(decision.reason for decision in plan.decisions if decision.step == step)


def rules_of(plan: Plan) -> list[str]:
    """The rules of all findings, heaviest first."""
    return [finding.rule for finding in plan.findings]


def only(plan: Plan) -> Finding:
    """The plan's one finding."""
    (finding,) = plan.findings
    return finding


def place(finding: Finding) -> tuple[int, int]:
    return finding.line, finding.column
