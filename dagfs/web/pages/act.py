"""What is done with a run by a click on its page: stop it, answer it, mark a step of it."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.errors import UsageError
from dagfs.model.run import MARKABLE
from dagfs.web.actions import actions_of
from dagfs.web.address import request_run
from dagfs.web.role import Role
from dagfs.web.route import Route, for_run
from dagfs.web.templates import run_url
from dagfs.web.views.steps import Place

INPUT = "input."
"""What the names of fields begin with that hold what an approval asks for."""
_LONGEST = 10_000


async def stop(request: Request) -> Response:
    """Have the run stopped; a child ends with its whole family."""
    run = request_run(request)
    form = await request.form()
    await actions_of(request).stop(run.partition("/")[0], kill=_text(form, "kill") == "yes")
    return _back(run)


async def approve(request: Request) -> Response:
    """Let a step go on that waits for a word."""
    run = request_run(request)
    form = await request.form()
    inputs = {
        name.removeprefix(INPUT): value
        for name, value in form.items()
        if name.startswith(INPUT) and isinstance(value, str) and value
    }
    await actions_of(request).approve(run, _step(form), inputs, _text(form, "reason"))
    return _back(_shown(run, form))


async def reject(request: Request) -> Response:
    """Refuse what a step asks."""
    run = request_run(request)
    form = await request.form()
    await actions_of(request).reject(run, _step(form), _text(form, "reason"))
    return _back(_shown(run, form))


async def mark(request: Request) -> Response:
    """Say how a step stands, with a reason that is kept for ever."""
    run = request_run(request)
    form = await request.form()
    step, state, reason = _step(form), _text(form, "state"), _text(form, "reason")
    if state not in MARKABLE:
        raise UsageError(f"a step cannot be marked {state!r}", hint=f"use one of {', '.join(MARKABLE)}")
    if not reason:
        raise UsageError("a reason is needed: it is kept with the mark", hint="go back and say why")
    await actions_of(request).mark(run, step, state, reason, _outputs(_text(form, "outputs")))
    return RedirectResponse(Place(run, whose=(step, "")).url(anchor="detail"), 303)


def _outputs(text: str) -> dict[str, str]:
    """`NAME=VALUE`, one a line."""
    found = {}
    for line in text.splitlines():
        name, mark, value = line.partition("=")
        if line.strip() and not (mark and name.strip()):
            raise UsageError(f"{line[:80]!r} is no output", hint="write NAME=VALUE, one a line")
        if mark:
            found[name.strip()] = value
    return found


def _shown(run: str, form: FormData) -> str:
    """The run whose page the form was on: a child's question is shown with its root, too."""
    seen = _text(form, "seen")
    return seen if seen == run.partition("/")[0] else run


def _step(form: FormData) -> str:
    found = _text(form, "step")
    if not found:
        raise UsageError("the form names no step")
    return found


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""


def _back(run: str) -> Response:
    return RedirectResponse(run_url(run), 303)


ROUTES: tuple[Route, ...] = (
    *for_run("POST", "/stop", stop, Role.RUN),
    *for_run("POST", "/approve", approve, Role.RUN),
    *for_run("POST", "/reject", reject, Role.RUN),
    *for_run("POST", "/mark", mark, Role.EDIT),
)
