"""`dagfs enqueue`: put a run in a queue; the scheduler starts it when there is room."""

from __future__ import annotations

import argparse
import os

from dagfs.cli.command import Command, add_params, add_profile, assignments
from dagfs.cli.opened import opened
from dagfs.cli.pause import ledger_of
from dagfs.engine.location import new_token, now
from dagfs.engine.operations import require_dag, undeclared
from dagfs.engine.parameters import check_given
from dagfs.engine.profiles import find_profile, is_path
from dagfs.errors import ExitCode, Refused, UsageError
from dagfs.scheduler.pulse import is_alive
from dagfs.spec.schedule import can_name_queue
from dagfs.spec.values import parse_assignments
from dagfs.store.layout import new_run_id, valid_run_id
from dagfs.store.waiting import Queue, Waiting

EXAMPLES = """
examples:
  dagfs enqueue nightly-import -p date=2026-11-21
  dagfs enqueue etl --queue heavy --priority 5
  dagfs enqueue train --profile cluster
  dagfs queue ls

The spec is captured now: what becomes of the file later does not matter.
A profile is read when the run begins.
exit codes: 0 it waits, 3 the spec is invalid, 4 no such DAG or profile, 5 the id is taken
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name in this home, or a file")
    add_params(parser)
    parser.add_argument("--queue", metavar="NAME", help="the queue, in place of the DAG's own")
    parser.add_argument("--priority", type=int, metavar="N", help="higher ones leave the queue first")
    parser.add_argument("--id", default="", metavar="ID", help="the new run's id")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, kept with the run")
    add_profile(parser)
    parser.add_argument("params", nargs="*", metavar="PARAM", help="parameters after --")


def run(command: Command) -> int:
    options, engine = command.options, opened(command)
    path, data, dag = require_dag(engine, options.dag)
    profile = find_profile(engine.home, options.profile)
    params = (*parse_assignments(options.params), *assignments(options.param))
    check_given(dag, path.resolve().parent, params, str(path))
    moment = now()
    entry = Waiting(
        id=options.id or new_run_id(moment, dag.name, new_token()[:4]),
        dag=dag.name,
        source=str(path.resolve()),
        queue=dag.queue if options.queue is None else options.queue,
        priority=dag.priority if options.priority is None else options.priority,
        created=moment.isoformat(),
        params=params,
        reason=options.reason,
        limit=dag.max_active_runs,
        # The scheduler's own folder is another one.
        profile=os.path.abspath(profile.name) if is_path(profile.name) else profile.name,
    )
    if not valid_run_id(entry.id):
        hint = "use 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit"
        raise UsageError(f"{entry.id!r} cannot name a run", hint=hint)
    if entry.queue and not can_name_queue(entry.queue):
        raise UsageError(f"{entry.queue!r} cannot name a queue", hint="use letters, digits, _ . and -")
    ledger = ledger_of(engine.home)
    if engine.home.paths.run(entry.id).root.exists():
        raise Refused(f"run {entry.id} exists already", hint="choose another run id")
    Queue(engine.home.disk, engine.home.paths.scheduler).put(entry, data)
    command.output.line(entry.id)
    for notice in undeclared(dag, params):
        command.output.say(notice, style="yellow")
    if not is_alive(ledger.status(), now()):
        command.output.say("no scheduler is at work: it waits until `dagfs scheduler` runs", style="yellow")
    return ExitCode.DONE
