"""What the engine itself does for a step: calls another DAG, chooses a route, asks somebody.

There is no process, but what a process would print goes into the step's log all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from dagfs.engine.call import ChildEnd, Manner, Order, orders, summary
from dagfs.engine.environment import StepEnvironment
from dagfs.engine.gathering import collect, lists
from dagfs.engine.ledger import Ledger
from dagfs.engine.wish import Await, Wish
from dagfs.engine.workplace import Workplace
from dagfs.model.dag import Approval, Router
from dagfs.model.value import replace
from dagfs.planning.outcome import Ending
from dagfs.planning.routing import chosen
from dagfs.spec.values import expand
from dagfs.store.layout import StepPaths


class Errand:
    """The engine's own work for one step, or for one handler."""

    def __init__(self, workplace: Workplace, ledger: Ledger) -> None:
        self._workplace, self._ledger = workplace, ledger
        self._setting, self.step = workplace.setting, workplace.step
        self._ends: Sequence[ChildEnd] | None = None
        self._collected: Sequence[Mapping[str, str]] = ()
        self._lists: Mapping[str, str] = {}
        self.chosen: tuple[str, ...] | None = None
        """The steps that a router chose."""

    @property
    def asks(self) -> bool:
        """Somebody has to say a word before the steps behind it go on."""
        return self.step.approval is not None or self.step.executor.type == "hitl"

    def subject(self) -> dict[str, str]:
        """Whose work it is, as events name it."""
        handler = self._workplace.handler
        return {"handler": handler} if handler else {"step": self.step.name}

    def run(
        self,
        started: tuple[str, Mapping[str, Any]],
        manner: Manner,
        variables: StepEnvironment,
        logs: StepPaths,
    ) -> Generator[Wish, Ending, Ending]:
        """One try of it. `started` is the event that goes before its effects."""
        if self.step.calls:
            wanted = self._orders(variables)
            began = (started[0], {**started[1], "children": len(wanted)})
            ending = yield Await(lambda done: self._descend(wanted, manner, done), (began,))
            self._gather(variables, ending)
            return self._as_dialect_has_it(ending)
        self._ledger.note(started[0], **started[1])
        if self.step.router is not None:
            return self._route(self.step.router, variables, logs)
        self.print("Waiting for human approval...\n", logs)
        return Ending(exit_code=0)

    def _route(self, router: Router, variables: StepEnvironment, logs: StepPaths) -> Ending:
        value = expand(router.value, variables.scope)
        self.chosen = chosen(router, value)
        self.print(f"{value}\n", logs)
        return Ending(exit_code=0)

    def question(self, variables: StepEnvironment) -> dict[str, Any]:
        """What is asked of somebody."""
        approval = self.step.approval or Approval()
        prompt = expand(approval.prompt, variables.scope)
        return {"prompt": prompt, "input": list(approval.input), "required": list(approval.required)}

    # --- sub-DAGs

    def _orders(self, variables: StepEnvironment) -> Sequence[Order]:
        inherited = tuple(self._setting.values.params.items())
        seen = self._seen_by_body() if self.step.call.body else {}
        handler = self._workplace.handler
        return orders(self.step, variables.scope, self._setting.run, inherited, seen, handler=handler)

    def _seen_by_body(self) -> dict[str, str]:
        """What steps before it have put out, as far as the text of its body speaks of it."""
        body = self.step.call.body
        seen = dict(self._ledger.outputs_before("" if self._workplace.handler else self.step.name))
        runs = self._ledger.step_runs()
        for word, name in self._setting.dag.names.items():
            for key, value in runs[name].outputs.items() if name in runs else ():
                seen |= {f"steps.{word}.outputs.{key}": value, f"{word}.outputs.{key}": value}
        return {name: value for name, value in seen.items() if name in body or name.split(".")[-1] in body}

    def _descend(self, wanted: Sequence[Order], manner: Manner, done: Callable[[Ending], None]) -> None:
        def end(ending: Ending, ends: Sequence[ChildEnd]) -> None:
            self._ends = ends
            done(ending)

        self._ledger.descend(self.step, self.subject(), wanted, manner, end)

    def _as_dialect_has_it(self, ending: Ending) -> Ending:
        """Dagu 1 lets a call fail whose sub-DAG's own precondition was not met; Dagu 2 skips it."""
        if ending.cause == "unmet" and self._setting.dag.dialect == "dagu1":
            return replace(ending, cause="")
        return ending

    def sum_up(self, logs: StepPaths) -> None:
        """Print what the children came to, as Dagu does."""
        if self._ends is not None and (self._ends or self.step.parallel):
            self.print(summary(self.step, self._ends, self._collected), logs)

    def _gather(self, variables: StepEnvironment, ending: Ending) -> None:
        """Take what the items hand on. ValueError where that is not there."""
        if self.step.parallel and self.step.parallel.collect and ending.cause != "waiting":
            self._collected = collect(self.step, self._ends or (), variables.scope)
            self._lists = lists(self.step, self._collected, self._setting.dag.max_output_size)

    def outputs(self) -> dict[str, str]:
        """What the one child put out, and in Dagu 2 so its step; or lists of what was collected."""
        if self._lists:
            return {name: self._setting.values.redactor.text(text) for name, text in self._lists.items()}
        ends = self._ends or ()
        if len(ends) != 1 or self.step.parallel or self._setting.dag.dialect == "dagu1":
            return {}
        return dict(ends[0].outputs)

    def print(self, text: str, logs: StepPaths) -> None:
        """Append to the step's log."""
        log = self._setting.disk.open_append(logs.stdout)
        try:
            log.write(self._setting.values.redactor.text(text).encode("utf-8", "surrogateescape"))
        finally:
            log.close()
