"""Artifacts: files that steps have left, to be saved and never shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from dagfs.engine.capture import read_manifest
from dagfs.store.artifacts import listed
from dagfs.web.api.operation import Answer, Call, Parameter, get
from dagfs.web.api.place import ATTEMPT, RUN, attempt_of, folder_of, view_of
from dagfs.web.api.shapes import TEXT, list_of, ref
from dagfs.web.download import artifact

_MOST = 1000


def list_artifacts(call: Call) -> Any:
    view = view_of(call)
    attempt = attempt_of(call, view)
    chosen = [call["step"]] if call["step"] else list(attempt.steps)
    return [each for name in chosen for each in _of_step(call, view.run.id, attempt, name)]


def _of_step(call: Call, run: str, attempt: Any, name: str) -> Iterator[dict[str, Any]]:
    paths = folder_of(call.site.home.paths.run(run), attempt, name)
    step = attempt.steps.get(name)
    known = read_manifest(paths).get("artifacts", {})
    for each in listed(paths.artifacts, _MOST)[0]:
        yield {
            "step": name,
            "attempt": (step.log_attempt if step else 0) or attempt.n,
            "path": each.name,
            "size": each.size,
            "modified": datetime.fromtimestamp(each.mtime, UTC).isoformat(),
            "sha256": known.get(each.name, {}).get("sha256"),
        }


def get_artifact(call: Call) -> Response:
    view = view_of(call)
    paths = folder_of(call.site.home.paths.run(view.run.id), attempt_of(call, view), call["step"])
    return artifact(paths.artifacts, call["path"])


OPERATIONS = (
    get(
        "/runs/{run:address}/artifacts",
        list_artifacts,
        "The artifacts of a run's steps",
        Answer("The newest of each step; at most 1,000 of each.", list_of(ref("Artifact"))),
        RUN,
        Parameter("step", "Only of that step.", TEXT),
        ATTEMPT,
    ),
    get(
        "/runs/{run:address}/artifact",
        get_artifact,
        "One artifact",
        Answer("Its bytes, to be saved.", media="application/octet-stream"),
        RUN,
        Parameter("step", "The step that left it.", TEXT, required=True, example="report"),
        Parameter(
            "path",
            "Its path below the step's folder for artifacts.",
            TEXT,
            required=True,
            example="totals.csv",
        ),
        ATTEMPT,
    ),
)
