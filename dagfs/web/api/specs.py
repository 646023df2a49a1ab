"""Specs of a run: its captured versions, and the edit that waits for its next retry."""

from __future__ import annotations

import difflib
import re
from typing import Any

from starlette.responses import Response

from dagfs.errors import NotFound
from dagfs.store.draft import NONE, Draft, DraftMoved, discard_draft, read_draft, save_draft
from dagfs.web.api.dags import text_reply
from dagfs.web.api.operation import Answer, Body, Call, Parameter, Reply, act, get
from dagfs.web.api.place import RUN, run_of
from dagfs.web.api.shapes import TEXT, having, list_of, ref
from dagfs.web.problem import Told
from dagfs.web.role import Role
from dagfs.web.route import LARGEST_SPEC_BODY
from dagfs.web.site import quoted

_NUMBER = re.compile(r"v([1-9][0-9]{0,8})")
_NEXT = "next"


async def list_versions(call: Call) -> Any:
    return await call.actions.data("spec", "log", "--", run_of(call))


def get_version(call: Call) -> Response:
    run, name = run_of(call), call["version"]
    return text_reply(call, _text(call, run, name), "application/yaml")


def _text(call: Call, run: str, name: str) -> bytes:
    """A version's text. NotFound, Damaged."""
    store = call.site.home.store
    number = _NUMBER.fullmatch(name)
    file = f"spec.v{number[1]}.yaml" if number else ""
    for attempt in store.load(run).attempts if file else ():
        if attempt.header.spec == file:
            return store.spec(run, attempt.n)
    if name == _NEXT and (draft := read_draft(store, run)).pending:
        return draft.text
    raise NotFound(
        f"run {run} has no spec {name[:40]!r}", hint="GET …/specs lists them; `next` is the pending edit"
    )


def get_edit(call: Call) -> Response:
    """The edit with its version as ETag."""
    draft = read_draft(call.site.home.store, run_of(call))
    if not draft.pending:
        raise NotFound(
            f"run {call['run']} has no pending edit", hint=f"PUT one; GET …/specs/{_last(draft)} to begin"
        )
    return text_reply(call, draft.text, "application/yaml", etag=draft.version)


def _last(draft: Draft) -> str:
    return draft.name.removeprefix("spec.").removesuffix(".yaml")


def put_edit(call: Call) -> Reply:
    home, run = call.site.home, run_of(call)
    seen = _seen(call, run)
    try:
        draft = save_draft(home.store, home.disk, run, call.body, seen)
    except DraftMoved as error:
        raise Told("changed", error.message, hint=error.hint) from None
    status = 201 if seen == NONE else 200
    return Reply({"run": run, "sha256": draft.version}, status, {"ETag": quoted(draft.version)})


def delete_edit(call: Call) -> Reply:
    home, run = call.site.home, run_of(call)
    seen = _seen(call, run)
    if seen == NONE:
        raise NotFound(f"run {run} has no pending edit")
    try:
        discard_draft(home.store, home.disk, run, seen)
    except DraftMoved as error:
        raise Told("changed", error.message, hint=error.hint) from None
    return Reply(None, 204)


def _seen(call: Call, run: str) -> str:
    """The version of the edit that the request was made for. Told."""
    now = read_draft(call.site.home.store, run).version
    given = call["If-Match"]
    if given is None:
        if now != NONE:
            raise Told(
                "precondition_required",
                f"run {run} has a pending edit already",
                hint="say which one you saw: `If-Match: ETAG`, or `*` for whichever it is",
            )
        return NONE
    if given.strip() == "*":
        if now == NONE:
            raise Told("changed", f"run {run} has no pending edit")
        return now
    versions = [each.strip().removeprefix("W/").strip('"') for each in given.split(",")]
    if now not in versions:
        raise Told("changed", f"the pending edit of run {run} is not the one you saw", hint="GET it again")
    return now


async def get_diff(call: Call) -> Any:
    run = run_of(call)
    names = [each for each in (call["old"], call["new"]) if each]
    if not names:
        versions = [f"v{n}" for n in call.site.home.paths.run(run).spec_versions()]
        versions += [_NEXT] if read_draft(call.site.home.store, run).pending else []
        names = versions[-2:]
    if len(names) < 2:
        raise NotFound(f"run {run} has no two specs to compare", hint="say `old` and `new`")
    old, new = (_text(call, run, name) for name in names)
    changes = await call.actions.data("diff", "--", run, *names, fine=(0, 1))
    return {"old": names[0], "new": names[1], "changes": changes, "text": _unified(names, old, new)}


def _unified(names: list[str], old: bytes, new: bytes) -> str:
    before, after = (each.decode("utf-8", "replace").splitlines() for each in (old, new))
    return "\n".join(difflib.unified_diff(before, after, names[0], names[1], lineterm=""))


_IF_MATCH = Parameter(
    "If-Match",
    "The ETag of the edit that you saw, or `*`. Needed where there is one.",
    TEXT,
    "header",
    example='"9f86d081884c7d65"',
)
_VERSION = Parameter(
    "version",
    "`v1`, `v2`, … or `next` for the pending edit.",
    {"type": "string", "minLength": 1},
    "path",
    required=True,
    example="v1",
)
_SPEC = {"type": "string", "pattern": "^(v[1-9][0-9]{0,8}|next)$"}
_YAML = Answer("The text as it is.", media="application/yaml")
OPERATIONS = (
    get(
        "/runs/{run:address}/specs/next",
        get_edit,
        "The edit that waits for the next retry",
        Answer("Its text; the ETag is its version.", media="application/yaml"),
        RUN,
        shell="cat $(dagfs show RUN --path next)",
    ),
    act(
        "/runs/{run:address}/specs/next",
        put_edit,
        "Save an edit for the next retry",
        Answer(
            "It is saved, whether it is valid or not: ask for the plan.",
            having({"run": TEXT, "sha256": TEXT}),
        ),
        RUN,
        _IF_MATCH,
        method="PUT",
        role=Role.EDIT,
        body=Body(
            {}, "steps:\n  - name: load\n    run: ./load --slowly\n", "application/yaml", required=True
        ),
        errors=("changed", "precondition_required", "unsupported_media_type", "refused"),
        shell="dagfs edit RUN --from FILE",
        largest=LARGEST_SPEC_BODY,
    ),
    act(
        "/runs/{run:address}/specs/next",
        delete_edit,
        "Forget the edit",
        Answer("It is gone.", status=204),
        RUN,
        _IF_MATCH,
        method="DELETE",
        role=Role.EDIT,
        errors=("changed", "precondition_required"),
    ),
    get(
        "/runs/{run:address}/specs/{version}",
        get_version,
        "The text of a version",
        _YAML,
        RUN,
        _VERSION,
        shell="dagfs spec show RUN v1",
    ),
    get(
        "/runs/{run:address}/specs",
        list_versions,
        "The versions of a run's spec",
        Answer("Who made each, why, and what it changed.", list_of(ref("Version"))),
        RUN,
        shell="dagfs spec log RUN --json",
    ),
    get(
        "/runs/{run:address}/diff",
        get_diff,
        "What changed between two specs",
        Answer(
            "In meaning and in text.",
            having({"old": TEXT, "new": TEXT, "changes": list_of(ref("Change")), "text": TEXT}),
        ),
        RUN,
        Parameter(
            "old", "The earlier one; where none is named, the one before the newest.", _SPEC, example="v1"
        ),
        Parameter("new", "The later one.", _SPEC, example="next"),
        errors=("spec_invalid",),
        shell="dagfs diff RUN v1 next --json",
    ),
)
