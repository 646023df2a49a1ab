"""`/runs/ID/retry`: chosen steps again, in this run or a new one, always by a plan shown first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.profiles import names
from dagfs.errors import DagfsError, PlanMoved
from dagfs.model.run import Run
from dagfs.store.draft import Draft, read_draft
from dagfs.web.actions import actions_of
from dagfs.web.address import request_run
from dagfs.web.preview import Preview, preview, seal
from dagfs.web.role import Role
from dagfs.web.route import for_run
from dagfs.web.site import page, role_of, site_of
from dagfs.web.templates import run_url
from dagfs.web.views.again import Again, again_from
from dagfs.web.views.saying import Saying, refusal
from dagfs.web.views.wish import MODES, Fields, Wish, wish_from

_WRITING = ("sets", "timeout", "tags", "with", "with_steps", "profile")
"""What no address says: a plan runs commands in `env:`, and anybody can make somebody open an address."""


@dataclass(frozen=True, slots=True)
class Menu:
    """One look at the page."""

    run: Run
    draft: Draft
    wish: Wish
    again: Again
    notice: Saying | None = None
    is_done: bool = False
    foreseen: str = ""
    """What a new run would do, in words."""


async def show(request: Request) -> Response:
    """The menu. `?from=load`, `?only=`, `?to=` and `?all=1` choose as the options of the command line do."""
    run = request_run(request)
    if "/" in run:
        return RedirectResponse(run_url(run.partition("/")[0], "retry"), 303)
    return await _page(request, await run_in_threadpool(_menu, request, _asked(request)))


async def plan(request: Request) -> Response:
    """What would be done."""
    return await _page(request, await _sent(request))


async def act(request: Request) -> Response:
    """Retry, or make a new run."""
    menu = await _sent(request)
    form = await request.form()
    what = form.get("do")
    try:
        if what == "rerun":
            made = await actions_of(request).rerun(menu.run.id, menu.again.options(menu.wish))
            return RedirectResponse(run_url(made), 303)
        if what == "foresee":
            told = await actions_of(request).foresee(menu.run.id, menu.again.options(menu.wish))
            menu = replace(menu, foreseen=told)
        if what == "retry":
            menu = await _retry(request, menu, str(form.get("plan", "")), str(form.get("seal", "")))
            if menu.is_done:
                return RedirectResponse(run_url(menu.run.id), 303)
    except PlanMoved:
        menu = _not_started(menu, "The run is not what this plan was made for any more.")
    except DagfsError as error:
        menu = replace(menu, notice=refusal(error))
    return await _page(request, menu)


async def _retry(request: Request, menu: Menu, plan_id: str, sealed: str) -> Menu:
    if sealed != seal(menu.wish, menu.draft.text):
        return _not_started(menu, "Something has changed since this plan was shown.")
    await actions_of(request).retry(menu.run.id, menu.wish.all_options(), plan_id=plan_id)
    return replace(menu, is_done=True)


def _not_started(menu: Menu, why: str) -> Menu:
    told = Saying("ask", why, "Nothing was started. What you see now is the new plan.")
    return replace(menu, notice=told)


def _asked(request: Request) -> Fields:
    """An address in the words of the form."""
    query = request.query_params
    fields = {key: query.getlist(key) for key in query if key not in _WRITING}
    for mode, option in MODES.items():
        word = option.removeprefix("--")
        if word in fields and "mode" not in fields:
            return {**fields, "mode": [mode], "steps": [] if mode == "all" else [",".join(fields[word])]}
    return fields


async def _sent(request: Request) -> Menu:
    form = await request.form()
    fields: Fields = {key: [str(value) for value in form.getlist(key)] for key in form}
    return await run_in_threadpool(_menu, request, fields)


def _menu(request: Request, fields: Fields) -> Menu:
    store, run_id = site_of(request).home.store, request_run(request).partition("/")[0]
    run = store.load(run_id)
    wish = wish_from(fields, run.last.header.params)
    if wish.changes_text and role_of(request) < Role.EDIT:
        raise HTTPException(
            403, "what writes into a spec, or names a file or a program, takes the role `edit`"
        )
    return Menu(run, read_draft(store, run_id), wish, again_from(fields))


async def _page(request: Request, menu: Menu) -> Response:
    if role_of(request) < Role.RUN:
        found = Preview(menu.wish)
    elif menu.wish.mode in ("from", "only", "to") and not menu.wish.steps:
        found = Preview(menu.wish, hint="Choose steps: click them in the picture or the table, or type them.")
    else:
        found = await preview(request, menu.run.id, menu.wish, menu.draft.text, edited=False)
    values = await run_in_threadpool(_values, request, menu, found)
    return page(request, "retry.html", **values)


def _values(request: Request, menu: Menu, found: Preview) -> dict[str, Any]:
    return {
        "run": menu.run,
        "root": menu.run.id,
        "draft": menu.draft,
        "notice": menu.notice,
        "preview": found,
        "wish": found.wish,
        "again": menu.again,
        "foreseen": menu.foreseen,
        "new_command": menu.again.command(menu.run.id, found.wish),
        "params": menu.run.last.header.params,
        "profiles": names(site_of(request).home),
    }


ROUTES = (
    *for_run("GET", "/retry", show),
    *for_run("POST", "/retry", act, Role.RUN),
    *for_run("POST", "/retry/plan", plan, Role.RUN),
)
