"""DAGs: what there is in `dags/`, and having it not started by itself."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

from starlette.responses import Response

from dagfs.engine.drawing import Subject, graph_data, sketch_of
from dagfs.engine.listing import add_last_runs, dag_reader
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, SpecError
from dagfs.planning.picture import draw, plan_picture
from dagfs.spec.parse import Reading, parse
from dagfs.store import dags
from dagfs.store.capture import sha256
from dagfs.web.api.operation import Answer, Body, Call, Parameter, act, get
from dagfs.web.api.place import DAG, dag_of
from dagfs.web.api.shapes import TEXT, having, list_of, maybe, ref, taking
from dagfs.web.role import Role
from dagfs.web.site import not_modified, quoted


def list_dags(call: Call) -> Any:
    home = call.site.home
    found = map(dag_reader(home, _label(call)), dags.names(home.paths))
    rows = [each for each in found if _wanted(call, each)]
    add_last_runs(home, rows)
    return rows


def _wanted(call: Call, row: dict[str, Any]) -> bool:
    tag = call["tag"]
    return fnmatch.fnmatchcase(row["name"], call["pattern"]) and (not tag or tag in row["tags"])


def _label(call: Call) -> Any:
    root = call.site.home.paths.root
    return lambda path: str(path.relative_to(root))


def get_dag(call: Call) -> Any:
    home, path = call.site.home, dag_of(call)
    row = dag_reader(home, _label(call))(path)
    add_last_runs(home, [row])
    found = _read(call, path).dag
    return {**row, "dag": found.as_data() if found else None}


def get_dag_spec(call: Call) -> Response:
    return text_reply(call, dags.read(dag_of(call)), "application/yaml")


def get_dag_graph(call: Call) -> Any:
    return graph_data(_subject(call))


def get_dag_picture(call: Call) -> Response:
    return svg_reply(call, _subject(call))


def _subject(call: Call) -> Subject:
    reading = _read(call, dag_of(call))
    if reading.dag is None:
        raise SpecError(reading.errors)
    return Subject(reading.dag.name, reading.dag)


def _read(call: Call, path: Path) -> Reading:
    return parse(dags.read(path), _label(call)(path), options=reading_options(call.site.home))


def svg_reply(call: Call, subject: Subject) -> Response:
    """A picture, which may do nothing but be seen."""
    sketch = sketch_of(subject)
    picture = draw(sketch, plan_picture(sketch)).encode("utf-8", "replace")
    return text_reply(
        call, picture, "image/svg+xml", {"Content-Security-Policy": "default-src 'none'; sandbox"}
    )


def text_reply(
    call: Call, data: bytes, media: str, headers: dict[str, str] | None = None, etag: str = ""
) -> Response:
    """Bytes as they are, with their ETag."""
    etag = etag or sha256(data)[:32]
    if known := not_modified(call.request, etag):
        return known
    charset = media if media.startswith("image/") else f"{media}; charset=utf-8"
    return Response(data, 200, {**(headers or {}), "ETag": quoted(etag), "Content-Type": charset})


async def list_dag_problems(call: Call) -> Any:
    path = dag_of(call)
    return await call.actions.data("validate", "--", str(path), fine=(ExitCode.DONE, ExitCode.SPEC_INVALID))


async def validate_spec(call: Call) -> Any:
    fine = (ExitCode.DONE, ExitCode.SPEC_INVALID)
    return await call.actions.data("validate", "--", "-", text=call.body["spec"].encode(), fine=fine)


async def pause_dag(call: Call) -> Any:
    path = dag_of(call)
    await call.actions.pause(str(path), call.body.get("reason", ""))
    return {"dag": _name(call, path), "paused": True}


async def resume_dag(call: Call) -> Any:
    name = _name(call, dag_of(call))
    await call.actions.resume(name)
    return {"dag": name, "paused": False}


def _name(call: Call, path: Path) -> str:
    return str(dag_reader(call.site.home)(path)["name"])


_PAUSED = Answer("It is so from now on.", having({"dag": TEXT, "paused": {"type": "boolean"}}))
_REASON = Body(
    taking({}, {"reason": {"type": "string", "maxLength": 10_000}}), {"reason": "the source is down"}
)
_PROBLEMS = Answer("Every problem; empty where there is none.", list_of(ref("Problem")))
OPERATIONS = (
    get(
        "/dags",
        list_dags,
        "List the DAGs",
        Answer("All of them, by file; broken ones too.", list_of(ref("Dag"))),
        Parameter(
            "pattern", "Only names like this.", {**TEXT, "default": "*", "maxLength": 200}, example="night*"
        ),
        Parameter("tag", "Only DAGs with this tag.", TEXT),
        shell="dagfs ls --json",
    ),
    act(
        "/validate",
        validate_spec,
        "Check a spec",
        _PROBLEMS,
        role=Role.RUN,
        body=Body(taking({"spec": TEXT}), {"spec": "steps:\n  - run: echo hello\n"}, required=True),
        shell="dagfs validate - --json",
    ),
    get(
        "/dags/{dag:path}/spec",
        get_dag_spec,
        "The text of a DAG's file",
        Answer("The file as it is.", media="application/yaml"),
        DAG,
    ),
    get(
        "/dags/{dag:path}/problems",
        list_dag_problems,
        "What is wrong with a DAG's file",
        _PROBLEMS,
        DAG,
        shell="dagfs validate DAG --json",
    ),
    get(
        "/dags/{dag:path}/graph",
        get_dag_graph,
        "Steps and edges of a DAG",
        Answer("With their places in a picture.", ref("Graph")),
        DAG,
        errors=("spec_invalid",),
        shell="dagfs graph DAG --json",
    ),
    get(
        "/dags/{dag:path}/graph.svg",
        get_dag_picture,
        "A picture of a DAG",
        Answer("The picture.", media="image/svg+xml"),
        DAG,
        errors=("spec_invalid",),
        shell="dagfs graph DAG --svg",
    ),
    act(
        "/dags/{dag:path}/pause",
        pause_dag,
        "Have a DAG not started by itself",
        _PAUSED,
        DAG,
        role=Role.EDIT,
        body=_REASON,
        shell="dagfs pause DAG",
    ),
    act(
        "/dags/{dag:path}/resume",
        resume_dag,
        "Have a paused DAG started by itself again",
        _PAUSED,
        DAG,
        role=Role.EDIT,
        errors=("nothing_to_do",),
        shell="dagfs resume DAG",
    ),
    get(
        "/dags/{dag:file}",
        get_dag,
        "One DAG",
        Answer(
            "Its row of the list, and all of it as it was read.",
            {"allOf": [ref("Dag"), having({"dag": maybe("object")})]},
        ),
        DAG,
    ),
)
