"""What a retry is asked for, and the id of the plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.edit import Edit
from dagfs.model.fingerprint import digest
from dagfs.model.run import StepRun
from dagfs.model.state import StepState
from dagfs.model.value import field, frozen
from dagfs.planning.answers import Answers
from dagfs.planning.plan import ChildPlan
from dagfs.planning.selection import scope_of


@frozen
class Request:
    """What a retry is asked for, beside the edit."""

    run: str
    spec: str
    """The file whose text it is for."""
    spec_sha256: str
    answers: Answers = field(default_factory=Answers)
    circumstances: Mapping[str, str] = field(default_factory=dict)
    """Whatever else decides: versions of rules and plugins, the digest of dagfs.yaml."""
    children: tuple[ChildPlan, ...] = ()
    """What would become of children that are unfinished or were edited."""
    everything: str = ""
    """Why nothing at all is kept; empty where finished work is."""


def plan_id(edit: Edit, request: Request) -> str:
    """Covers all that decides, so that an equal id means an equal plan. The reason given decides nothing."""
    return digest(
        {
            "run": request.run,
            "attempt": [edit.attempt.n, edit.attempt.state],
            "steps": {name: _facts(step) for name, step in edit.attempt.steps.items()},
            "spec": [request.spec, request.spec_sha256],
            "edit": _edit_data(edit),
            "answers": request.answers.deciding_data(),
            **_selection_data(edit, request),
            "circumstances": dict(request.circumstances),
            **(
                {"children": [[each.child, each.plan.id] for each in request.children]}
                if request.children
                else {}
            ),
            **({"everything": request.everything} if request.everything else {}),
        }
    )


def _selection_data(edit: Edit, request: Request) -> dict[str, Any]:
    """The steps that were selected, however that was said."""
    selection = request.answers.selection
    if not selection:
        return {}
    scope = scope_of(selection, edit.new, states(edit))
    return {"selection": [*scope.as_data(), selection.afresh]}


def states(edit: Edit) -> dict[str, StepState]:
    return {name: edit.state(name).state for name in edit.new.by_name}


def _facts(step: StepRun) -> list[Any]:
    return [
        *(step.state, step.attempt, step.basis, step.stale, step.tolerated, step.ever_started),
        *(step.exit_code, step.signal, sorted(step.outputs)),
        *((step.marking.time, step.outputs_sha256) if step.marking else ()),
        *([dict(step.against), _facts(step.prior)] if step.prior else ()),
    ]


def _edit_data(edit: Edit) -> dict[str, Any]:
    """What the edit changes, and the values and evidence it is seen against."""
    # Steps whose work answers to one attempt share one mapping of differences.
    shared = {id(each): digest(each) for each in (*edit.params.values(), *edit.env.values())}
    return {
        "changes": [[each.step, each.field, each.old, each.new, each.kind] for each in edit.changes],
        "shape": [edit.added, edit.removed, edit.renamed, {s.name: s.depends for s in edit.new.steps}],
        "params": {name: shared[id(each)] for name, each in edit.params.items()},
        "env": {name: shared[id(each)] for name, each in edit.env.items()},
        "opaque": sorted(edit.opaque),
        "evidence": {
            name: [
                *(each.outputs, each.artifacts_missing, each.artifacts_altered, each.work_changed),
                *([each.inputs_changed] if each.inputs_changed else []),
                *([{"made": each.made}] if each.made else []),
            ]
            for name, each in edit.evidence.items()
        },
    }
