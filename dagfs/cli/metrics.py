"""`dagfs metrics`: figures for Prometheus, as text."""

from __future__ import annotations

import argparse

from dagfs.cli.command import Command
from dagfs.cli.place import root
from dagfs.engine.home import read_home
from dagfs.errors import ExitCode
from dagfs.scheduler.figures import figures

EXAMPLES = """
examples:
  dagfs metrics > /var/lib/node_exporter/dagfs.prom.new && mv /var/lib/node_exporter/dagfs.prom{.new,}
  dagfs metrics | grep dagfs_scheduler_up
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--newest", type=int, default=1000, metavar="N", help="count the states of the newest N runs [1000]"
    )


def run(command: Command) -> int:
    for line in figures(read_home(root(command)), command.options.newest):
        command.output.line(line)
    return ExitCode.DONE
