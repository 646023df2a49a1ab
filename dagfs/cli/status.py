"""`dagfs status`: how a run stands, why, and what to type next."""

from __future__ import annotations

import argparse

from dagfs.cli.advice import what_next
from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.output import next_commands, visible
from dagfs.cli.place import queue_of, reading, wanted_run
from dagfs.engine.document import status_data
from dagfs.engine.location import Reading, now
from dagfs.engine.view import View, view_run
from dagfs.errors import ExitCode
from dagfs.model.excerpt import LONG, one_line
from dagfs.model.run import StepRun
from dagfs.model.state import RunState, StepState
from dagfs.model.timespan import ago, duration
from dagfs.store.logs import size, tail
from dagfs.store.waiting import Waiting

EXAMPLES = """
examples:
  dagfs status                     the newest run
  dagfs status nightly-import      the newest run of that DAG
  dagfs status @-1 --json | jq .steps
  dagfs status @ --exit-status && echo fine
"""
_LAST_LINES = 5
_FINE = (RunState.SUCCEEDED, RunState.QUEUED)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--exit-status", action="store_true", help="exit 1 unless the run succeeded")
    add_json(parser, "print the status document")


def run(command: Command) -> int:
    home = reading(command)
    if command.options.run and home.paths.scheduler.is_waiting(command.options.run):
        return _show_waiting(command, queue_of(home).read(command.options.run))
    view = view_run(home.store, wanted_run(command, home))
    if command.options.json:
        command.output.json(status_data(home.paths, view))
    else:
        _show(command, home, view)
    if command.options.exit_status and view.state is not RunState.SUCCEEDED:
        return ExitCode.RUN_NOT_SUCCEEDED
    return ExitCode.DONE


def _show_waiting(command: Command, entry: Waiting) -> int:
    """A run that is still to be made."""
    output, document = command.output, entry.document()
    if command.options.json:
        output.json(document)
    else:
        output.line(
            f"{output.styled(entry.dag, 'bold')}  {entry.id}  {output.state(document['state'])}"
            f"  in {visible(entry.place)}, priority {entry.priority}"
        )
        output.line(f"  waits since {ago(entry.created, now())}")
        next_commands(
            output, {"dagfs queue": "what waits before it", f"dagfs queue rm {entry.id}": "never start it"}
        )
    return ExitCode.RUN_NOT_SUCCEEDED if command.options.exit_status else ExitCode.DONE


def _show(command: Command, home: Reading, view: View) -> None:
    output, run, last = command.output, view.run, view.run.last
    output.line(
        f"{output.styled(run.header.dag, 'bold')}  {run.id}  {output.state(last.state)}"
        f"  attempt {last.n}, {last.header.spec}"
    )
    for line in _circumstances(view):
        output.line(f"  {line}")
    output.line()
    rows = [row for step in last.steps.values() for row in (_row(command, step), *_children(command, step))]
    output.table([*rows, *(_row(command, step, "on ") for step in last.handlers.values())], indent="  ")
    _show_failures(command, home, view)
    commands = _next(view)
    if commands:
        next_commands(output, commands)


def _circumstances(view: View) -> list[str]:
    last = view.run.last
    lines = []
    if last.finished:
        lines.append(f"took {duration(last.started, last.finished)}, ended {ago(last.finished, now())}")
    elif view.owner:
        lines.append(f"started {ago(last.started, now())}, {view.owner}")
    if view.state is RunState.INTERRUPTED and not view.owner:
        alive = [f"step {name} still running" for name in view.orphans]
        alive += [f"child {each} still running" for each in view.below]
        lines.append(", ".join(["interrupted: its engine died", *alive]))
    elif last.reason:
        lines.append(last.reason)
    shown_below = [step.marking for step in last.steps.values()]
    lines += [
        f"{marking.step} was {marking} (after attempt {marking.attempt})"
        for attempt in view.run.attempts
        for marking in attempt.markings
        if marking not in shown_below
    ]
    if last.header.profile:
        lines.append(f"profile: {last.header.profile.name}")
    params = last.header.params
    if params:
        lines.append("params: " + "  ".join(f"{name}={value}" for name, value in params.items()))
    return [visible(one_line(line, LONG)) for line in lines]


def _row(command: Command, step: StepRun, prefix: str = "") -> list[str]:
    words = [step.reason] if step.reason else []
    if step.state is StepState.WAITING and step.question and step.question.get("prompt"):
        words.append(str(step.question["prompt"]))
    words += [f"{step.tries} tries"] if step.tries > 1 else []
    words += [f"{name}={value}" for name, value in step.outputs.items()]
    words += ["STALE"] if step.stale else []
    words += [f"in {step.executor}"] if step.executor else []
    name = prefix + step.name
    took = "" if step.kept or step.left else duration(step.started, step.finished)
    return [visible(name), command.output.state(step.state), took, visible(one_line(", ".join(words), 100))]


def _children(command: Command, step: StepRun) -> list[list[str]]:
    """A line for each child that did not simply succeed; one for all the others."""
    plain = [child for child in step.children.values() if child.state is RunState.SUCCEEDED]
    rows = [
        [
            visible(f"  {child.id}"),
            command.output.state(str(child.state)),
            "",
            visible(one_line(child.reason, 100)),
        ]
        for child in step.children.values()
        if child.state is not RunState.SUCCEEDED
    ]
    if plain:
        kept = sum(child.kept for child in plain)
        words = f"{len(plain)} of {len(step.children)}" + (f", {kept} kept" if kept else "")
        rows.append(["  children", command.output.state(str(RunState.SUCCEEDED)), "", words])
    return rows


def _show_failures(command: Command, home: Reading, view: View) -> None:
    output = command.output
    failed = [
        step for step in view.run.last.steps.values() if step.state in (StepState.FAILED, StepState.LOST)
    ]
    for step in [each for each in failed if each.log_attempt][:3]:
        paths = home.paths.run(view.run.id).attempt(step.log_attempt).step(step.name)
        for log in (paths.stderr, paths.stdout):
            text = tail(log, _LAST_LINES).decode("utf-8", "replace") if size(log) else ""
            if text:
                output.line()
                output.line(f"{step.name}: the end of {shown(log)}")
                for line in text.removesuffix("\n").split("\n"):
                    output.line(f"  | {visible(line)[:200]}")
                break


def _next(view: View) -> dict[str, str]:
    run = view.run.id
    if view.owner:
        return {f"dagfs logs {run} -f": "follow what it prints", f"dagfs stop {run}": "stop it"}
    if view.orphans or view.below:
        return {f"dagfs retry {run}": "take the running step over and go on"}
    return what_next(run, view.state) if view.state not in _FINE else {}
