"""`dagfs mark`: say how a step stands, with your name and reason on record."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from dagfs.cli.command import Command, add_json, add_run, add_via
from dagfs.cli.opened import opened
from dagfs.cli.output import next_commands, visible
from dagfs.cli.place import wanted_run
from dagfs.engine.location import current_actor
from dagfs.engine.marking import mark_step
from dagfs.errors import ExitCode, UsageError
from dagfs.model.run import MARKABLE
from dagfs.model.state import StepState

EXAMPLES = """
examples:
  dagfs mark @ load succeeded -m "loaded by hand from the backup"
  dagfs mark @ extract succeeded -m "counted by hand" --output ROWS=3
  dagfs mark @ report failed -m "it printed nonsense"    the next retry runs it and all behind it again
  dagfs mark @ notify skipped -m "nobody needs it today"

Nothing runs: `dagfs plan` shows what the next retry makes of it. What stands behind a step that is marked
skipped is skipped too, unless `continue_on: skipped` lets it go on.
exit codes: 0 marked, 4 no such step, 5 an output is missing, 7 the step stands so already, 75 it is running
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, default=None)
    parser.add_argument("step", metavar="STEP", help="the step's name or id")
    parser.add_argument("state", metavar="STATE", choices=tuple(map(str, MARKABLE)), help=", ".join(MARKABLE))
    parser.add_argument("-m", "--reason", required=True, metavar="WHY", help="why; kept for ever")
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="K=V",
        help="an output that steps behind it use; those it has already stay",
    )
    add_json(parser)
    add_via(parser)


def run(command: Command) -> int:
    options = command.options
    outputs = _outputs(options.output)
    engine = opened(command)
    run_id = wanted_run(command, engine.home)
    state = StepState(options.state)
    actor = current_actor(options.via)
    marking = mark_step(engine, run_id, options.step, state, options.reason, outputs=outputs, actor=actor)
    if options.json:
        command.output.json({"run": run_id, **marking.as_data(), "outputs": outputs})
        return ExitCode.DONE
    command.output.line(
        f"{visible(marking.step)}  {command.output.state(marking.state)}  (was {marking.was})"
    )
    next_commands(
        command.output,
        {
            f"dagfs plan {run_id}": "what a retry makes of it",
            f"dagfs retry {run_id}": "continue this run",
        },
    )
    return ExitCode.DONE


def _outputs(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"--output {text}: expected NAME=VALUE")
        found[name] = value
    return found
