"""Steps of a run: how they stand, what they printed and what they put out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.responses import Response

from dagfs.engine.document import outputs_of, status_data
from dagfs.engine.view import View
from dagfs.errors import NotFound
from dagfs.model.run import Attempt
from dagfs.store.logs import PIECE, read_range, size, tail
from dagfs.web.api.live import awaited
from dagfs.web.api.operation import Answer, Call, Parameter, get
from dagfs.web.api.place import ATTEMPT, RUN, STEP, attempt_of, folder_of, look_of, run_of, view_of
from dagfs.web.api.runs import OFFSET, WAIT
from dagfs.web.api.shapes import TEXT, WHOLE, having, map_of, one_of, ref

_NEXT, _SIZE, _MORE = "X-Dagfs-Next-Offset", "X-Dagfs-Size", "X-Dagfs-Goes-On"


def list_steps(call: Call) -> Any:
    view = view_of(call)
    document = status_data(call.site.home.paths, view)
    return {"attempt": document["attempt"], "steps": document["steps"]}


def get_step(call: Call) -> Any:
    found = list_steps(call)["steps"].get(call["step"])
    if found is None:
        raise NotFound(f"there is no step {call['step'][:200]!r}", hint="GET …/steps lists them")
    return {"name": call["step"], **found}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a log."""

    data: bytes
    end: int
    size: int
    goes_on: bool


async def get_log(call: Call) -> Response:
    """The bytes as the step has printed them, never as anything but text."""
    run, home = run_of(call), call.site.home.paths

    def make() -> _Piece:
        view = view_of(call)
        attempt = attempt_of(call, view)
        paths = folder_of(home.run(run), attempt, call["step"])
        # Before the bytes: what a step prints last is there before it has ended.
        goes_on = _goes_on(view, attempt, call["step"])
        return _piece(call, paths.stderr if call["stream"] == "stderr" else paths.stdout, goes_on=goes_on)

    def look() -> object:
        return look_of(call).stamp, make().size

    def is_news(piece: _Piece) -> bool:
        return bool(piece.data) or not piece.goes_on

    found = await awaited(call.request, look, make, is_news, call["wait"])
    headers = {
        _NEXT: str(found.end),
        _SIZE: str(found.size),
        _MORE: "true" if found.goes_on else "false",
    }
    return Response(found.data, 200, headers, "text/plain; charset=utf-8")


def _piece(call: Call, path: Path, *, goes_on: bool) -> _Piece:
    whole, offset = size(path), call["offset"]
    if call["tail"] and not offset:
        data = tail(path, call["tail"], limit=call["limit"]) if whole else b""
        return _Piece(data, whole, whole, goes_on)
    data = read_range(path, offset, offset + call["limit"]) if offset < whole else b""
    return _Piece(data, offset + len(data), whole, goes_on)


def _goes_on(view: View, attempt: Attempt, name: str) -> bool:
    """Whether more may come: the step has not ended, and something is there that could bring it on."""
    if attempt.n != view.run.last.n:
        return False
    step = attempt.steps.get(name) or attempt.handlers.get(name.removeprefix("on:"))
    alive = not view.state.is_over or name in view.orphans
    return alive and step is not None and not step.state.is_settled


def get_outputs(call: Call) -> Any:
    view = view_of(call)
    attempt = attempt_of(call, view)
    return {
        "attempt": attempt.n,
        "outputs": dict(outputs_of(call.site.home.paths, view, attempt)),
        "steps": {name: dict(step.outputs) for name, step in attempt.steps.items() if step.outputs},
    }


_ONE_STEP = Parameter(STEP.name, STEP.about, TEXT, required=True, example="load")
OPERATIONS = (
    get(
        "/runs/{run:address}/steps",
        list_steps,
        "How the steps of a run stand",
        Answer("Each by its name.", having({"attempt": WHOLE, "steps": map_of(ref("Step"))})),
        RUN,
    ),
    get(
        "/runs/{run:address}/step",
        get_step,
        "How one step stands",
        Answer("As in the list.", {"allOf": [ref("Step"), having({"name": TEXT})]}),
        RUN,
        _ONE_STEP,
    ),
    get(
        "/runs/{run:address}/log",
        get_log,
        "What a step printed",
        Answer(
            "The bytes as they are; text in no certain encoding.",
            media="text/plain",
            headers={
                _NEXT: "The `offset` to go on from.",
                _SIZE: "How many bytes there are now.",
                _MORE: "`true` while more may come.",
            },
        ),
        RUN,
        _ONE_STEP,
        Parameter("stream", "Which one.", {**one_of(("stdout", "stderr")), "default": "stdout"}),
        ATTEMPT,
        OFFSET,
        Parameter(
            "limit", "At most so many bytes.", {**WHOLE, "minimum": 1, "maximum": PIECE, "default": PIECE}
        ),
        Parameter(
            "tail", "Where `offset` is 0: only the last lines.", {**WHOLE, "minimum": 0, "maximum": 100_000}
        ),
        WAIT,
        shell="dagfs logs RUN STEP",
    ),
    get(
        "/runs/{run:address}/outputs",
        get_outputs,
        "What a run and its steps put out",
        Answer(
            "Values by name.",
            having({"attempt": WHOLE, "outputs": map_of(TEXT), "steps": map_of(map_of(TEXT))}),
        ),
        RUN,
        ATTEMPT,
    ),
)
