"""`dagfs show`: everything on record about a run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.output import visible
from dagfs.cli.place import reading, wanted_run
from dagfs.engine.document import attempt_data, outputs_of, paths_of, record_data
from dagfs.engine.location import Reading
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode
from dagfs.model.excerpt import LONG, one_line
from dagfs.model.run import Attempt
from dagfs.model.timespan import duration

EXAMPLES = """
examples:
  dagfs show @
  $EDITOR $(dagfs show @ --path next)      the file to edit; `dagfs edit` makes it first
  ls $(dagfs show @ --path run)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--path",
        choices=("run", "spec", "next", "work", "journal", "status"),
        help="print only the path of the run's folder, newest spec, pending edit, …",
    )
    add_json(parser)


def run(command: Command) -> int:
    home = reading(command)
    view = view_run(home.store, wanted_run(command, home))
    if command.options.path:
        command.output.line(paths_of(home.paths, view)[command.options.path])
    elif command.options.json:
        command.output.json(record_data(home.paths, view))
    else:
        _show(command, home, view)
    return ExitCode.DONE


def _show(command: Command, home: Reading, view: View) -> None:
    output, header = command.output, view.run.header
    output.line(f"run       {header.id}  {output.state(view.state)}")
    output.line(f"dag       {header.dag}, from {header.source}")
    output.line(f"created   {header.created} by {header.actor} ({header.trigger})")
    if header.parent:
        first = f", the first of them {header.root}" if header.root != header.parent else ""
        output.line(f"made from {header.parent}{first}")
    output.line(f"folder    {shown(home.paths.run(header.id).root)}")
    if home.paths.run(header.id).next_spec.exists():
        output.line(f"edit      {shown(home.paths.run(header.id).next_spec)} is pending")
    for attempt in view.run.attempts:
        _show_attempt(command, attempt, outputs_of(home.paths, view, attempt))


def _show_attempt(command: Command, attempt: Attempt, outputs: Mapping[str, str]) -> None:
    output, header = command.output, attempt.header
    took = duration(attempt.started, attempt.finished)
    output.line()
    output.line(
        f"attempt {attempt.n}  {output.state(attempt.state)}  {header.spec}" + (f"  {took}" if took else "")
    )
    document = attempt_data(attempt)
    rows = [
        ["who", str(header.actor) + (f" ({header.actor.source})" if header.actor.source != "cli" else "")],
        ["when", header.created],
        ["why", header.reason],
        ["plan", header.plan],
        ["result", attempt.reason],
        ["ran", ", ".join(document["ran"])],
        ["kept", ", ".join(document["kept"])],
        ["stale", ", ".join(document["stale"])],
        ["left", ", ".join(document["left"])],
        *(
            [
                "marked",
                f"{each.step} {each.state} by {each.actor}: {each.reason} (was {each.was}; {each.time})",
            ]
            for each in attempt.markings
        ),
        ["asked", "  ".join(header.asked)],
        ["allowed", ", ".join(header.allowed)],
        ["profile", header.profile.name],
        ["ran in", "  ".join(f"{name}: {where}" for name, where in document["executors"].items())],
        ["params", "  ".join(f"{name}={value}" for name, value in header.params.items())],
        ["outputs", "  ".join(f"{name}={value}" for name, value in outputs.items())],
    ]
    output.table([[name, visible(one_line(text, LONG))] for name, text in rows if text], indent="  ")
