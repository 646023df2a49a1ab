"""`dagfs show`: everything on record about a run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.narration import duration
from dagfs.cli.output import visible
from dagfs.cli.place import reading, wanted_run
from dagfs.engine.capture import read_run_outputs
from dagfs.engine.location import Reading
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode
from dagfs.model.run import Attempt

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
        command.output.line(_paths(home, view)[command.options.path])
    elif command.options.json:
        command.output.json(_document(home, view))
    else:
        _show(command, home, view)
    return ExitCode.DONE


def _paths(home: Reading, view: View) -> dict[str, str]:
    paths = home.paths.run(view.run.id)
    attempt = paths.attempt(view.run.last.n)
    found = {
        "run": paths.root,
        "spec": paths.root / view.run.last.header.spec,
        "next": paths.next_spec,
        "work": paths.work,
        "journal": attempt.journal,
        "status": attempt.status,
    }
    return {name: str(path) for name, path in found.items()}


def _attempt_document(attempt: Attempt) -> dict[str, Any]:
    header = attempt.header
    return {
        "attempt": attempt.n,
        "state": attempt.state,
        "reason": attempt.reason,
        "spec": header.spec,
        "spec_sha256": header.spec_sha256,
        "created": header.created,
        "started": attempt.started,
        "finished": attempt.finished,
        "actor": header.actor.as_data(),
        "why": header.reason,
        "plan": header.plan,
        "asked": list(header.asked),
        "allowed": list(header.allowed),
        "params": dict(header.params),
        "ran": [step.name for step in attempt.steps.values() if step.tries and not (step.kept or step.left)],
        "kept": [step.name for step in attempt.steps.values() if step.kept],
        "stale": [step.name for step in attempt.steps.values() if step.stale],
        "left": [step.name for step in attempt.steps.values() if step.left],
        "marked": [marking.as_data() for marking in attempt.markings],
        "plugins": dict(header.plugins),
        "profile": header.profile.name,
        "executors": {step.name: step.executor for step in attempt.steps.values() if step.executor},
    }


def _document(home: Reading, view: View) -> dict[str, Any]:
    header = view.run.header
    return {
        "format": 1,
        "run": header.id,
        "dag": header.dag,
        "state": view.state,
        "created": header.created,
        "source": header.source,
        "trigger": header.trigger,
        "root": header.root or None,
        "parent": header.parent or None,
        "actor": header.actor.as_data(),
        "paths": _paths(home, view),
        "attempts": [
            _attempt_document(attempt) | {"outputs": dict(_outputs(home, view, attempt))}
            for attempt in view.run.attempts
        ],
    }


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
        _show_attempt(command, attempt, _outputs(home, view, attempt))


def _outputs(home: Reading, view: View, attempt: Attempt) -> Mapping[str, str]:
    """What the whole run gave in that attempt."""
    return read_run_outputs(home.paths.run(view.run.id).attempt(attempt.n))


def _show_attempt(command: Command, attempt: Attempt, outputs: Mapping[str, str]) -> None:
    output, header = command.output, attempt.header
    took = duration(attempt.started, attempt.finished)
    output.line()
    output.line(
        f"attempt {attempt.n}  {output.state(attempt.state)}  {header.spec}" + (f"  {took}" if took else "")
    )
    document = _attempt_document(attempt)
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
    output.table([[name, visible(text)] for name, text in rows if text], indent="  ")
