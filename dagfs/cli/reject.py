"""`dagfs reject`: end a waiting step, and with it its run, as rejected."""

from __future__ import annotations

import argparse

from dagfs.cli.answers import add_answer, say_word
from dagfs.cli.command import Command

EXAMPLES = """
examples:
  dagfs reject @ -m "the totals are wrong"
  dagfs reject @ deploy

What stands behind the step does not run; the failure and exit handlers do. `dagfs retry` asks again.
exit codes: 1 the run is rejected, 4 nothing waits, 75 another engine owns the run
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_answer(parser)


def run(command: Command) -> int:
    return say_word(command, approved=False, inputs={})
