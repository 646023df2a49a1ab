"""A log of a run: which one an address means, where it lies, and windows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from dagfs.errors import NotFound
from dagfs.model.run import Attempt, Run
from dagfs.model.state import StepState
from dagfs.store.logs import read_range, size
from dagfs.web.address import request_number, request_run
from dagfs.web.looks import Look, looks_of
from dagfs.web.site import site_of
from dagfs.web.templates import run_url
from dagfs.web.views.course import Try, Whose
from dagfs.web.views.logtext import Window, window
from dagfs.web.views.steps import find, folder_of, label, named

WINDOW = 128 * 1024
"""Bytes that a page shows at once."""
STREAMS = ("stdout", "stderr")
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
        return self.sizes[STREAMS.index(self.stream)]

    @property
    def key(self) -> str:
        return f"{self.label}|{self.attempt}|{self.stream}"

    @property
    def query(self) -> dict[str, str]:
        """What names it in an address."""
        return {**named(self.whose), "attempt": str(self.attempt), "stream": self.stream}

    def url(self, *rest: str, stream: str = "", attempt: int = 0, **more: Any) -> str:
        """The address of this log, or of another stream or attempt of the same step."""
        said = self.query | ({"stream": stream} if stream else {}) | ({"attempt": attempt} if attempt else {})
        query = urlencode(said | more, errors="surrogatepass")
        return f"{run_url(self.run, 'log', *rest)}?{query}"


def log_of(request: Request, look: Look, attempt: Attempt, whose: Whose, stream: str = "") -> Log | None:
    """The log of a step as an attempt has it; None for one that is not there. Without a stream the fuller.

    What was kept, or goes on since an earlier attempt, has its log in that one's folder.
    """
    step, run = find(attempt, whose), look.view.run
    if step is None:
        return None
    n = step.log_attempt or attempt.n
    folder = folder_of(site_of(request).home.paths.run(run.id), n, whose)
    sizes = (size(folder.stdout), size(folder.stderr))
    if stream not in STREAMS:
        stream = "stderr" if sizes[1] and (step.state in _UNHAPPY or not sizes[0]) else "stdout"
    path = folder.stdout if stream == "stdout" else folder.stderr
    tries = looks_of(request).course(run.id, n).tries.get(whose, ())
    return Log(
        run.id,
        whose,
        n,
        stream,
        path,
        sizes,
        _goes_on(look, n, whose),
        tuple(_with_logs(run, whose)),
        _beginnings(tries, STREAMS.index(stream)),
    )


def _with_logs(run: Run, whose: Whose) -> Iterator[int]:
    for attempt in run.attempts:
        step = find(attempt, whose)
        if step is not None and step.log_attempt == attempt.n:
            yield attempt.n


def _beginnings(tries: Sequence[Try], place: int) -> tuple[tuple[int, str], ...]:
    """Where each try begins; nothing where there was only one."""
    ran = [each for each in tries if each.number and not each.is_adopted]
    return tuple((each.offsets[place], f"try {each.number}") for each in ran) if len(ran) > 1 else ()


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
    found = log_of(request, look, attempt, whose, stream) if attempt else None
    if found is None:
        raise NotFound(f"attempt {n} of run {run.id} has no step {label(whose)!r}")
    return look, found


def _newest_with(run: Run, whose: Whose) -> Attempt | None:
    return next((each for each in reversed(run.attempts) if find(each, whose) is not None), None)


def tail_of(log: Log, most: int = WINDOW) -> Window:
    """The end of a log."""
    return window_of(log, max(0, log.size - most), log.size)


def window_of(log: Log, start: int, end: int) -> Window:
    """The whole lines from `start` to `end`; empty where the log is gone."""
    try:
        # One byte more at the front tells whether the window begins with a line.
        at = max(0, start - 1)
        data = read_range(log.path, at, end)
    except NotFound:
        return Window("", "", 0, 0, 0)
    return window(data, at, log.size)
