"""`dagfs version`."""

from __future__ import annotations

import argparse
import platform

from dagfs import __version__
from dagfs.cli.command import Command, add_json
from dagfs.errors import ExitCode
from dagfs.store.codec import FORMAT

EXAMPLES = """
examples:
  dagfs version --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(command: Command) -> int:
    if command.options.json:
        data = {"version": __version__, "format": FORMAT, "python": platform.python_version()}
        command.output.json(data)
    else:
        command.output.line(f"dagfs {__version__}")
    return ExitCode.DONE
