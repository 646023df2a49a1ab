"""`/runs/ID/edit`: the spec of a run in an editor, what a retry would do with it, and that retry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.home import Home
from dagfs.engine.profiles import names
from dagfs.engine.versions import version_text
from dagfs.errors import DagfsError, PlanMoved
from dagfs.model.run import Run
from dagfs.store.draft import Draft, DraftMoved, discard_draft, read_draft, save_draft
from dagfs.web.actions import actions_of
from dagfs.web.address import request_run
from dagfs.web.bundle import bundle_url
from dagfs.web.preview import Preview, preview, seal
from dagfs.web.role import Role
from dagfs.web.route import LARGEST_SPEC_BODY, for_run
from dagfs.web.site import page, role_of, site_of
from dagfs.web.templates import run_url
from dagfs.web.views.saying import Saying, refusal
from dagfs.web.views.textdiff import text_diff
from dagfs.web.views.wish import Fields, Wish, wish_from


@dataclass(frozen=True, slots=True)
class Desk:
    """One look at the page: what is on disk, what is in the editor, and what is to be said."""

    run: Run
    draft: Draft
    """What is on disk."""
    base: bytes
    """The newest captured spec."""
    text: bytes
    """What is in the editor."""
    wish: Wish = Wish()  # noqa: RUF009 - frozen
    notice: Saying | None = None
    conflict: bool = False
    """Somebody else has changed the draft that the text in the editor began with."""
    seen: str = ""
    """The version of the draft that the text in the editor began with; empty for the one on disk."""
    before: bytes = b""
    """A text that was in the editor until now, and has made way."""

    @property
    def edited(self) -> bool:
        """A retry would take a text that is not the captured one."""
        return self.draft.pending or self.text != self.base


async def show(request: Request) -> Response:
    """The editor. `?from=v1` begins with an older version."""
    desk = await run_in_threadpool(_desk, site_of(request).home, request_run(request))
    if word := request.query_params.get("from", ""):
        home, run = site_of(request).home, desk.run.id
        name, text = await run_in_threadpool(version_text, home.store, run, word)
        told = Saying("ask", f"This is {name}. It becomes the edit of this run once you save it.")
        desk = replace(desk, text=text, notice=told)
    return await _page(request, desk)


async def plan(request: Request) -> Response:
    """What a retry would do with the text and the answers of the form; nothing is saved."""
    return await _page(request, await _sent(request))


async def act(request: Request) -> Response:
    """Save, discard, or retry."""
    desk = await _sent(request)
    form = await request.form()
    what = str(form.get("do", ""))
    if what == "theirs":
        moved = replace(desk, text=desk.draft.text, before=desk.text, seen="", conflict=False)
        return await _page(request, replace(moved, notice=Saying("good", "This is what is on disk now.")))
    if what == "over" and form.get("theirs") == desk.draft.version:
        desk, what = replace(desk, conflict=False, seen=""), "save"
    if desk.conflict and what in ("save", "over", "retry", "discard"):
        return await _page(request, desk)
    try:
        if what == "save":
            desk = await run_in_threadpool(_saved, request, desk)
        elif what == "discard":
            desk = await run_in_threadpool(_discarded, request, desk)
        elif what == "retry":
            return await _retry(request, desk, str(form.get("plan", "")), str(form.get("seal", "")))
    except DraftMoved:
        desk = replace(await _sent(request), conflict=True)
    except DagfsError as error:
        desk = replace(desk, notice=refusal(error))
    return await _page(request, desk)


async def _retry(request: Request, desk: Desk, plan_id: str, sealed: str) -> Response:
    run = desk.run.id
    root = run.partition("/")[0]
    if desk.edited and desk.text != desk.draft.text:
        desk = replace(await run_in_threadpool(_saved, request, desk), notice=None)
    if root != run:
        return RedirectResponse(run_url(root, "retry"), 303)
    if sealed != seal(desk.wish, desk.text):
        told = Saying("ask", "You have changed something since this plan was shown.", "Nothing was started.")
        return await _page(request, replace(desk, notice=told))
    try:
        await actions_of(request).retry(root, desk.wish.all_options(), plan_id=plan_id)
    except PlanMoved:
        told = Saying(
            "ask",
            "The run is not what this plan was made for any more.",
            "Nothing was started. What you see now is the new plan.",
        )
        return await _page(request, replace(desk, notice=told))
    return RedirectResponse(run_url(run), 303)


def _desk(home: Home, run_id: str) -> Desk:
    run = home.store.load(run_id)
    draft = read_draft(home.store, run_id)
    base = home.store.spec(run_id, run.last.n) if draft.pending else draft.text
    return Desk(run, draft, base, draft.text)


async def _sent(request: Request) -> Desk:
    """The desk as the form has it."""
    form = await request.form()
    fields: Fields = {key: [str(value) for value in form.getlist(key)] for key in form}
    desk = await run_in_threadpool(_desk, site_of(request).home, request_run(request))
    # Only what was sent is somebody's text: a form without one changes none.
    text = _text(fields["spec"][-1], like=desk.draft.text) if fields.get("spec") else desk.draft.text
    seen = fields.get("seen", [""])[-1]
    conflict = seen != desk.draft.version and text != desk.draft.text
    wish = wish_from(fields, desk.run.last.header.params)
    return replace(desk, text=text, wish=wish, conflict=conflict, seen=seen if conflict else "")


def _text(sent: str, *, like: bytes) -> bytes:
    """What was typed, with the ends of lines as the file has them: browsers send CR LF."""
    text = sent.replace("\r\n", "\n")
    if like.count(b"\r\n") * 2 > like.count(b"\n"):
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8", "replace")


def _saved(request: Request, desk: Desk) -> Desk:
    if desk.text == desk.draft.text:
        told = Saying("good", "There is nothing to save: this is what is on disk.")
        return replace(desk, notice=told)
    home = site_of(request).home
    draft = save_draft(home.store, home.disk, desk.run.id, desk.text, desk.draft.version)
    return replace(desk, draft=draft, seen="", notice=Saying("good", "Saved as spec.next.yaml."))


def _discarded(request: Request, desk: Desk) -> Desk:
    home = site_of(request).home
    if desk.draft.pending:
        discard_draft(home.store, home.disk, desk.run.id, desk.draft.version)
    told = Saying("good", "The edit is discarded.", "Your text is still below, until you leave this page.")
    fresh = _desk(home, desk.run.id)
    return replace(fresh, notice=told, before=desk.text if desk.text != fresh.text else b"")


async def _page(request: Request, desk: Desk) -> Response:
    run, role = desk.run.id, role_of(request)
    # To plan is to evaluate the text's own commands: not for somebody who may only look.
    if role >= Role.RUN:
        found = await preview(request, run, desk.wish, desk.text, edited=desk.edited)
    else:
        found = Preview(desk.wish)
    values = await run_in_threadpool(_values, request, desk, found)
    return page(request, "edit.html", **values)


def _values(request: Request, desk: Desk, found: Preview) -> dict[str, Any]:
    home = site_of(request).home
    last = desk.run.last.header
    return {
        "run": desk.run,
        "root": desk.run.id.partition("/")[0],
        "desk": desk,
        "text": desk.text.decode("utf-8", "replace"),
        "is_lossy": "\ufffd" in desk.text.decode("utf-8", "replace"),
        "before": desk.before.decode("utf-8", "replace"),
        "seen": desk.seen or desk.draft.version,
        "preview": found,
        "wish": found.wish,
        "diff": text_diff(desk.base, desk.text),
        "against": text_diff(desk.draft.text, desk.text) if desk.conflict else None,
        "base_name": last.spec,
        "editor": bundle_url(),
        "params": last.params,
        "profiles": names(home),
        "file": str(home.store.paths(desk.run.id).next_spec),
    }


ROUTES = (
    *for_run("GET", "/edit", show),
    *for_run("POST", "/edit", act, Role.EDIT, largest=LARGEST_SPEC_BODY),
    *for_run("POST", "/edit/plan", plan, Role.EDIT, largest=LARGEST_SPEC_BODY),
)
