"""`dagfs logs`: what a step printed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from dagfs.cli.command import Command, add_run
from dagfs.cli.output import visible
from dagfs.cli.pager import paged
from dagfs.cli.place import reading, wanted_run
from dagfs.engine.location import Reading
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode, NotFound
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import StepState
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow, size, tail

EXAMPLES = """
examples:
  dagfs logs @                       the failed step of the newest run
  dagfs logs nightly-import extract  one step
  dagfs logs @ transform -f          follow it
  dagfs logs @ transform --attempt 1 --stderr
"""
_POLL = 0.2
_UNHAPPY = (StepState.FAILED, StepState.LOST, StepState.ABORTED)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("step", nargs="?", help="a step, or `on:exit` for a handler [what failed, or all]")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument("--tail", type=int, metavar="N", help="only the last N lines")
    parser.add_argument("--attempt", type=int, metavar="N", help="of that attempt [the newest with a log]")
    parser.add_argument("--stdout", action="store_true", help="only standard output")
    parser.add_argument("--stderr", action="store_true", help="only standard error")
    parser.add_argument("--raw", action="store_true", help="bytes as they are, to a terminal too")


def run(command: Command) -> int:
    home = reading(command)
    run_id = wanted_run(command, home)
    printer = _Printer(command)
    logs = _logs(command, home, view_run(home.store, run_id))
    if command.options.follow:
        logs = _follow(command, home, run_id, printer)
    else:
        with paged(command):
            printer.show(logs)
    if printer.is_silent:
        who = ", ".join(dict.fromkeys(title.removesuffix(", stderr") for title, _ in logs))
        command.output.say(f"nothing was printed by {who}" if who else "nothing was printed")
    return ExitCode.DONE


def _follow(command: Command, home: Reading, run_id: str, printer: _Printer) -> list[tuple[str, Path]]:
    """Print what there is and what comes, until the run ends; all logs there were then."""
    while True:
        view = view_run(home.store, run_id)
        logs = _logs(command, home, view)
        printer.show(logs)
        if not (view.owner or view.orphans):
            return logs
        time.sleep(_POLL)


def _logs(command: Command, home: Reading, view: View) -> list[tuple[str, Path]]:
    options = command.options
    found: list[tuple[str, Path]] = []
    for title, paths in _chosen(command, home, view):
        found += [(title, paths.stdout)] if options.stdout or not options.stderr else []
        found += [(f"{title}, stderr", paths.stderr)] if options.stderr or not options.stdout else []
    return found


def _chosen(command: Command, home: Reading, view: View) -> list[tuple[str, StepPaths]]:
    """The steps whose logs are meant, with where they lie."""
    name, paths = command.options.step, home.paths.run(view.run.id)
    attempt = _attempt(command, view)
    steps, dag = attempt.steps, home.store.dag(view.run.id, attempt.n)
    if name and name.startswith("on:"):
        if name[3:] not in dag.handler_on:
            raise NotFound(f"run {view.run.id} has no handler {name[3:]!r}")
        return [(name, paths.attempt(attempt.n).handler(name[3:]))]
    if name:
        if name not in dag.names:
            raise NotFound(f"run {view.run.id} has no step {name!r}", hint=f"it has {', '.join(steps)}")
        chosen = [steps[dag.names[name]]]
        if not chosen[0].log_attempt and not command.options.follow:
            raise NotFound(f"step {chosen[0].name!r} has printed nothing: {_why_silent(chosen[0])}")
    else:
        unhappy = () if command.options.follow else _UNHAPPY
        failed = [step for step in steps.values() if step.state in unhappy]
        broken = [h for h in attempt.handlers.values() if h.state is StepState.FAILED]
        if broken and not failed:
            return [(f"on:{h.name}", paths.attempt(attempt.n).handler(h.name)) for h in broken]
        chosen = [step for step in failed or steps.values() if step.log_attempt]
    return [(_title(step), paths.attempt(step.log_attempt or attempt.n).step(step.name)) for step in chosen]


def _why_silent(step: StepRun) -> str:
    return f"it is {step.state}" + (f" ({step.error or step.reason})" if step.error or step.reason else "")


def _title(step: StepRun) -> str:
    return f"{step.name} ({step.state}, attempt {step.log_attempt})"


def _attempt(command: Command, view: View) -> Attempt:
    wanted = command.options.attempt
    if wanted is None:
        return view.run.last
    for attempt in view.run.attempts:
        if attempt.n == wanted:
            return attempt
    raise NotFound(f"run {view.run.id} has no attempt {wanted}", hint=f"it has {len(view.run.attempts)}")


class _Printer:
    """Prints logs, each as far as it has not been printed yet."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._ends: dict[Path, int] = {}
        self._last: Path | None = None

    def show(self, logs: list[tuple[str, Path]]) -> None:
        """Print what is new in each; a heading tells apart what comes from several."""
        several = len([path for _, path in logs if size(path)]) > 1
        for title, path in logs:
            for piece in self._pieces(path):
                if path != self._last and (several or self._last):
                    self._command.output.line(f"==> {title} <==", style="bold")
                self._last = path
                self._print(piece)

    @property
    def is_silent(self) -> bool:
        return self._last is None

    def _pieces(self, path: Path) -> Iterator[bytes]:
        lines = self._command.options.tail
        if path not in self._ends and lines is not None:
            self._ends[path] = size(path)
            yield from filter(None, [tail(path, lines) if self._ends[path] else b""])
        while piece := follow(path, self._ends.get(path, 0)):
            self._ends[path] = self._ends.get(path, 0) + len(piece)
            yield piece

    def _print(self, data: bytes) -> None:
        if self._command.output.is_terminal and not self._command.options.raw:
            data = visible(data.decode("utf-8", "replace")).encode()
        self._command.output.raw(data)
