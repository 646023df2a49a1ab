"""Runs: what there is, how one stands, what happened in it, and making one."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dagfs.engine.document import record_data, status_data
from dagfs.engine.drawing import graph_data, subject_of_run
from dagfs.engine.moment import is_past_text
from dagfs.errors import UsageError
from dagfs.model.state import RunState
from dagfs.store.journal import tail
from dagfs.web.api.dags import svg_reply
from dagfs.web.api.keys import digest_of
from dagfs.web.api.live import LONGEST_WAIT, awaited
from dagfs.web.api.operation import PREFIX, Answer, Body, Call, Parameter, Reply, act, get, reply_with
from dagfs.web.api.place import ATTEMPT, LIMIT, RUN, attempt_of, dag_of, look_of, run_of, view_of
from dagfs.web.api.shapes import (
    FLAG,
    PARAMS,
    PROFILE,
    RUN_ID,
    TEXT,
    WHOLE,
    having,
    list_of,
    maybe,
    one_of,
    ref,
    taking,
)
from dagfs.web.api.words import params_of, require_name
from dagfs.web.problem import Told

_UNSAFE = re.compile(r"[^a-z0-9]+")
_SINCE = (
    "^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "(T([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?)?Z?)?$"
)
"""All but the last days of short months."""
WAIT = Parameter(
    "wait",
    "Where there is nothing new, answer only once there is, or after so many seconds.",
    {**WHOLE, "minimum": 0, "maximum": LONGEST_WAIT, "default": 0},
    example=30,
)
OFFSET = Parameter(
    "offset",
    "Where to begin: the `next` of the answer before.",
    {**WHOLE, "minimum": 0, "maximum": 10**15, "default": 0},
)


def list_runs(call: Call) -> Any:
    cursor, limit = call["cursor"] or "", call["limit"]
    if call["since"] is not None and not is_past_text(call["since"]):
        raise UsageError("since: expected a date or an instant such as 2026-11-21 or 2026-11-21T12:00:00Z")
    found = call.site.home.store.summaries(
        limit + 1, call["dag"], call["state"] or (), call["since"], after=cursor
    )
    rows = [_row(each) for each in found[:limit]]
    return {"runs": rows, "next": rows[-1]["run"] if len(found) > limit else None}


async def get_run(call: Call) -> Response:
    """The status document. With `wait` and `If-None-Match` the next one, if it comes in time."""
    home = call.site.home.paths

    def make() -> Response:
        return reply_with(call.request, Reply(status_data(home, view_of(call))))

    def is_news(answer: Response) -> bool:
        return answer.status_code != 304

    return await awaited(call.request, lambda: look_of(call).stamp, make, is_news, call["wait"])


def get_record(call: Call) -> Any:
    return record_data(call.site.home.paths, view_of(call))


def list_attempts(call: Call) -> Any:
    return get_record(call)["attempts"]


async def list_events(call: Call) -> Any:
    paths = call.site.home.paths.run(run_of(call))

    def make() -> dict[str, Any]:
        view = view_of(call)
        attempt = attempt_of(call, view)
        events, behind = tail(paths.attempt(attempt.n).journal, call["offset"])
        over = attempt.n != view.run.last.n or view.state.is_over
        return {
            "attempt": attempt.n,
            "events": [event.as_data() for event in events],
            "next": behind,
            "goes_on": not over,
        }

    def is_news(found: dict[str, Any]) -> bool:
        return bool(found["events"]) or not found["goes_on"]

    return await awaited(call.request, lambda: look_of(call).stamp, make, is_news, call["wait"])


def get_graph(call: Call) -> Any:
    return graph_data(subject_of_run(call.site.home.store, run_of(call)))


def get_picture(call: Call) -> Response:
    return svg_reply(call, subject_of_run(call.site.home.store, run_of(call)))


def list_children(call: Call) -> Any:
    """Those of the root; a child's own lie beside it."""
    store, run = call.site.home.store, run_of(call)
    return [_row(each) for each in store.summaries_of(store.children(run.partition("/")[0]))]


async def start_run(call: Call) -> Reply:
    body, paths = call.body, call.site.home.paths
    require_name(body)
    path = await run_in_threadpool(dag_of, call, body["dag"])
    run = body.get("id", "") or await run_in_threadpool(id_by_key, call, path.stem)
    if not (run and not body.get("id") and paths.run(run).root.is_dir()):
        said = {"id": run, "reason": body.get("reason", ""), "profile": body.get("profile", "")}
        run = await call.actions.run(str(path), params_of(body), **said)
    return started(run)


def started(run: str) -> Reply:
    """A run that is there now."""
    return Reply({"run": run}, 201, {"Location": f"{PREFIX}/runs/{run}"})


