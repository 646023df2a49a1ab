"""What may start now, what can no longer start, and how a run ended: the graph while it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from dagfs.model.dag import Dag
from dagfs.model.graph import children
from dagfs.model.state import RunState, StepState
from dagfs.model.value import frozen


@frozen
class Outcome:
    """How a step ended, as far as the steps behind it care."""

    state: StepState
    tolerated: bool = False
    """It failed, and the spec lets the steps behind it go on."""
    reason: str = ""


class Frontier:
    """Follows a graph as its steps settle. Every edge is looked at twice at most.

    What stands behind a step that was stopped is neither ready nor blocked: it has not started.
    """

    def __init__(self, dag: Dag, settled: Mapping[str, Outcome] | None = None) -> None:
        self._dag = dag
        self._following = children(dag.depends)
        self._waiting = {step.name: len(set(step.depends)) for step in dag.steps}
        self._outcomes: dict[str, Outcome] = {}
        self._ready: deque[str] = deque()
        self._blocked: list[tuple[str, Outcome]] = []
        self._outcomes.update(settled or {})
        for name, count in self._waiting.items():
            if count == 0 and name not in self._outcomes:
                self._ready.append(name)
        for name in settled or {}:
            self._pass_on(name)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Every settled step."""
        return self._outcomes

    def take(self) -> str | None:
        """The next step that may start, each only once, in the order of the spec where it can be."""
        return self._ready.popleft() if self._ready else None

    def has_ready(self) -> bool:
        return bool(self._ready)

    def blocked(self) -> list[tuple[str, Outcome]]:
        """Steps that can no longer start since the last call, with their outcome; already settled."""
        found, self._blocked = self._blocked, []
        return found

    def settle(self, name: str, outcome: Outcome) -> None:
        """A step ended; what stands behind it becomes ready or blocked."""
        self._outcomes[name] = outcome
        self._pass_on(name)

    def _pass_on(self, name: str) -> None:
        work = deque([name])
        while work:
            for child in self._following[work.popleft()]:
                self._waiting[child] -= 1
                if self._waiting[child] or child in self._outcomes:
                    continue
                obstacle = self._obstacle(child)
                if obstacle is None:
                    self._ready.append(child)
                elif obstacle.state is not StepState.NOT_STARTED:
                    self._blocked.append((child, obstacle))
                    self._outcomes[child] = obstacle
                    work.append(child)

    def _obstacle(self, name: str) -> Outcome | None:
        """Why a step whose parents have all settled cannot start.

        A failure weighs more than a stop, and a stop more than a skip.
        """
        stop: Outcome | None = None
        skip: Outcome | None = None
        for parent in self._dag.by_name[name].depends:
            outcome = self._outcomes[parent]
            if outcome.state.is_success or outcome.tolerated:
                continue
            if outcome.state is StepState.SKIPPED:
                if not self._dag.by_name[parent].continue_on.skipped:
                    skip = skip or Outcome(StepState.SKIPPED, reason=f"upstream {parent} was skipped")
            elif outcome.state is StepState.ABORTED:
                stop = Outcome(StepState.NOT_STARTED)
            else:
                return Outcome(StepState.UPSTREAM_FAILED, reason=f"upstream {parent}: {outcome.state}")
        return stop or skip


_FINE = frozenset({StepState.SUCCEEDED, StepState.PARTIALLY_SUCCEEDED, StepState.SKIPPED})
"""How the steps of a run that went well have ended."""


def verdict(outcomes: Iterable[Outcome], *, stopped: bool = False, timed_out: bool = False) -> RunState:
    """How a run ended, from how its steps did."""
    ends = list(outcomes)
    tolerated = any(each.tolerated for each in ends)
    states = {each.state for each in ends if not each.tolerated}
    if timed_out:
        return RunState.FAILED
    if stopped:
        return RunState.REJECTED if StepState.REJECTED in states else RunState.ABORTED
    if StepState.WAITING in states:
        return RunState.WAITING
    if StepState.REJECTED in states:
        return RunState.REJECTED
    if states - _FINE or (tolerated and not any(state.is_success for state in states)):
        return RunState.FAILED
    if tolerated or StepState.PARTIALLY_SUCCEEDED in states:
        return RunState.PARTIALLY_SUCCEEDED
    return RunState.SUCCEEDED
