"""What `approve` and `reject` share: the options, and how the run that goes on is told."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from dagfs.cli.command import Command, add_json, add_run, add_via, shown
from dagfs.cli.detach import detach
from dagfs.cli.ending import conclude
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.cli.place import wanted_run
from dagfs.cli.telling import add_plain, telling
from dagfs.engine.answering import answer, checked_inputs, find_waiting
from dagfs.engine.location import current_actor
from dagfs.errors import ExitCode


def add_answer(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("step", nargs="?", default="", metavar="STEP", help="the step, where several wait")
    parser.add_argument("-m", "--reason", default="", metavar="WHY", help="why; kept for ever")
    parser.add_argument("-d", "--detach", action="store_true", help="go on in the background")
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")
    add_via(parser)


def say_word(command: Command, *, approved: bool, inputs: Mapping[str, str]) -> int:
    """Say it, and carry the run on where nobody else does."""
    options = command.options
    engine = opened(command)
    run_id = wanted_run(command, engine.home)
    address, step = find_waiting(engine, run_id, options.step)
    if approved:
        checked_inputs(step, inputs)
    root = address.partition("/")[0]
    report = detach(command.output) if options.detach else None
    if isinstance(report, int):
        return report
    teller = telling(command, engine.home.store.load)

    def resumed() -> None:
        if report is not None:
            report(root)
        word = "approved" if approved else "rejected"
        title = f"{shown(engine.home.paths.run(root).root)}  {step.name} {word}"
        teller.begin(root, title)

    with teller:
        result = answer(
            engine,
            address,
            step,
            current_actor(options.via),
            approved=approved,
            reason=options.reason,
            inputs=inputs,
            observers=[teller],
            on_resumed=resumed,
        )
    if result is not None:
        return conclude(command, engine.home, result)
    if report is not None:
        report(root)
    if not options.json:
        command.output.line(f"{visible(step.name)}: its engine goes on")
    return ExitCode.DONE
