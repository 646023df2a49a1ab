"""`dagfs logs`: what a step printed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from dagfs.cli.command import Command, add_run
from dagfs.cli.output import visible
from dagfs.cli.place import reading, wanted_run
from dagfs.engine.location import Reading
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode, NotFound
from dagfs.model.run import Attempt, StepRun
from dagfs.model.state import StepState
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow, read_range, tail

EXAMPLES = """
examples:
  dagfs logs @                       the failed step of the newest run
  dagfs logs nightly-import extract  one step
  dagfs logs @ transform -f          follow it
  dagfs logs @ transform --attempt 1 --stderr
"""
_POLL = 0.2
_PIECE = 1 << 20


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
    view = view_run(home.store, wanted_run(command, home))
    logs = _logs(command, home, view)
    several = len({title for title, _ in logs}) > 1
    ends = {}
    for title, path in logs:
        if several and _size(path):
            command.output.say(f"==> {title} <==", style="bold")
        ends[path] = _print(command, path)
    if command.options.follow:
        _follow(command, home, view.run.id, ends)
    return ExitCode.DONE


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _logs(command: Command, home: Reading, view: View) -> list[tuple[str, Path]]:
    options = command.options
    found: list[tuple[str, Path]] = []
    for title, paths in _chosen(command, home, view):
        found += [(title, paths.stdout)] if options.stdout or not options.stderr else []
        found += [(title, paths.stderr)] if options.stderr or not options.stdout else []
    return found


def _chosen(command: Command, home: Reading, view: View) -> list[tuple[str, StepPaths]]:
    """The steps whose logs are meant, with where they lie."""
    name, paths = command.options.step, home.paths.run(view.run.id)
    attempt = _attempt(command, view)
    if name and name.startswith("on:"):
        return [(name, paths.attempt(attempt.n).handler(name[3:]))]
    steps = attempt.steps
    if name:
        dag = home.store.dag(view.run.id, attempt.n)
        if name not in dag.names:
            raise NotFound(f"run {view.run.id} has no step {name!r}", hint=f"it has {', '.join(steps)}")
        chosen = [steps[dag.names[name]]]
    else:
        failed = [
            s for s in steps.values() if s.state in (StepState.FAILED, StepState.LOST, StepState.ABORTED)
        ]
        chosen = [step for step in failed or list(steps.values()) if step.log_attempt]
    return [(_title(step), paths.attempt(step.log_attempt or attempt.n).step(step.name)) for step in chosen]


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


def _print(command: Command, path: Path) -> int:
    """Print a log as it stands; where it ended."""
    if command.options.tail is not None:
        _show(command, tail(path, command.options.tail))
        return _size(path)
    start = 0
    while piece := read_range(path, start, start + _PIECE):
        _show(command, piece)
        start += len(piece)
    return start


def _show(command: Command, data: bytes) -> None:
    if command.output.is_terminal and not command.options.raw:
        data = visible(data.decode("utf-8", "replace")).encode()
    if data:
        command.output.raw(data)


def _follow(command: Command, home: Reading, run: str, ends: dict[Path, int]) -> None:
    """Print what is added until the run is over, then once more."""
    over = False
    while True:
        for path, end in ends.items():
            piece = follow(path, end)
            _show(command, piece)
            ends[path] = end + len(piece)
        if over:
            return
        view = view_run(home.store, run)
        over = view.owner is None and not view.orphans
        if not over:
            time.sleep(_POLL)
