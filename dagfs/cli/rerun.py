"""`dagfs rerun`: a new run like an earlier one."""

from __future__ import annotations

import argparse

from dagfs.cli.asking import add_profile
from dagfs.cli.command import Command, add_json, add_run, add_via, shown
from dagfs.cli.detach import detach
from dagfs.cli.ending import conclude
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_run
from dagfs.cli.telling import add_plain, telling
from dagfs.engine.again import request_again
from dagfs.engine.location import current_actor
from dagfs.engine.operations import start_run
from dagfs.errors import UsageError
from dagfs.spec.values import parse_assignments

EXAMPLES = """
examples:
  dagfs rerun @                        everything again: the newest captured spec, the same parameters
  dagfs rerun @ -p date=2026-11-20     with another value for one of them
  dagfs rerun @ --latest               the DAG file as it is now
  dagfs runs --tree                    which run was made from which

A retry goes on with a run and keeps finished work; a rerun begins a new one and keeps nothing.
exit codes: as `dagfs run`
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, default=None)
    parser.add_argument("--latest", action="store_true", help="use the DAG file as it is now")
    parser.add_argument("-p", "--param", action="append", default=[], metavar="K=V", help="a parameter")
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background")
    parser.add_argument("--id", default="", metavar="ID", help="the new run's id")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, kept with the run")
    add_profile(parser)
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")
    add_via(parser)


def run(command: Command) -> int:
    options = command.options
    for text in options.param:
        if "=" not in text:
            raise UsageError(f"-p {text}: expected NAME=VALUE")
    engine = opened(command)
    request = request_again(
        engine,
        wanted_run(command, engine.home),
        parse_assignments(options.param),
        latest=options.latest,
        id_=options.id,
        reason=options.reason,
        profile=options.profile,
    )
    report = detach(command.output) if options.detach else None
    if isinstance(report, int):
        return report
    teller = telling(command, engine.home.store.load)

    def created(run_id: str) -> None:
        if report is not None:
            report(run_id)
        path = shown(engine.home.paths.run(run_id).root)
        teller.begin(run_id, f"{path}  attempt 1, made from {request.parent}")

    who = current_actor(options.via)
    with teller:
        result = start_run(engine, request, actor=who, observers=[teller], on_created=created)
    return conclude(command, engine.home, result)
