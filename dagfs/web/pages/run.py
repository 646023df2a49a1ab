"""`/runs/ID`: a run as it stands, what went wrong first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dagfs.engine.answering import waiting_steps
from dagfs.engine.capture import read_run_outputs
from dagfs.engine.location import now
from dagfs.errors import DagfsError, NotFound
from dagfs.model.dag import Dag
from dagfs.model.run import MARKABLE, Attempt, Run
from dagfs.model.state import StepState
from dagfs.model.timespan import moment
from dagfs.store.artifacts import listed
from dagfs.store.lines import timestamp
from dagfs.store.logs import size, tail
from dagfs.web.address import request_number, request_run
from dagfs.web.graph import DIRECTIONS
from dagfs.web.logs import Log, log_of, request_whose, tail_of
from dagfs.web.looks import Look, looks_of
from dagfs.web.route import Route, for_run
from dagfs.web.site import page, site_of, unchanged
from dagfs.web.views import picture
from dagfs.web.views import steps as views
from dagfs.web.views.attempts import attempt_rows, remarks, who
from dagfs.web.views.course import Whose
from dagfs.web.views.logtext import Window, plain
from dagfs.web.views.notice import Failure, Notice, Tail, command, failures, notice, questions

_TAIL_LINES = 12
_MOST_TAIL = 16 * 1024
_MOST_ROWS = 2000
_MOST_ARTIFACTS = 200
_DEEPEST = 4
"""Children of children that are looked into for what failed in the end."""
_LOG_BESIDE = 64 * 1024
"""Bytes of a log that come with the page; a script loads more."""


def show(request: Request) -> Response:
    """The page of a run, or of one of its earlier attempts."""
    look = looks_of(request).at(request_run(request))
    etag = _etag(request, look)
    same = unchanged(request, etag)
    if same is not None:
        return same
    run = look.view.run
    attempt = _attempt(request, run)
    whose = views.chosen(attempt, request_whose(request))
    place = _place(request, run, attempt)
    dag = looks_of(request).dag(run.id, attempt.n)
    values = _head(request, look, attempt, place)
    values |= _picture(request, look, attempt, dag, place, whose)
    values |= _steps(attempt, dag, replace(place, whose=whose))
    values |= _detail(request, look, attempt, dag, whose)
    return page(request, "run.html", etag=etag, **values)


def _etag(request: Request, look: Look) -> str:
    """Of the run's records and of what is looked at; of the time as well, while something goes on."""
    last = look.view.run.last
    said = [look.stamp, str(request.url.query), str(int(now().timestamp() // 60))]
    if look.is_alive or not last.state.is_over:
        began = moment(last.started)
        passed = (now() - began).total_seconds() if began else 0.0
        # What has gone on for an hour looks the same a few seconds later.
        unit = 3.0
        while unit * 40 < passed:
            unit *= 2
        said.append(f"{unit}:{passed // unit}")
    return hashlib.sha256("|".join(said).encode("utf-8", "replace")).hexdigest()[:20]


def _attempt(request: Request, run: Run) -> Attempt:
    n = request_number(request, "attempt", run.last.n)
    found = next((each for each in run.attempts if each.n == n), None)
    if found is None:
        raise NotFound(f"run {run.id} has no attempt {n}", hint=f"it has {len(run.attempts)}")
    return found


def _place(request: Request, run: Run, attempt: Attempt) -> views.Place:
    query = request.query_params
    return views.Place(
        run.id,
        attempt.n if attempt.n != run.last.n else 0,
        request_whose(request),
        view=query.get("view", "") if query.get("view") in ("graph", "timeline") else "",
        turn=query.get("turn", "") if query.get("turn") in DIRECTIONS else "",
        show=query.get("show", "") if query.get("show") in list(StepState) else "",
    )


# -- the head ------------------------------------------------------------------------------------


def _head(request: Request, look: Look, attempt: Attempt, place: views.Place) -> dict[str, Any]:
    view, run = look.view, look.view.run
    is_newest = attempt.n == run.last.n
    paths = site_of(request).home.paths.run(run.id)
    told = notice(view, attempt, is_newest=is_newest, is_alive=look.is_alive)
    asked = []
    if is_newest and not attempt.state.is_over:
        store = site_of(request).home.store
        asked = questions(list(waiting_steps(store, run.id)))
    courses = [looks_of(request).course(run.id, each.n) for each in run.attempts]
    return {
        "run": run,
        "header": run.header,
        "item": views.item_words(run.header.item),
        "root": run.id.partition("/")[0],
        "is_child": "/" in run.id,
        "attempt": attempt,
        "is_newest": is_newest,
        "is_busy": look.is_alive or bool(view.orphans or view.below),
        "notice": _with_tails(request, run, told, place),
        "questions": asked,
        "place": place,
        "folder": str(paths.root),
        "has_edit": is_newest and paths.next_spec.exists(),
        "run_outputs": views.outputs_of(read_run_outputs(paths.attempt(attempt.n))),
        "attempts": attempt_rows(run),
        "remarks": remarks(courses)[:100],
        "who": who,
        "family": _family(run),
        "owner": str(view.owner) if view.owner else "",
    }


def _with_tails(request: Request, run: Run, told: Notice, place: views.Place) -> Notice:
    """The same with the ends of the logs of what failed; of a child that failed, those of its own step."""

    def filled(failure: Failure) -> Failure:
        url = place.url(whose=failure.whose, anchor="detail")
        below = _below(request, run, failure)
        if below is not None:
            return replace(failure, url=url, tails=below)
        return replace(failure, url=url, tails=tuple(_tails(request, run, failure, place)))

    return replace(told, failures=tuple(filled(each) for each in told.failures))


def _tails(
    request: Request, run: Run, failure: Failure, place: views.Place, whose: str = ""
) -> Iterator[Tail]:
    if not failure.attempt:
        return
    folder = views.folder_of(site_of(request).home.paths.run(run.id), failure.attempt, failure.whose)
    for name, path in (("stderr", folder.stderr), ("stdout", folder.stdout)):
        with suppress(DagfsError):
            whole, data = size(path), tail(path, _TAIL_LINES, limit=_MOST_TAIL)
            if not data:
                continue
            text = plain(data.decode("utf-8", "replace")).rstrip("\n")
            link = place.log_url(failure.whose, failure.attempt) + f"&stream={name}"
            yield Tail(name, text, link, whole > len(data), whose)


def _below(request: Request, run: Run, failure: Failure, depth: int = _DEEPEST) -> tuple[Tail, ...] | None:
    """The ends of the logs of the step that failed in a child; None where the step has no child to blame."""
    if not failure.children or not depth:
        return None
    try:
        child = looks_of(request).at(f"{run.id.partition('/')[0]}/{failure.children[0][0]}").view.run
    except DagfsError:
        return None
    found = next(iter(failures(child.last)), None)
    if found is None:
        return None
    deeper = _below(request, child, found, depth - 1)
    where = f"{found.label} in {failure.children[0][1]}"
    return deeper or tuple(_tails(request, child, found, views.Place(child.id), where))


def _family(run: Run) -> dict[str, Any]:
    """Where the run comes from, and what came from it."""
    header = run.header
    made_from = header.parent if header.parent and "/" not in run.id else ""
    return {"made_from": made_from, "parent": header.parent if "/" in run.id else "", "step": header.step}


# -- graph and timeline --------------------------------------------------------------------------


def _picture(
    request: Request, look: Look, attempt: Attempt, dag: Dag, place: views.Place, whose: Whose | None
) -> dict[str, Any]:
    shown = place.view or picture.usual(dag)
    if shown == "graph":
        drawn = picture.graph_of(look.view.run, attempt, dag, place, whose)
        return {"view": shown, "graph": drawn, "timeline": None}
    run, looks = look.view.run, looks_of(request)
    courses = [looks.course(run.id, each.n) for each in run.attempts if each.n <= attempt.n]
    goes_on = (look.is_alive or bool(look.view.orphans)) and attempt.n == run.last.n
    end = timestamp(now()) if goes_on else courses[-1].last
    chart = picture.timeline_of(attempt, courses, place, end)
    return {"view": shown, "graph": "", "timeline": chart}


# -- steps ---------------------------------------------------------------------------------------


def _steps(attempt: Attempt, dag: Dag, place: views.Place) -> dict[str, Any]:
    every = views.rows(attempt, dag, place)
    rows = [row for row in every if row.state == place.show] if place.show else every
    return {
        "rows": rows[:_MOST_ROWS],
        "more_rows": max(0, len(rows) - _MOST_ROWS),
        "all_rows": len(every),
        "counts": views.counts(every),
    }


def _detail(request: Request, look: Look, attempt: Attempt, dag: Dag, whose: Whose | None) -> dict[str, Any]:
    """The step that is shown in full, with the end of its log."""
    step = views.find(attempt, whose) if whose else None
    if step is None or whose is None:
        return {"step": None, "log": None}
    run = look.view.run
    children, more = views.children_of(run, step)
    log = log_of(request, look, attempt, whose, request.query_params.get("stream", ""))
    paths = site_of(request).home.paths.run(run.id)
    made = step.attempt or step.log_attempt
    folder = views.folder_of(paths, step.log_attempt or made, whose) if made else None
    files, is_cut = listed(folder.artifacts, _MOST_ARTIFACTS) if folder else ([], False)
    can_mark = whose[0] and look.view.run.state.is_over and attempt.n == run.last.n and not look.is_alive
    return {
        "step": step,
        "whose": whose,
        "label": views.label(whose),
        "reason": views.reason_of(step),
        "kept": views.kept_words(step),
        "spec": views.definition(dag, whose),
        "children": children,
        "more_children": more,
        "tally": views.tally(step.children.values()),
        "outputs": views.outputs_of(step.outputs),
        "artifacts": files,
        "artifacts_cut": is_cut,
        "artifacts_folder": str(folder.artifacts) if folder else "",
        "artifact_query": {"attempt": step.log_attempt or made, **views.named(whose)},
        "log": log,
        "part": _end_of(log) if log else None,
        "log_command": command("dagfs", "logs", run.id, views.label(whose)),
        "can_mark": can_mark,
        "mark_states": [str(state) for state in MARKABLE if state is not step.state],
        "mark_command": command("dagfs", "mark", run.id, whose[0], "STATE", "-m", "…"),
    }


def _end_of(log: Log) -> Window:
    try:
        return tail_of(log, _LOG_BESIDE)
    except DagfsError as error:
        # A step can put anything in the place of its log; its page is to be there all the same.
        return Window(f"{error.message}\n", "", 0, 0, 0)


ROUTES: tuple[Route, ...] = (*for_run("GET", "", show),)
