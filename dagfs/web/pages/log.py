"""`/runs/ID/log`: what a step printed, in windows; raw bytes by range for scripts and programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from dagfs.errors import NotFound
from dagfs.model.run import Attempt, Run
from dagfs.store.layout import RunPaths
from dagfs.store.logs import PIECE, find_back, read_range, size
from dagfs.web.address import request_number, request_run
from dagfs.web.download import attachment
from dagfs.web.logs import WINDOW, Log, request_log, window_of
from dagfs.web.looks import looks_of
from dagfs.web.route import Route, for_run
from dagfs.web.site import page, site_of
from dagfs.web.views.steps import folder_of, label

TEXT = "text/plain; charset=utf-8"
_LONGEST_WORD = 1000


def show(request: Request) -> Response:
    """The page: the end of a log, or the window that ends at `to`, or begins at `from`."""
    look, log = request_log(request)
    if "from" in request.query_params:
        start = min(request_number(request, "from", 0), log.size)
        part = window_of(log, start, min(log.size, start + WINDOW))
    else:
        end = min(request_number(request, "to", log.size), log.size)
        part = window_of(log, max(0, end - WINDOW), end)
    said = request.query_params
    word, none = said.get("q", ""), "none" in said
    return page(request, "log.html", log=log, part=part, run=look.view.run, word=word, found_none=none)


def raw(request: Request) -> Response:
    """Bytes of a log as they are, from `start` to `end`; with `window` as whole lines of at most so many.

    Nothing of it is ever taken for a page: it is text, and nothing else.
    """
    _, log = request_log(request)
    start, end = request_number(request, "start", 0), request_number(request, "end", log.size)
    end = min(end, log.size)
    wanted = request_number(request, "window", 0)
    if wanted:
        return _lines_before(log, end, min(wanted, PIECE))
    if "live" in request.query_params:
        end = min(end, start + PIECE)
    headers = _headers(log, start, end)
    if "download" in request.query_params:
        headers["Content-Disposition"] = attachment(f"{log.run}-{log.label}.{log.stream}.log")
    if end <= start:
        return Response(b"", media_type=TEXT, headers=headers)
    if end - start <= PIECE:
        return Response(read_range(log.path, start, end), media_type=TEXT, headers=headers)
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(pieces(log.path, start, end), media_type=TEXT, headers=headers)


def _lines_before(log: Log, end: int, most: int) -> Response:
    """Whole lines that end at `end`, as far as one of them is not too long."""
    start = max(0, end - most)
    data = read_range(log.path, start, end) if end else b""
    if start > 0:
        cut = data.find(b"\n") + 1
        data, start = (data[cut:], start + cut) if cut < len(data) else (data, start)
    return Response(data, media_type=TEXT, headers=_headers(log, start, end))


def _headers(log: Log, start: int, end: int) -> dict[str, str]:
    return {
        "X-Log-Start": str(start),
        "X-Log-End": str(max(start, end)),
        "X-Log-Size": str(log.size),
        "X-Log-Open": "1" if log.goes_on else "0",
    }


def pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    """A file in pieces; exactly so many bytes, whatever happens to it."""
    while start < end:
        data = read_range(path, start, min(end, start + PIECE))
        if not data:
            return
        yield data
        start += len(data)


def find(request: Request) -> Response:
    """The page with the last line before `before` that has a word in it; where there is none, the end."""
    _, log = request_log(request)
    word = request.query_params.get("q", "").encode("utf-8", "surrogatepass")[:_LONGEST_WORD]
    before = min(request_number(request, "before", log.size), log.size)
    at = find_back(log.path, word, before) if log.size else None
    more: dict[str, Any] = {"from": at} if at is not None else {"none": 1}
    return RedirectResponse(log.url(q=request.query_params.get("q", ""), **more), 303)


def whole(request: Request) -> Response:
    """All logs of an attempt one after the other, with headings, as one text."""
    look = looks_of(request).at(request_run(request))
    run = look.view.run
    n = request_number(request, "attempt", run.last.n)
    attempt = next((each for each in run.attempts if each.n == n), None)
    if attempt is None:
        raise NotFound(f"run {run.id} has no attempt {n}")
    headers = {}
    if "download" in request.query_params:
        headers["Content-Disposition"] = attachment(f"{run.id}-attempt-{n}.log")
    paths = site_of(request).home.paths.run(run.id)
    return StreamingResponse(_all_logs(run, attempt, paths), media_type=TEXT, headers=headers)


def _all_logs(run: Run, attempt: Attempt, paths: RunPaths) -> Iterator[bytes]:
    yield _heading(f"run {run.id}, attempt {attempt.n}: {attempt.state} {attempt.reason}")
    steps = [((step.name, ""), step) for step in attempt.steps.values()]
    handlers = [(("", step.name), step) for step in attempt.handlers.values()]
    for whose, step in steps + handlers:
        why = step.error or step.reason
        yield b"\n" + _heading(f"==> {label(whose)}: {step.state}" + (f" ({why})" if why else ""))
        folder = folder_of(paths, step.log_attempt, whose)
        for name, path in (("stdout", folder.stdout), ("stderr", folder.stderr)):
            end = size(path) if step.log_attempt else 0
            if end:
                kept = f", of attempt {step.log_attempt}" if step.log_attempt != attempt.n else ""
                yield _heading(f"--> {label(whose)}, {name}{kept}: {end} bytes")
                yield from _with_newline(pieces(path, 0, end))


def _with_newline(parts: Iterator[bytes]) -> Iterator[bytes]:
    last = b"\n"
    for part in parts:
        yield part
        last = part[-1:]
    if last != b"\n":
        yield b"\n"


def _heading(text: str) -> bytes:
    """A line that no name can break into two."""
    return (" ".join(text.split()) + "\n").encode("utf-8", "replace")


ROUTES: tuple[Route, ...] = (
    *for_run("GET", "/log", show),
    *for_run("GET", "/log/raw", raw),
    *for_run("GET", "/log/find", find),
    *for_run("GET", "/log.txt", whole),
)
