"""Queues: what waits, putting a run in, taking one out, holding a queue."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool

from dagfs.store.waiting import Queue
from dagfs.web.api.operation import PREFIX, Answer, Body, Call, Parameter, Reply, act, get
from dagfs.web.api.place import dag_of
from dagfs.web.api.runs import ID, REASON, id_by_key
from dagfs.web.api.shapes import FLAG, PARAMS, PROFILE, RUN_ID, TEXT, having, list_of, ref, taking
from dagfs.web.api.words import params_of, require_name
from dagfs.web.role import Role


def list_queue(call: Call) -> Any:
    return _queue(call).as_data()


def _queue(call: Call) -> Queue:
    home = call.site.home
    return Queue(home.disk, home.paths.scheduler)


async def enqueue_run(call: Call) -> Reply:
    body, home = call.body, call.site.home
    require_name(body)
    path = await run_in_threadpool(dag_of, call, body["dag"])
    run = body.get("id", "") or await run_in_threadpool(id_by_key, call, path.stem)
    there = run and not body.get("id") and (home.paths.run(run).root.is_dir() or _queue(call).has(run))
    if not there:
        said = {name: str(body.get(name, "")) for name in ("reason", "profile", "queue", "priority")}
        run = await call.actions.enqueue(str(path), params_of(body), id=run, **said)
    return Reply({"run": run}, 201, {"Location": f"{PREFIX}/queue"})


async def dequeue_run(call: Call) -> Reply:
    await call.actions.dequeue(call["run"])
    return Reply(None, 204)


async def hold_queue(call: Call) -> Any:
    await call.actions.hold_queue(call["queue"])
    return {"queue": call["queue"], "held": True}


async def release_queue(call: Call) -> Any:
    await call.actions.release_queue(call["queue"])
    return {"queue": call["queue"], "held": False}


_QUEUE = Parameter(
    "queue",
    "The name of a queue.",
    {"type": "string", "minLength": 1, "maxLength": 200},
    "path",
    required=True,
    example="heavy",
)
_WAITING = Parameter(
    "run", "The id of a run that waits.", {"type": "string", "pattern": RUN_ID}, "path", required=True
)
_HELD = Answer("It is so from now on.", having({"queue": TEXT, "held": FLAG}))
_NAME = {"type": "string", "maxLength": 200}
_WANTED = {
    "params": PARAMS,
    "id": ID,
    "reason": REASON,
    "profile": PROFILE,
    "queue": _NAME,
    "priority": {"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000},
}
OPERATIONS = (
    get(
        "/queue",
        list_queue,
        "What waits in queues",
        Answer("In the order it is started, then what was set aside.", list_of(ref("Waiting"))),
        shell="dagfs queue --json",
    ),
    act(
        "/queue",
        enqueue_run,
        "Put a run in a queue",
        Answer("It waits.", ref("Started"), status=201, headers={"Location": "Where the queue is."}),
        body=Body(
            taking({"dag": {"type": "string", "minLength": 1, "maxLength": 1000}}, _WANTED),
            {"dag": "nightly-import", "queue": "heavy"},
            required=True,
        ),
        errors=("refused", "spec_invalid"),
        shell="dagfs enqueue DAG",
    ),
    act(
        "/queue/{run}",
        dequeue_run,
        "Take a run out of its queue",
        Answer("It waits no more.", status=204),
        _WAITING,
        method="DELETE",
        shell="dagfs queue rm RUN",
    ),
    act(
        "/queues/{queue:path}/hold",
        hold_queue,
        "Start nothing from a queue",
        _HELD,
        _QUEUE,
        role=Role.EDIT,
        shell="dagfs queue pause QUEUE",
    ),
    act(
        "/queues/{queue:path}/release",
        release_queue,
        "Start from a held queue again",
        _HELD,
        _QUEUE,
        role=Role.EDIT,
        errors=("nothing_to_do",),
        shell="dagfs queue resume QUEUE",
    ),
)
