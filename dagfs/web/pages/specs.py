"""`/runs/ID/spec`, `/diff` and `/compare`: the versions of a run's spec, and its attempts side by side."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.home import Home
from dagfs.engine.versions import version_text
from dagfs.errors import DagfsError, NotFound, SpecError
from dagfs.model.run import Actor
from dagfs.store.draft import read_draft
from dagfs.web.actions import actions_of
from dagfs.web.address import request_number, request_run
from dagfs.web.role import Role
from dagfs.web.route import for_run
from dagfs.web.site import page, site_of
from dagfs.web.templates import run_url
from dagfs.web.views.meaning import meaning, who
from dagfs.web.views.textdiff import text_diff

NEXT = "next"
_DIFFERENT = (0, 1)
"""What `dagfs diff` exits with where it has compared."""


async def versions(request: Request) -> Response:
    """Every version: when, by whom, why, in which attempts, and what changed in it; the text of one.

    `?version=v1` and `?attempt=1` say which one; else it is the newest.
    """
    run, home = request_run(request), site_of(request).home
    found = await actions_of(request).data("spec", "log", "--", run)
    told = [{**each, "who": who(Actor.from_data(each["actor"]))} for each in reversed(found)]
    attempt, version = request_number(request, "attempt", 0), request.query_params.get("version", "")
    made = next((each["spec"] for each in found if attempt in each["attempts"]), found[-1]["spec"])
    draft = await run_in_threadpool(read_draft, home.store, run)
    name, text = await run_in_threadpool(version_text, home.store, run, version or made)
    return page(
        request,
        "versions.html",
        run=run,
        versions=told,
        draft=draft,
        shown=name,
        text=text.decode("utf-8", "replace"),
    )


def export(request: Request) -> Response:
    """The text of one version, as a file."""
    home, run = site_of(request).home, request_run(request)
    name, text = _text(home, run, request.path_params["version"])
    root = run.replace("/", "-")
    headers = {"Content-Disposition": f'attachment; filename="{root}.{name}"', "Cache-Control": "no-store"}
    return Response(text, headers=headers, media_type="text/plain; charset=utf-8")


async def revert(request: Request) -> Response:
    """Begin an edit with an older version; one that is there already is looked at first."""
    run = request_run(request)
    version = str((await request.form()).get("version", ""))
    home = site_of(request).home
    name, _ = await run_in_threadpool(version_text, home.store, run, version)
    draft = await run_in_threadpool(read_draft, home.store, run)
    if not draft.pending:
        await actions_of(request).revert(run, name)
        return RedirectResponse(run_url(run, "edit"), 303)
    return RedirectResponse(f"{run_url(run, 'edit')}?from={name}", 303)


async def diff(request: Request) -> Response:
    """Two versions against each other: by default the newest against the edit, or the last two."""
    run, home = request_run(request), site_of(request).home
    known = await run_in_threadpool(_names, home, run)
    old, new = _pair(known, request.query_params.get("from", ""), request.query_params.get("to", ""))
    before = await run_in_threadpool(_text, home, run, old)
    after = await run_in_threadpool(_text, home, run, new)
    lines: list[str] = []
    error: DagfsError | None = None
    try:
        said = await actions_of(request).data("diff", "--", run, old, new, fine=_DIFFERENT)
        lines = meaning(said)
    except SpecError as wrong:
        error = wrong
    found = text_diff(before[1], after[1])
    return page(
        request,
        "diff.html",
        run=run,
        root=run,
        known=known,
        old=old,
        new=new,
        diff=found,
        meaning=lines,
        error=error,
    )


async def compare(request: Request) -> Response:
    """Two attempts side by side, as `dagfs diff RUN --attempts 1 2` shows them."""
    run = request_run(request)
    loaded = await run_in_threadpool(site_of(request).home.store.load, run)
    numbers = [attempt.n for attempt in loaded.attempts]
    one, other = _attempts(request, numbers)
    found: Any = {"differences": [], "spec": []}
    if one != other:
        words = ("diff", "--attempts", str(one), str(other), "--", run)
        found = await actions_of(request).data(*words, fine=_DIFFERENT)
    return page(
        request,
        "compare.html",
        run=run,
        attempts=loaded.attempts,
        one=one,
        other=other,
        differences=found["differences"],
        meaning=found["spec"],
    )


def _attempts(request: Request, numbers: list[int]) -> tuple[int, int]:
    """The two that are meant; the last two where none are named."""
    words = request.query_params.get("attempts", "").split(",")
    said = [int(word) for word in words if word.isdecimal() and len(word) < 10]
    if len(said) == 2 and set(said) <= set(numbers):
        return said[0], said[1]
    last = numbers[-1]
    before = numbers[-2] if len(numbers) > 1 else last
    return request_number(request, "one", before, last) or before, request_number(
        request, "other", last, last
    ) or last


def _names(home: Home, run: str) -> list[str]:
    paths = home.store.paths(run)
    found = [f"v{number}" for number in paths.spec_versions()]
    return [*found, NEXT] if paths.next_spec.exists() else found


def _pair(known: list[str], old: str, new: str) -> tuple[str, str]:
    """The versions that are meant: `1` is `v1`. NotFound for one that there is not."""
    said = [f"v{word}" if word.isdecimal() else word for word in (old, new)]
    for word in said:
        if word and word not in known:
            raise NotFound(f"there is no version {word!r}", hint=f"there are {', '.join(known)}")
    newest = said[1] or known[-1]
    before = known[max(0, known.index(newest) - 1)]
    return said[0] or before, newest


def _text(home: Home, run: str, word: str) -> tuple[str, bytes]:
    if word not in (NEXT, "spec.next.yaml"):
        return version_text(home.store, run, word)
    draft = read_draft(home.store, run)
    if not draft.pending:
        raise NotFound(f"run {run} has no spec.next.yaml")
    return draft.name, draft.text


ROUTES = (
    *for_run("GET", "/spec", versions),
    *for_run("GET", "/spec/{version}", export),
    *for_run("POST", "/spec/revert", revert, Role.EDIT),
    *for_run("GET", "/diff", diff),
    *for_run("GET", "/compare", compare),
)
