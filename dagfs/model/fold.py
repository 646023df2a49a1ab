"""How events change an attempt: the journal, told from its first line, adds up to what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dagfs.model import event as ev
from dagfs.model.event import Event
from dagfs.model.run import MARKABLE, Actor, Attempt, AttemptHeader, ChildRun, Marking, StepRun, Word
from dagfs.model.state import TRANSITIONS, RunState, StepState
from dagfs.model.value import replace

_NOT_BEGUN = (StepState.UPSTREAM_FAILED, StepState.ABORTED)
"""How a step can end in an attempt in which nothing came of it."""


class Fold:
    """Builds an `Attempt` from events, one at a time.

    A step never leaves a settled state within an attempt unless it is marked after the attempt's end, and
    what was kept or adopted had not begun;
    an event that says otherwise, or lacks a part, is a damaged or forged journal and raises
    `ValueError` with the event's number.
    """

    def __init__(self, header: AttemptHeader, step_names: Iterable[str], base: Attempt | None = None) -> None:
        self._header = header
        before = base.steps if base else {}
        self._steps = {
            name: replace(
                StepRun(name),
                ever_started=name in before and before[name].ever_started,
                children=before[name].children if name in before else {},
            )
            for name in step_names
        }
        self._handlers: dict[str, StepRun] = {}
        self._children: dict[tuple[str, str], dict[str, ChildRun]] = {}
        """By the name of the step, or of the handler."""
        self._base = base
        self._attempt = Attempt(header)

    @classmethod
    def going_on(cls, attempt: Attempt, base: Attempt | None = None) -> Fold:
        """A fold that has taken in all that made `attempt`, for one whose earlier events are not at hand."""
        fold = cls(attempt.header, attempt.steps, base)
        fold._attempt = attempt
        fold._steps, fold._handlers = dict(attempt.steps), dict(attempt.handlers)
        for whose, steps in (("step", attempt.steps), ("handler", attempt.handlers)):
            for name, step in steps.items():
                key = (name, "") if whose == "step" else ("", name)
                fold._children |= {key: dict(step.children)} if step.children else {}
        return fold

    def apply(self, event: Event) -> None:
        """Take in one more event; one of a name that is not known changes nothing."""
        change = _CHANGES.get(event.name)
        if change is not None:
            try:
                change(self, event)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                what = f"has no {error}" if isinstance(error, KeyError) else str(error)
                raise ValueError(f"event {event.n} ({event.name}): {what}") from error
        self._attempt = replace(self._attempt, events=event.n)

    def step(self, name: str) -> StepRun:
        """How a step stands now."""
        return self._steps[name]

    @property
    def steps(self) -> Mapping[str, StepRun]:
        """A live view of all steps."""
        return self._steps

    def attempt(self) -> Attempt:
        """Everything folded so far, as a value."""
        steps = dict(self._steps)
        handlers = dict(self._handlers)
        for (name, handler), children in self._children.items():
            if name in steps:
                earlier = {} if steps[name].state.is_success else steps[name].children
                steps[name] = replace(steps[name], children={**earlier, **children})
            elif handler in handlers:
                handlers[handler] = replace(handlers[handler], children=dict(children))
        return replace(self._attempt, steps=steps, handlers=handlers)

    def children(self, step: str = "", handler: str = "") -> Mapping[str, ChildRun]:
        """A live view of the children of a step, or of a handler, in this attempt."""
        return self._children.get((step, handler), {})

    def _children_of(self, event: Event) -> dict[str, ChildRun]:
        whose = event.step or "", str(event.data.get("handler") or "")
        return self._children.setdefault(whose, {})

    def _move(self, event: Event, state: StepState, **changes: Any) -> None:
        name = event.step or ""
        old = self._steps.get(name) or StepRun(name)
        if state not in TRANSITIONS[old.state]:
            raise ValueError(f"step {name!r} cannot go from {old.state} to {state}")
        if state not in _NOT_BEGUN:
            changes = {"prior": None, "against": {}, **changes}
        self._steps[name] = replace(old, state=state, **changes)

    def _attempt_started(self, event: Event) -> None:
        self._attempt = replace(self._attempt, started=event.time)

    def _attempt_finished(self, event: Event) -> None:
        state, reason = RunState(event.data["state"]), event.data.get("reason", "")
        unmet = bool(event.data.get("unmet"))
        self._attempt = replace(self._attempt, state=state, reason=reason, finished=event.time, unmet=unmet)

    def _attempt_waiting(self, event: Event) -> None:
        reason = event.data.get("reason", "")
        self._attempt = replace(self._attempt, state=RunState.WAITING, reason=reason)

    def _attempt_resumed(self, _: Event) -> None:
        self._attempt = replace(self._attempt, state=RunState.RUNNING, reason="")

    def _taken_over(self, event: Event) -> tuple[str, StepRun | None]:
        """The step's name, and how it stood in the attempt before."""
        name = event.step or ""
        now = self._steps.get(name)
        if now is not None and now.state is not StepState.NOT_STARTED:
            raise ValueError(f"step {name!r} is {now.state} already")
        return name, self._base.steps.get(name) if self._base else None

    def _step_kept(self, event: Event) -> None:
        name, before = self._taken_over(event)
        old = (before and before.prior) or before
        old = old or StepRun(name, StepState.SUCCEEDED, attempt=event.data["attempt"])
        stale = bool(event.data.get("stale"))
        self._steps[name] = replace(
            old,
            kept=True,
            stale=stale,
            basis=self._header.n if stale else old.basis,
            reason=event.data.get("reason", ""),
        )

    def _step_left(self, event: Event) -> None:
        name, before = self._taken_over(event)
        old = before or StepRun(name)
        began = old.state.is_settled and old.state is not StepState.UPSTREAM_FAILED
        # What stood in the way of a step that never ran may be gone by now.
        fresh = replace(self._steps[name], state=StepState.NOT_STARTED)
        if old.prior:
            fresh = replace(fresh, prior=old.prior, against=old.against, basis=old.basis)
        old = old if began else fresh
        self._steps[name] = replace(old, left=True, reason=event.data.get("reason", ""))

    def _step_deferred(self, event: Event) -> None:
        name, before = self._taken_over(event)
        old = (before and before.prior) or before or StepRun(name)
        against = {str(each): str(digest) for each, digest in event.data["against"].items()}
        reason = event.data.get("reason", "")
        self._steps[name] = replace(
            self._steps[name], prior=old, against=against, basis=old.basis, reason=reason
        )

    def _step_adopted(self, event: Event) -> None:
        name, before = self._taken_over(event)
        old = before or StepRun(name, ever_started=True)
        waits = bool(event.data.get("waiting"))
        self._steps[name] = replace(
            old,
            state=StepState.WAITING if waits else StepState.RUNNING,
            attempt=self._header.n,
            basis=self._header.n,
            log_attempt=old.log_attempt or event.data["attempt"],
            reason=event.data.get("reason", ""),
        )

    def _step_started(self, event: Event) -> None:
        old = self._steps.get(event.step or "") or StepRun(event.step or "")
        self._move(
            event,
            StepState.RUNNING,
            **_started(self._header.n, event),
            retries=old.retries + (old.state is StepState.RETRYING),
            started=old.started or event.time,
            ever_started=True,
        )

    def _step_retrying(self, event: Event) -> None:
        self._move(
            event,
            StepState.RETRYING,
            exit_code=event.data.get("exit_code"),
            until=event.data.get("until"),
            reason=event.data.get("reason", ""),
        )

    def _step_finished(self, event: Event) -> None:
        chosen = event.data.get("chosen")
        changes = {"chosen": tuple(map(str, chosen))} if chosen is not None else {}
        self._move(event, StepState(event.data["state"]), **_finished(event), **changes)

    def _step_waiting(self, event: Event) -> None:
        question = {key: event.data[key] for key in ("prompt", "input", "required") if key in event.data}
        changes = _finished(event) | {"finished": None, "attempt": self._header.n, "basis": self._header.n}
        self._move(
            event, StepState.WAITING, **changes, question=question or None, word=None, ever_started=True
        )

    def _step_resumed(self, event: Event) -> None:
        wanted = int(event.data.get("children", 0))
        self._move(event, StepState.RUNNING, reason="", finished=None, wanted=wanted)

    def _step_answered(self, event: Event) -> None:
        old = self._steps[event.step or ""]
        if old.state is not StepState.WAITING or old.word is not None:
            raise ValueError(f"step {old.name!r} waits for no word")
        self._steps[old.name] = replace(old, word=Word.from_data({"time": event.time, **event.data}))

    def _child_started(self, event: Event) -> None:
        data, children = event.data, self._children_of(event)
        children[data["child"]] = ChildRun(
            data["child"], int(data["child_attempt"]), item=data.get("item", "")
        )

    def _child_finished(self, event: Event) -> None:
        data, children = event.data, self._children_of(event)
        first = ChildRun(data["child"], int(data["child_attempt"]), item=data.get("item", ""))
        old = children.get(data["child"]) or first
        children[old.id] = replace(
            old,
            state=RunState(data["state"]),
            kept=bool(data.get("kept")),
            reason=data.get("reason", ""),
        )

    def _step_marked(self, event: Event) -> None:
        data, state = event.data, StepState(event.data["state"])
        old = self._steps[event.step or ""]
        if state not in MARKABLE or not self._attempt.state.is_over:
            raise ValueError(f"step {old.name!r} cannot be marked {state} now")
        actor = Actor.from_data(data["actor"])
        marking = Marking(
            old.name, state, StepState(data["was"]), self._header.n, actor, event.time, data["reason"]
        )
        given = {"outputs_attempt": self._header.n, "outputs": data.get("outputs")}
        self._steps[old.name] = replace(
            old,
            state=state,
            attempt=old.attempt or self._header.n,
            basis=self._header.n,
            reason=str(marking),
            error=None,
            until=None,
            stale=False,
            tolerated=False,
            finished=old.finished or event.time,
            marking=marking,
            prior=None,
            against={},
            **({"outputs_sha256": data["outputs_sha256"], **given} if "outputs_sha256" in data else {}),
        )
        self._attempt = replace(self._attempt, markings=(*self._attempt.markings, marking))
        if state is StepState.FAILED and self._attempt.state.is_success:
            reason = f"step {old.name} was {marking}"
            self._attempt = replace(self._attempt, state=RunState.FAILED, reason=reason)

    def _handler_started(self, event: Event) -> None:
        name = event.data["handler"]
        changes = _started(self._header.n, event)
        old = self._handlers.get(name) or StepRun(name, started=event.time)
        self._handlers[name] = replace(old, state=StepState.RUNNING, **changes)

    def _handler_finished(self, event: Event) -> None:
        name = event.data["handler"]
        old = self._handlers.get(name) or StepRun(name)
        self._handlers[name] = replace(old, state=StepState(event.data["state"]), **_finished(event))


