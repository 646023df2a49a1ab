"""The shapes of what the API takes and gives, as JSON schemas. `ref` names one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagfs.model.run import MARKABLE
from dagfs.model.state import RunState, StepState
from dagfs.web.problem import CODES

Schema = dict[str, Any]
RUN_ID = "^[a-z0-9][a-z0-9._-]{0,63}$"
ADDRESS = "^[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,54}-[0-9a-f]{8})?$"

_NO_NUL = r"^[^\x00]*$"

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def map_of(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def maybe(kind: str) -> Schema:
    """That type, or null."""
    return {"type": [kind, "null"]}


def one_of(values: Any) -> Schema:
    return {"type": "string", "enum": sorted(map(str, values))}


def having(required: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    """An answer: an object with these, perhaps these, and whatever later versions add."""
    return {"type": "object", "properties": {**required, **(more or {})}, "required": list(required)}


def taking(required: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    """A body: an object with these, perhaps these, and nothing else; no text of it holds a NUL."""
    found: Schema = _without_nul({**having(required, more), "additionalProperties": False})
    return found


def _without_nul(schema: Any) -> Any:
    """The same, with that said of all texts that have no pattern of their own."""
    if isinstance(schema, list):
        return [_without_nul(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _without_nul(each) for name, each in schema.items()}
    is_text = "string" in schema.get("type", ()) and not {"pattern", "enum"} & schema.keys()
    return {**found, "pattern": _NO_NUL} if is_text else found


def said(text: str, schema: Schema) -> Schema:
    """A schema with a word on it."""
    return {**schema, "description": text}


_ACTOR = having({"user": TEXT}, {"uid": WHOLE, "host": TEXT, "source": TEXT, "remote": TEXT})
_STEP = having(
    {"state": one_of(StepState)},
    {
        "attempt": WHOLE,
        "tries": WHOLE,
        "exit_code": maybe("integer"),
        "started": maybe("string"),
        "finished": maybe("string"),
        "reason": TEXT,
        "outputs": map_of(TEXT),
        "stdout": said("The log's path below the run's folder.", maybe("string")),
        "stderr": maybe("string"),
        "error": maybe("string"),
        "kept": FLAG,
        "stale": FLAG,
        "children": map_of(ANYTHING),
        "waits_for": map_of(ANYTHING),
    },
)
_PROBLEM = having(
    {"file": TEXT, "line": WHOLE, "column": WHOLE, "severity": TEXT, "message": TEXT, "hint": maybe("string")}
)
_PLAN_STEP = having({"step": TEXT, "action": TEXT, "reason": TEXT, "attempt": WHOLE})

SHAPES: Mapping[str, Schema] = {
    "Error": having(
        {
            "error": having(
                {
                    "code": one_of(CODES),
                    "message": TEXT,
                    "hint": maybe("string"),
                    "exit_code": said(
                        "Of the command that does the same; null for what no command meets.", maybe("integer")
                    ),
                    "problems": list_of(_PROBLEM),
                }
            )
        }
    ),
    "Problem": _PROBLEM,
    "Actor": _ACTOR,
    "Dag": having(
        {
            "name": TEXT,
            "file": TEXT,
            "description": TEXT,
            "tags": list_of(TEXT),
            "steps": WHOLE,
            "error": said("The first error of its file.", maybe("string")),
            "last": said("Its newest run.", {"type": ["object", "null"]}),
        }
    ),
    "Summary": having(
        {"run": TEXT, "dag": TEXT, "state": one_of((*RunState, "damaged"))},
        {
            "attempt": WHOLE,
            "reason": TEXT,
            "trigger": TEXT,
            "created": maybe("string"),
            "started": maybe("string"),
            "finished": maybe("string"),
            "params": map_of(TEXT),
            "counts": map_of(WHOLE),
            "error": maybe("string"),
        },
    ),
    "Status": having(
        {
            "format": WHOLE,
            "run": TEXT,
            "dag": TEXT,
            "state": one_of(RunState),
            "reason": TEXT,
            "attempt": WHOLE,
            "spec": TEXT,
            "params": map_of(TEXT),
            "created": maybe("string"),
            "started": maybe("string"),
            "finished": maybe("string"),
            "steps": map_of(ref("Step")),
            "handlers": map_of(ANYTHING),
            "counts": map_of(WHOLE),
            "outputs": map_of(TEXT),
            "orphans": said("What goes on although its engine is dead.", list_of(TEXT)),
            "markings": list_of(ANYTHING),
        }
    ),
    "Step": _STEP,
    "Attempt": having(
        {
            "attempt": WHOLE,
            "state": one_of(RunState),
            "reason": TEXT,
            "spec": TEXT,
            "created": TEXT,
            "started": maybe("string"),
            "finished": maybe("string"),
            "actor": ref("Actor"),
            "why": TEXT,
            "params": map_of(TEXT),
            "ran": list_of(TEXT),
            "kept": list_of(TEXT),
            "outputs": map_of(TEXT),
        }
    ),
    "Record": having(
        {
            "format": WHOLE,
            "run": TEXT,
            "dag": TEXT,
            "state": one_of(RunState),
            "created": TEXT,
            "actor": ref("Actor"),
            "paths": map_of(TEXT),
            "attempts": list_of(ref("Attempt")),
        }
    ),
    "Event": having({"n": WHOLE, "t": TEXT, "event": TEXT}),
    "Version": having(
        {
            "spec": TEXT,
            "sha256": TEXT,
            "created": TEXT,
            "actor": ref("Actor"),
            "why": TEXT,
            "attempts": list_of(WHOLE),
            "changes": list_of(TEXT),
        }
    ),
    "Change": having({"step": maybe("string")}, {"field": TEXT, "kind": TEXT, "change": TEXT, "line": WHOLE}),
    "Plan": having(
        {
            "format": WHOLE,
            "run": TEXT,
            "plan": said("Give it to a retry, to have exactly this done.", TEXT),
            "verdict": TEXT,
            "base": WHOLE,
            "attempt": WHOLE,
            "spec": TEXT,
            "steps": list_of(_PLAN_STEP),
            "findings": list_of(having({"rule": TEXT, "severity": TEXT, "message": TEXT, "blocks": FLAG})),
            "changes": list_of(ref("Change")),
            "added": list_of(TEXT),
            "removed": list_of(TEXT),
            "renamed": map_of(TEXT),
        }
    ),
    "Graph": having(
        {
            "dag": TEXT,
            "run": maybe("string"),
            "state": maybe("string"),
            "direction": one_of(("down", "right")),
            "width": NUMBER,
            "height": NUMBER,
            "nodes": list_of(having({"name": TEXT, "depends": list_of(TEXT), "x": NUMBER, "y": NUMBER})),
            "edges": list_of(having({"from": TEXT, "to": TEXT})),
            "handlers": map_of(ANYTHING),
        }
    ),
    "Artifact": having(
        {"step": TEXT, "attempt": WHOLE, "path": TEXT, "size": WHOLE, "modified": TEXT},
        {"sha256": maybe("string")},
    ),
    "Started": having({"run": TEXT}),
    "Question": having(
        {
            "run": TEXT,
            "dag": TEXT,
            "step": TEXT,
            "prompt": TEXT,
            "input": list_of(TEXT),
            "required": list_of(TEXT),
        }
    ),
    "Waiting": having({"state": one_of(("queued", "set_aside")), "id": TEXT}),
    "Coming": having(
        {
            "start": TEXT,
            "due": TEXT,
            "local": TEXT,
            "timezone": TEXT,
            "dag": TEXT,
            "actions": list_of(TEXT),
            "paused": FLAG,
        }
    ),
}
"""Those that several operations give, by name."""

PROFILE = said("Where steps run: the name of a profile.", {"type": "string", "pattern": "^[^/]{0,100}$"})
ANSWERS: Mapping[str, Schema] = {
    "on_stale": said(
        "What becomes of finished steps whose definition changed: for all, or by step.",
        {
            "anyOf": [
                one_of(("rerun", "keep", "error")),
                map_of(one_of(("rerun", "keep", "error"))),
            ]
        },
    ),
    "allow": said("Rules to lift where that is harmless.", list_of({"type": "string", "minLength": 1})),
    "reason": said("Why; kept for ever.", {"type": "string", "maxLength": 10_000}),
    "kill_orphans": said("End steps that a dead engine left running.", FLAG),
    "ack": said("Steps to run again although not idempotent.", list_of({"type": "string", "minLength": 1})),
    "cutoff": said("Keep finished steps where those before them run again and put out the same.", FLAG),
    "profile": PROFILE,
}
"""What a retry, its plan and a rerun may be told."""
SELECTION: Mapping[str, Schema] = {
    "all": said("Every step, whatever is finished.", FLAG),
    "from": said("These steps, and all behind them.", list_of({"type": "string", "minLength": 1})),
    "only": said("These alone.", list_of({"type": "string", "minLength": 1})),
    "to": said("Nothing but these and what stands before them.", list_of({"type": "string", "minLength": 1})),
}
PARAMS = said(
    "Values of parameters; `1`, `2`, … are positional.",
    {
        "type": "object",
        "propertyNames": {"pattern": r"^[^=\s\x00-\x1f]{1,200}$"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
)
CHANGES: Mapping[str, Schema] = {
    "params": PARAMS,
    "set": said(
        "Values to write into the spec, as `STEP.FIELD=VALUE`. Needs the role `edit`.",
        list_of({"type": "string", "pattern": "="}),
    ),
    "timeout": said(
        "The same as `.timeout_sec`, in seconds. Needs the role `edit`.", {"type": "number", "minimum": 0}
    ),
    "tags": said(
        "Tags to add to the spec. Needs the role `edit`.", list_of({"type": "string", "minLength": 1})
    ),
    "with": said("A command to put steps behind. Needs the role `edit`.", {"type": "string", "minLength": 1}),
    "with_steps": said(
        "Which steps that is for; all that run where it is left out.",
        list_of({"type": "string", "minLength": 1}),
    ),
    "spec": said("A text in place of spec.next.yaml. Needs the role `edit`.", TEXT),
}
MARK = one_of(MARKABLE)
