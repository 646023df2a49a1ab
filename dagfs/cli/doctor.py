"""`dagfs doctor`: whether this home and this machine are fit for work, and what to do where not."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from dagfs.cli.command import Command, add_json
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.checkup import Level, Patient, examine
from dagfs.errors import ExitCode
from dagfs.scheduler.health import scheduler_checks
from dagfs.store.layout import HomePaths

EXAMPLES = """
examples:
  dagfs doctor
  dagfs -C /srv/flows doctor
  dagfs doctor --json | jq '.[] | select(.level != "ok")'

exit codes: 0 fit for work (warnings included), 1 a problem was found
"""
_SHOWN = {Level.OK: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.PROBLEM: ("✗", "red")}


def arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, "print every check as JSON")


def run(command: Command) -> int:
    output = command.output
    patient = Patient(HomePaths(root(command)), os.environ, plugins=not command.options.no_plugins)
    found = [*examine(patient), *scheduler_checks(patient.paths)]
    if command.options.json:
        output.json([asdict(check) for check in found])
    else:
        width = max(len(check.name) for check in found)
        for check in found:
            symbol, style = _SHOWN[check.level]
            word = "" if check.level is Level.OK else f"{check.level}: "
            head = output.styled(f"{symbol} {check.name:<{width}}", style)
            output.line(f"{head}  {visible(word + check.message)}")
            if check.hint:
                output.line(f"  {'':<{width}}  hint: {visible(check.hint)}")
    broken = any(check.level is Level.PROBLEM for check in found)
    return ExitCode.RUN_NOT_SUCCEEDED if broken else ExitCode.DONE
