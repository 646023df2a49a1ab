"""`/runs/ID/log`: what a step printed, in windows; raw bytes by range for scripts and programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dagfs.errors import NotFound
from dagfs.model.run import Attempt, Run
from dagfs.model.state import StepState
from dagfs.store.layout import RunPaths
from dagfs.store.logs import PIECE, read_range, size
from dagfs.web.address import request_number, request_run
from dagfs.web.looks import Look, looks_of
from dagfs.web.route import Route, for_run
from dagfs.web.site import page, site_of
from dagfs.web.templates import run_url
from dagfs.web.views.course import Whose
from dagfs.web.views.logtext import Window, window
from dagfs.web.views.steps import find, folder_of, label

WINDOW = 128 * 1024
"""Bytes that a page shows at once."""
TEXT = "text/plain; charset=utf-8"
_STREAMS = ("stdout", "stderr")
_UNHAPPY = (StepState.FAILED, StepState.LOST)


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a run: whose, of which attempt's folder, which stream."""

    run: str
    whose: Whose
    attempt: int
    stream: str
    path: Path
    sizes: tuple[int, int]
    """Of both streams, in bytes."""
    goes_on: bool
    """More may come."""
    others: tuple[int, ...] = ()
    """All attempts that have a log of this step."""
    tries: tuple[tuple[int, str], ...] = ()
    """Where in the file each try begins, for steps that were tried several times."""

    @property
    def label(self) -> str:
        return label(self.whose)

    @property
    def size(self) -> int:
        return self.sizes[_STREAMS.index(self.stream)]

    @property
    def key(self) -> str:
        return f"{self.label}|{self.attempt}|{self.stream}"

    def url(self, *rest: str, stream: str = "", attempt: int = 0, **more: Any) -> str:
        """The address of this log, or of another stream or attempt of the same step."""
        said = {"step": self.whose[0]} if self.whose[0] else {"handler": self.whose[1]}
        said |= {"attempt": str(attempt or self.attempt), "stream": stream or self.stream}
        said |= {name: str(value) for name, value in more.items()}
        query = "&".join(
            f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in said.items()
        )
        return run_url(self.run, "log", *rest) + "?" + query


def log_of(request: Request, look: Look, attempt: Attempt, whose: Whose, stream: str = "") -> Log | None:
    """The log of a step as an attempt has it; None for one that is not there. Without a stream the fuller."""
    step = find(attempt, whose)
    if step is None:
        return None
    n = step.log_attempt or attempt.n
    return _log(request, look, attempt, whose, n, stream)


def _log(request: Request, look: Look, attempt: Attempt, whose: Whose, n: int, stream: str) -> Log:
    run = look.view.run
    folder = folder_of(site_of(request).home.paths.run(run.id), n, whose)
    sizes = (size(folder.stdout), size(folder.stderr))
    state = found.state if (found := find(attempt, whose)) else StepState.NOT_STARTED
    if stream not in _STREAMS:
        stream = "stderr" if sizes[1] and (state in _UNHAPPY or not sizes[0]) else "stdout"
    goes_on = _goes_on(look, n, whose)
    others = tuple(
        each.n
        for each in run.attempts
        if (step := find(each, whose)) is not None and step.log_attempt == each.n
    )
    course = looks_of(request).course(run.id, n)
    offsets = [each for each in course.tries.get(whose, ()) if each.number and not each.is_adopted]
    place = _STREAMS.index(stream)
    tries = tuple((each.offsets[place], f"try {each.number}") for each in offsets) if len(offsets) > 1 else ()
    path = folder.stdout if stream == "stdout" else folder.stderr
    return Log(run.id, whose, n, stream, path, sizes, goes_on, others, tries)


def _goes_on(look: Look, n: int, whose: Whose) -> bool:
    """Whether more may come to the log in the folder of attempt `n`."""
    last = look.view.run.last
    if not (look.is_alive or look.view.orphans or look.view.handlers):
        return False
    newest = find(last, whose)
    if newest is None:
        return n == last.n
    return not newest.state.is_settled and n in (last.n, newest.log_attempt)


def request_whose(request: Request) -> Whose | None:
    """The step or handler that an address names."""
    step, handler = request.query_params.get("step", ""), request.query_params.get("handler", "")
    return (step, "") if step else ("", handler) if handler else None


def request_log(request: Request) -> tuple[Look, Log]:
    """The log that an address names. NotFound."""
    look = looks_of(request).at(request_run(request))
    run, whose = look.view.run, request_whose(request)
    if whose is None:
        raise NotFound("the address names no step", hint="open it from the run's page")
    stream = request.query_params.get("stream", "")
    n = request_number(request, "attempt", 0)
    if not n:
        newest = _newest_with(run, whose)
        found = log_of(request, look, newest, whose, stream) if newest else None
        if found is None:
            raise NotFound(f"run {run.id} has no step {label(whose)!r}")
        return look, found
    attempt = next((each for each in run.attempts if each.n == n), None)
    if attempt is None or find(attempt, whose) is None:
        raise NotFound(f"attempt {n} of run {run.id} has no step {label(whose)!r}")
    return look, _log(request, look, attempt, whose, n, stream)


def _newest_with(run: Run, whose: Whose) -> Attempt | None:
    return next((each for each in reversed(run.attempts) if find(each, whose) is not None), None)


def tail_of(log: Log, most: int = WINDOW) -> Window:
    """The end of a log."""
    return _window(log, max(0, log.size - most), log.size)


def _window(log: Log, start: int, end: int) -> Window:
    try:
        # One byte more at the front tells whether the window begins with a line.
        at = max(0, start - 1)
        data = read_range(log.path, at, end)
    except NotFound:
        return Window("", "", 0, 0, 0)
    return window(data, at, log.size)


def show(request: Request) -> Response:
    """The page: the end of a log, or the window that ends at `to`, or begins at `from`."""
    look, log = request_log(request)
    if "from" in request.query_params:
        start = min(request_number(request, "from", 0), log.size)
        part = _window(log, start, min(log.size, start + WINDOW))
    else:
        end = min(request_number(request, "to", log.size), log.size)
        part = _window(log, max(0, end - WINDOW), end)
    return page(request, "log.html", log=log, part=part, run=look.view.run, state=look.view.state)


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


def attachment(name: str) -> str:
    """A header that has a browser save what follows under a harmless name."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    full = quote(os.path.basename(name) or "file", safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"


ROUTES: tuple[Route, ...] = (
    *for_run("GET", "/log", show),
    *for_run("GET", "/log/raw", raw),
    *for_run("GET", "/log.txt", whole),
)
