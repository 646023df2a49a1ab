"""`dagfs approve`: let a waiting step, and with it its run, go on."""

from __future__ import annotations

import argparse

from dagfs.cli.answers import add_answer, say_word
from dagfs.cli.command import Command
from dagfs.errors import UsageError

EXAMPLES = """
examples:
  dagfs approve @                               the one step that waits in the newest run
  dagfs approve @ deploy -m "checked the totals"
  dagfs approve @ review --input REVIEWER=ann --input TICKET=OPS-17
  dagfs approve @ -d                            go on in the background

The values given become the step's outputs. The run goes on in the same attempt.
exit codes: as `dagfs run`: 0 succeeded, 1 not, 6 it waits again; 2 an input is missing, 4 nothing waits
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_answer(parser)
    parser.add_argument("--input", action="append", default=[], metavar="K=V", help="a value it asks for")


def run(command: Command) -> int:
    inputs = {}
    for text in command.options.input:
        name, mark, value = text.partition("=")
        if not (name and mark):
            raise UsageError(f"--input {text}: expected NAME=VALUE")
        inputs[name] = value
    return say_word(command, approved=True, inputs=inputs)