def _started(n: int, event: Event) -> dict[str, Any]:
    return {
        "attempt": n,
        "log_attempt": n,
        "basis": n,
        "marking": None,
        "outputs_attempt": 0,
        "tries": event.data["try"],
        "wanted": int(event.data.get("children", 0)),
        "offsets": (event.data.get("stdout", 0), event.data.get("stderr", 0)),
        "exit_code": None,
        "signal": None,
        "until": None,
        "reason": event.data.get("reason", ""),
        "executor": event.data.get("executor", ""),
    }


def _finished(event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "exit_code": data.get("exit_code"),
        "signal": data.get("signal"),
        "finished": event.time,
        "until": None,
        "reason": data.get("reason", ""),
        "error": data.get("error"),
        "outputs": data.get("outputs") or {},
        "outputs_sha256": data.get("outputs_sha256", ""),
        "tolerated": bool(data.get("tolerated")),
    }


_CHANGES = {
    ev.ATTEMPT_STARTED: Fold._attempt_started,
    ev.ATTEMPT_FINISHED: Fold._attempt_finished,
    ev.ATTEMPT_WAITING: Fold._attempt_waiting,
    ev.ATTEMPT_RESUMED: Fold._attempt_resumed,
    ev.STEP_KEPT: Fold._step_kept,
    ev.STEP_LEFT: Fold._step_left,
    ev.STEP_DEFERRED: Fold._step_deferred,
    ev.STEP_ADOPTED: Fold._step_adopted,
    ev.STEP_STARTED: Fold._step_started,
    ev.STEP_RETRYING: Fold._step_retrying,
    ev.STEP_FINISHED: Fold._step_finished,
    ev.STEP_WAITING: Fold._step_waiting,
    ev.STEP_RESUMED: Fold._step_resumed,
    ev.STEP_ANSWERED: Fold._step_answered,
    ev.CHILD_STARTED: Fold._child_started,
    ev.CHILD_FINISHED: Fold._child_finished,
    ev.STEP_MARKED: Fold._step_marked,
    ev.HANDLER_STARTED: Fold._handler_started,
    ev.HANDLER_FINISHED: Fold._handler_finished,
}


def fold(
    header: AttemptHeader, step_names: Iterable[str], events: Iterable[Event], base: Attempt | None = None
) -> Attempt:
    """The attempt that these events tell of. `base` is the attempt it continues."""
    folding = Fold(header, step_names, base)
    for event in events:
        folding.apply(event)
    return folding.attempt()
