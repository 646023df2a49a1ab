"""`/start?dag=…`: the form that starts a run, or puts one in a queue."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagfs.engine.parameters import Parameters, complaints, described, parameters_of
from dagfs.engine.profiles import names as profile_names
from dagfs.engine.reading import reading_options
from dagfs.errors import DagfsError, ExitCode, NotFound, SpecError
from dagfs.model.dag import Dag
from dagfs.spec.parse import read
from dagfs.store import dags
from dagfs.web.actions import actions_of
from dagfs.web.role import Role
from dagfs.web.route import Route
from dagfs.web.shelf import DagFact
from dagfs.web.site import page, site_of
from dagfs.web.stock import stock_of
from dagfs.web.templates import run_url
from dagfs.web.views.params import Field, asked, field_of, filled, given, more_params, with_errors

_MOST_FIELDS = 5000
_ABOUT_PARAM = re.compile(r"param '(?P<name>[^']+)' (?P<message>.*)")
_STATUS = {ExitCode.USAGE: 422, ExitCode.SPEC_INVALID: 422, ExitCode.NOT_FOUND: 404, ExitCode.REFUSED: 409}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The form as it is filled in."""

    fact: DagFact
    dag: Dag
    parameters: Parameters
    fields: Sequence[Field]
    more: str = ""
    more_error: str = ""
    reason: str = ""
    id: str = ""
    profile: str = ""
    queue: str = ""
    priority: str = ""

    @property
    def has_errors(self) -> bool:
        return bool(self.more_error) or any(each.error for each in self.fields)

    def params(self) -> dict[str, str]:
        return {**given(self.fields), **more_params(self.more)[0]}

    def command(self) -> str:
        """What does the same in a terminal."""
        params = self.params()
        named = [
            f"-p {shlex.quote(f'{name}={value}')}" for name, value in params.items() if not name.isdecimal()
        ]
        placed = [shlex.quote(value) for name, value in params.items() if name.isdecimal()]
        words = ["dagfs run", shlex.quote(self.fact.word), *named, *(["--", *placed] if placed else [])]
        return " ".join(words)


def show(request: Request) -> Response:
    """The form, with the defaults, or with what the address says: `param.NAME=value`."""
    sheet = _sheet(request, request.query_params.get("dag", ""))
    query = request.query_params
    sheet = replace(
        sheet,
        fields=asked(sheet.fields, query),
        reason=query.get("reason", ""),
        profile=query.get("profile", ""),
    )
    return _page(request, sheet)


async def start(request: Request) -> Response:
    """Start it, or say at its field what is wrong."""
    form = await request.form(max_fields=_MOST_FIELDS)
    sheet = await run_in_threadpool(_filled, request, form)
    if sheet.has_errors:
        return _page(request, sheet, status=422)
    actions = actions_of(request)
    said = {"id": sheet.id, "reason": sheet.reason, "profile": sheet.profile}
    try:
        if form.get("how") == "enqueue":
            more = {"queue": sheet.queue, "priority": sheet.priority}
            run = await actions.enqueue(sheet.fact.path, sheet.params(), **said, **more)
            return RedirectResponse(f"/queues#{run}", 303)
        run = await actions.run(sheet.fact.path, sheet.params(), **said)
    except DagfsError as error:
        return _refused(request, sheet, error)
    return RedirectResponse(run_url(run), 303)


def _refused(request: Request, sheet: _Sheet, error: DagfsError) -> Response:
    """The same form with what the command said, at the field that it is about."""
    status = _STATUS.get(error.exit_code, 500)
    about = _ABOUT_PARAM.match(error.message)
    names = [each.name for each in sheet.fields]
    if about and about["name"] in names:
        sheet = replace(sheet, fields=with_errors(sheet.fields, {about["name"]: about["message"]}))
        return _page(request, sheet, status=status)
    return _page(request, sheet, status=status, error=error)


def _sheet(request: Request, word: str) -> _Sheet:
    """The empty form of a DAG as its file is now. NotFound, SpecError."""
    shelf = stock_of(request).dags
    shelf.refresh()
    fact = shelf.find(word)
    if fact is None:
        raise NotFound(f"there is no DAG {word!r}", hint="all there are stand at /")
    path = Path(fact.path)
    dag = read(dags.read(path), str(path), options=reading_options(site_of(request).home))
    parameters = parameters_of(dag, path.parent, str(path))
    return _Sheet(fact, dag, parameters, [field_of(each) for each in described(parameters)])


def _filled(request: Request, form: FormData) -> _Sheet:
    """The form with what a visitor put in, and what is wrong with it."""
    said: Mapping[str, str] = {name: str(value) for name, value in form.items()}
    sheet = _sheet(request, said.get("dag", ""))
    fields = filled(sheet.fields, said)
    more = said.get("more", "")
    return replace(
        sheet,
        fields=with_errors(fields, complaints(sheet.parameters, given(fields))),
        more=more,
        more_error=more_params(more)[1],
        reason=said.get("reason", "").strip(),
        id=said.get("id", "").strip(),
        profile=said.get("profile", "").strip(),
        queue=said.get("queue", "").strip(),
        priority=said.get("priority", "").strip(),
    )


def _page(request: Request, sheet: _Sheet, *, status: int = 200, error: DagfsError | None = None) -> Response:
    wrong = next((each.name for each in sheet.fields if each.error), None)
    return page(
        request,
        "start.html",
        status=status,
        sheet=sheet,
        first_wrong=wrong,
        error=error,
        problems=error.problems if isinstance(error, SpecError) else (),
        profiles=profile_names(site_of(request).home),
        command=sheet.command(),
    )


ROUTES = (
    Route("GET", "/start", show, Role.RUN),
    Route("POST", "/start", start, Role.RUN),
)
