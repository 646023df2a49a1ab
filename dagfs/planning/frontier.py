"""What may start now, what can no longer start, and how a run ended: the graph while it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dagfs.model.dag import Dag
from dagfs.model.graph import children
from dagfs.model.state import RunState, StepState


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended, as far as the steps behind it care."""

    state: StepState
    tolerated: bool = False
    """It failed, and the spec lets the steps behind it go on."""
    reason: str = ""


class Frontier:
    """Follows a graph as its steps settle. Every edge is looked at once."""

    def __init__(self, dag: Dag, settled: Mapping[str, Outcome] | None = None) -> None:
        self._dag = dag
        self._following = children(dag.depends)
        self._waiting = {step.name: len(set(step.depends)) for step in dag.steps}
        self._outcomes: dict[str, Outcome] = {}
        self._ready: deque[str] = deque()
        self._blocked: list[tuple[str, Outcome]] = []
        given = settled or {}
        for name, count in self._waiting.items():
            if count == 0 and name not in given:
                self._ready.append(name)
        for name, outcome in given.items():
            self._settle(name, outcome, given)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Every settled step."""
        return self._outcomes

    def take(self) -> str | None:
        """The next step that may start, each only once, in the order of the spec where it can be."""
        return self._ready.popleft() if self._ready else None

    def put_back(self, name: str) -> None:
        """A step that was taken but could not be started yet goes first again."""
        self._ready.appendleft(name)

    def has_ready(self) -> bool:
        return bool(self._ready)

    def blocked(self) -> list[tuple[str, Outcome]]:
        """Steps that can no longer start since the last call, with their outcome; already settled."""
        found, self._blocked = self._blocked, []
        return found

    def settle(self, name: str, outcome: Outcome) -> None:
        """A step ended; what stands behind it becomes ready or blocked."""
        self._settle(name, outcome, {})

    def _settle(self, name: str, outcome: Outcome, given: Mapping[str, Outcome]) -> None:
        work = deque([(name, outcome)])
        while work:
            name, outcome = work.popleft()
            self._outcomes[name] = outcome
            for child in self._following[name]:
                self._waiting[child] -= 1
                if self._waiting[child] or child in given:
                    continue
                obstacle = self._obstacle(child)
                if obstacle is None:
                    self._ready.append(child)
                else:
                    self._blocked.append((child, obstacle))
                    work.append((child, obstacle))

    def _obstacle(self, name: str) -> Outcome | None:
        """Why a step whose parents have all settled cannot start. A failure weighs more than a skip."""
        skip: Outcome | None = None
        for parent in self._dag.by_name[name].depends:
            outcome = self._outcomes[parent]
            if outcome.state.is_success or outcome.tolerated:
                continue
            if outcome.state is StepState.SKIPPED:
                if not self._dag.by_name[parent].continue_on.skipped:
                    skip = skip or Outcome(StepState.SKIPPED, reason=f"upstream {parent} was skipped")
                continue
            return Outcome(StepState.UPSTREAM_FAILED, reason=f"upstream {parent}: {outcome.state}")
        return skip


def verdict(outcomes: Iterable[Outcome], *, stopped: bool = False, timed_out: bool = False) -> RunState:
    """How a run ended, from how its steps did."""
    states = list(outcomes)
    hard = {each.state for each in states if not each.tolerated}
    if timed_out:
        return RunState.FAILED
    if StepState.REJECTED in hard:
        return RunState.REJECTED
    if stopped:
        return RunState.ABORTED
    if hard & {StepState.FAILED, StepState.LOST, StepState.UPSTREAM_FAILED, StepState.ABORTED}:
        return RunState.FAILED
    if StepState.WAITING in hard:
        return RunState.WAITING
    tolerated = any(each.tolerated for each in states)
    if tolerated and not any(each.state.is_success for each in states):
        return RunState.FAILED
    if tolerated or StepState.PARTIALLY_SUCCEEDED in hard:
        return RunState.PARTIALLY_SUCCEEDED
    return RunState.SUCCEEDED
