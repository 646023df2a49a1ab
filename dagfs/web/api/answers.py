"""A word to a run: stop it, mark a step, approve or reject what one asks; and what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagfs.engine.answering import waiting_steps
from dagfs.errors import DagfsError
from dagfs.model.state import RunState
from dagfs.store.runs import RunStore
from dagfs.web.api.operation import Answer, Body, Call, act, get
from dagfs.web.api.place import RUN, run_of
from dagfs.web.api.shapes import FLAG, MARK, TEXT, having, list_of, map_of, ref, said, taking
from dagfs.web.role import Role

_OPEN = (RunState.WAITING, RunState.RUNNING, RunState.INTERRUPTED)


def list_questions(call: Call) -> Any:
    return list(_questions(call.site.home.store))


def _questions(store: RunStore) -> Iterator[dict[str, Any]]:
    """All that waits; where other branches of a run go on, it is running all the same."""
    for document in store.summaries(states=_OPEN):
        try:
            found = list(waiting_steps(store, document["run"]))
        except DagfsError:
            # Its own address says what is wrong with it.
            continue
        for run, step in found:
            if step.word is None:
                asked = step.question or {}
                yield {
                    "run": run,
                    "dag": document["dag"],
                    "step": step.name,
                    "prompt": str(asked.get("prompt", "")),
                    "input": list(asked.get("input", ())),
                    "required": list(asked.get("required", ())),
                    "since": step.finished or step.started,
                }


async def stop_run(call: Call) -> Any:
    run = run_of(call).partition("/")[0]
    return {"run": run, "ended": await call.actions.stop(run, kill=call.body.get("kill", False))}


async def mark_step(call: Call) -> Any:
    body = call.body
    return await call.actions.mark(
        run_of(call), body["step"], body["state"], body["reason"], body.get("outputs", {})
    )


async def approve_step(call: Call) -> Any:
    run, body = run_of(call), call.body
    await call.actions.approve(run, body.get("step", ""), body.get("inputs", {}), body.get("reason", ""))
    return {"run": run, "step": body.get("step", ""), "approved": True}


async def reject_step(call: Call) -> Any:
    run, body = run_of(call), call.body
    await call.actions.reject(run, body.get("step", ""), body.get("reason", ""))
    return {"run": run, "step": body.get("step", ""), "approved": False}


_REASON = {"type": "string", "maxLength": 10_000}
_NAME = {"type": "string", "minLength": 1, "maxLength": 1000}
_VALUES = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,199}$"},
    "additionalProperties": {"type": "string"},
}
_STEP = said("The step; where only one waits it may be left out.", _NAME)
_HEARD = Answer("It was heard.", having({"run": TEXT, "step": TEXT, "approved": FLAG}))
OPERATIONS = (
    get(
        "/questions",
        list_questions,
        "Every step that waits for somebody's word",
        Answer("What is asked, and where.", list_of(ref("Question"))),
    ),
    act(
        "/runs/{run:address}/stop",
        stop_run,
        "Stop a run and all its processes",
        Answer(
            "It was asked to; `ended` tells whether it has ended already.",
            having({"run": TEXT, "ended": FLAG}),
        ),
        RUN,
        body=Body(
            taking({}, {"kill": said("Do not wait for steps to end by themselves.", FLAG)}), {"kill": False}
        ),
        errors=("nothing_to_do", "refused"),
        shell="dagfs stop RUN",
    ),
    act(
        "/runs/{run:address}/mark",
        mark_step,
        "Say how a step stands",
        Answer(
            "The marking.",
            having({"run": TEXT, "step": TEXT, "state": TEXT, "was": TEXT}, {"outputs": map_of(TEXT)}),
        ),
        RUN,
        role=Role.EDIT,
        body=Body(
            taking(
                {"step": _NAME, "state": MARK, "reason": {**_REASON, "minLength": 1}}, {"outputs": _VALUES}
            ),
            {"step": "load", "state": "succeeded", "reason": "loaded by hand from the backup"},
            required=True,
        ),
        errors=("refused", "nothing_to_do", "busy"),
        shell="dagfs mark RUN STEP succeeded -m WHY",
    ),
    act(
        "/runs/{run:address}/approve",
        approve_step,
        "Let a waiting step go on",
        _HEARD,
        RUN,
        body=Body(
            taking({}, {"step": _STEP, "inputs": _VALUES, "reason": _REASON}),
            {"step": "deploy", "reason": "checked the totals"},
        ),
        errors=("refused", "busy"),
        shell="dagfs approve RUN STEP -m WHY --detach",
    ),
    act(
        "/runs/{run:address}/reject",
        reject_step,
        "Refuse what a waiting step asks",
        _HEARD,
        RUN,
        body=Body(
            taking({}, {"step": _STEP, "reason": _REASON}),
            {"step": "deploy", "reason": "the totals are wrong"},
        ),
        errors=("refused", "busy"),
        shell="dagfs reject RUN STEP -m WHY --detach",
    ),
)
