"""`dagfs run`: make a run of a DAG and carry it out."""

from __future__ import annotations

import argparse
from pathlib import Path

from dagfs.cli.command import Command, add_json, add_params, add_profile, add_via, assignments, shown
from dagfs.cli.detach import detach
from dagfs.cli.ending import conclude
from dagfs.cli.instead import earlier_run, go_on
from dagfs.cli.opened import opened
from dagfs.cli.spectext import given_spec
from dagfs.cli.telling import add_plain, telling
from dagfs.engine.location import current_actor
from dagfs.engine.starting import RunRequest, captured_text, start_run
from dagfs.spec.values import parse_assignments

EXAMPLES = """
examples:
  dagfs run nightly-import -p date=2026-11-21
  dagfs run ./etl.yaml -- one two          positional parameters
  dagfs run nightly-import --json | jq -r '.event'
  dagfs run nightly-import --profile local    steps where the profile says (docs/executors.md)
  dagfs run nightly-import -d              in the background; prints the run's id

With DAGFS_RETRY_RUN_ID=RUN in its environment it goes on with that run, as `dagfs retry RUN --spec FILE`.
exit codes: 0 succeeded, 1 not, 3 the spec is invalid, 130 stopped by ^C (twice kills)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name in this home, or a file")
    add_params(parser)
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background")
    parser.add_argument("--id", default="", metavar="ID", help="the new run's id")
    parser.add_argument("--name", default="", metavar="NAME", help="the DAG's name, in place of the spec's")
    parser.add_argument(
        "--dialect", choices=("auto", "dagu1", "dagu2"), default="", help="how to read the file"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, kept with the run")
    add_profile(parser)
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")
    add_via(parser)
    parser.add_argument("--trigger", default="manual", help=argparse.SUPPRESS)
    parser.add_argument("--queue", help=argparse.SUPPRESS)
    # The scheduler hands over the last good version of a file, whatever has become of it since.
    parser.add_argument("--captured", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("params", nargs="*", metavar="PARAM", help="parameters after --")


def run(command: Command) -> int:
    options = command.options
    if earlier := earlier_run():
        return go_on(command, opened(command), earlier)
    # Before the fork: standard input is gone behind it.
    text = given_spec("-") if options.captured else None
    report = detach(command.output) if options.detach else None
    if isinstance(report, int):
        return report
    engine = opened(command)
    request = RunRequest(
        dag=options.dag,
        # Those behind -- first: they count from 1.
        params=(*parse_assignments(options.params), *assignments(options.param)),
        id=options.id,
        name=options.name,
        reason=options.reason,
        profile=options.profile,
        dialect=options.dialect,
        trigger=options.trigger,
        queue=options.queue,
        captured=None if text is None else captured_text(engine, Path(options.dag), text, options.dialect),
    )
    teller = telling(command, engine.home.store.load)

    def created(run_id: str) -> None:
        if report is not None:
            report(run_id)
        teller.begin(run_id, f"{shown(engine.home.paths.run(run_id).root)}  attempt 1")

    who = current_actor(options.via)
    with teller:
        result = start_run(engine, request, actor=who, observers=[teller], on_created=created)
    return conclude(command, engine.home, result)
