"""`dagfs metrics`: figures for Prometheus, as text."""

from __future__ import annotations

import argparse
from collections import Counter

from dagfs.cli.command import Command
from dagfs.cli.place import root
from dagfs.engine.home import read_home
from dagfs.engine.location import now
from dagfs.errors import ExitCode
from dagfs.scheduler.census import counted
from dagfs.scheduler.metrics import exposition
from dagfs.store.ledger import Ledger
from dagfs.store.waiting import Queue

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
    home = read_home(root(command))
    runs = [counted(each) for each in home.store.summaries(max(0, command.options.newest))]
    queue = Queue(home.disk, home.paths.scheduler)
    queued = Counter(entry.queue or entry.dag for entry in queue.entries())
    status = Ledger(home.disk, home.paths.scheduler, now).status()
    for line in exposition(runs, status, queued, now()):
        command.output.line(line)
    return ExitCode.DONE