def id_by_key(call: Call, name: str) -> str:
    """The id that a request with this `Idempotency-Key` makes, whichever server it asks; "" without a key.

    Told where a run was made with the key by another request.
    """
    key = call.request.headers.get("idempotency-key", "")
    if not key:
        return ""
    head = _UNSAFE.sub("-", name.lower()).strip("-")[:32] or "run"
    mark = hashlib.sha256(key.encode()).hexdigest()[:12]
    wanted = f"{head}-{mark}-{digest_of(call.request, call.body)[:8]}"
    others = (each for each in call.site.home.store.names() if f"-{mark}-" in each)
    if any(each != wanted for each in others):
        raise Told("key_reused", "this Idempotency-Key came with another request before")
    return wanted


def _row(document: dict[str, Any]) -> dict[str, Any]:
    """A status document without what grows with its steps."""
    return {key: each for key, each in document.items() if key not in ("steps", "handlers")}


CREATED = Answer(
    "The run is there.",
    ref("Started"),
    status=201,
    headers={"Location": "Where its status is."},
)
ID = {"type": "string", "pattern": RUN_ID}
REASON = {"type": "string", "maxLength": 10_000}
_STARTING = {"params": PARAMS, "id": ID, "reason": REASON, "profile": PROFILE}
OPERATIONS = (
    get(
        "/runs",
        list_runs,
        "List runs, newest first",
        Answer(
            "Their status, without steps; `next` is the cursor of the list that follows, null at the end.",
            having({"runs": list_of(ref("Summary")), "next": maybe("string")}),
        ),
        Parameter("dag", "Only runs of that DAG.", TEXT, example="nightly-import"),
        Parameter(
            "state",
            "Only in that state; several are given one after the other.",
            list_of(one_of((*RunState, "damaged"))),
            example=["failed"],
        ),
        Parameter("since", "Only newer: a date or an instant.", {"type": "string", "pattern": _SINCE}),
        LIMIT,
        Parameter("cursor", "Those behind the ones that were had: the `next` of the answer before.", ID),
        shell="dagfs runs --json",
    ),
    act(
        "/runs",
        start_run,
        "Start a run",
        CREATED,
        body=Body(
            taking({"dag": {"type": "string", "minLength": 1, "maxLength": 1000}}, _STARTING),
            {"dag": "nightly-import", "params": {"date": "2026-11-21"}},
            required=True,
        ),
        errors=("refused", "spec_invalid"),
        about="With an `Idempotency-Key` the run's id is made of the key, so that no server ever makes two.",
        shell="dagfs run DAG --detach -p NAME=VALUE",
    ),
    get(
        "/runs/{run:address}/record",
        get_record,
        "Everything on record about a run",
        Answer("Its header, its paths and all attempts.", ref("Record")),
        RUN,
        shell="dagfs show RUN --json",
    ),
    get(
        "/runs/{run:address}/attempts",
        list_attempts,
        "The attempts of a run",
        Answer("What was asked of each, and what it did.", list_of(ref("Attempt"))),
        RUN,
    ),
    get(
        "/runs/{run:address}/children",
        list_children,
        "The runs of a run's sub-DAGs and items",
        Answer("Their status, without steps; all of the family.", list_of(ref("Summary"))),
        RUN,
    ),
    get(
        "/runs/{run:address}/events",
        list_events,
        "What happened in an attempt",
        Answer(
            "Events, where to go on, and whether more may come.",
            having({"attempt": WHOLE, "events": list_of(ref("Event")), "next": WHOLE, "goes_on": FLAG}),
        ),
        RUN,
        ATTEMPT,
        OFFSET,
        WAIT,
        shell="dagfs watch RUN --json",
    ),
    get(
        "/runs/{run:address}/graph",
        get_graph,
        "Steps and edges of a run, with their states",
        Answer("With their places in a picture.", ref("Graph")),
        RUN,
        shell="dagfs graph RUN --json",
    ),
    get(
        "/runs/{run:address}/graph.svg",
        get_picture,
        "A picture of a run",
        Answer("The picture.", media="image/svg+xml"),
        RUN,
        shell="dagfs graph RUN --svg",
    ),
)
ONE = (
    get(
        "/runs/{run:address}",
        get_run,
        "How a run stands",
        Answer("The status document.", ref("Status")),
        RUN,
        WAIT,
        about="With `wait` and `If-None-Match` it is answered once something has changed: a page that stays "
        "live asks again and again, with the ETag that it had last.",
        shell="dagfs status RUN --json",
    ),
)
"""Comes after all other addresses below `/runs/`, because a run may be named `ROOT/CHILD`."""
