"""What an execution needs of the runner it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dagfs.engine.call import ChildEnd, Manner, Order
from dagfs.model.dag import Step
from dagfs.model.run import StepRun
from dagfs.planning.outcome import Ending


class Ledger(Protocol):
    """Writes down what happens, knows what has happened, and carries out children."""

    def note(self, name: str, **data: Any) -> None:
        """Record an event; it is durable before anybody is told of it."""

    def is_stopping(self) -> bool: ...

    def is_killed(self) -> bool: ...

    def outputs_before(self, step: str) -> Mapping[str, str]:
        """Outputs of all steps upstream, the nearest of a name winning; of all steps for `""`."""

    def step_runs(self) -> Mapping[str, StepRun]: ...

    def utc_in(self, seconds: float) -> str: ...

    def descend(
        self,
        step: Step,
        subject: Mapping[str, str],
        orders: Sequence[Order],
        manner: Manner,
        done: Callable[[Ending, Sequence[ChildEnd]], None],
    ) -> None:
        """Carry out the children that a step asks for; `done` gets how that ended."""
