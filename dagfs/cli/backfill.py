"""`dagfs backfill`: make the runs that a schedule would have made on past days."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from dagfs.cli.command import Command, add_json, add_params, assignments
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.engine.bootstrap import Engine
from dagfs.engine.operations import require_dag
from dagfs.errors import ExitCode, NotFound, UsageError
from dagfs.model.dag import Dag
from dagfs.model.value import frozen
from dagfs.scheduler.backfill import Span, filled_in, instants
from dagfs.scheduler.identity import scheduled_id
from dagfs.scheduler.job import Job
from dagfs.scheduler.launch import run_words
from dagfs.store.waiting import Queue

EXAMPLES = """
examples:
  dagfs backfill nightly-import --from 2026-11-01 --to 2026-11-07 -n
  dagfs backfill nightly-import --from 2026-11-01 --to 2026-11-07 -p date=%Y-%m-%d --jobs 4

One run for each instant of the schedule, under the id that the scheduler would give it: what has run
already is left alone, and a backfill that was broken off is begun again with the same command.
In parameters %Y, %m, %d, %H and %M stand for the local time of the instant.
exit codes: 0 all succeeded, 1 some did not, 4 there is nothing to make runs for
"""
_MOST = 10_000


@frozen
class _Plan:
    engine: Engine
    path: Path
    text: bytes
    dag: Dag
    moments: list[datetime]
    span: Span


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name in this home, or a file")
    parser.add_argument("--from", dest="first", required=True, metavar="DAY", help="the first day")
    parser.add_argument("--to", dest="last", required=True, metavar="DAY", help="the last day, included")
    add_params(parser)
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="runs at once [1]")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say which runs would be made")
    add_json(parser, "print a line of JSON for each run")


def run(command: Command) -> int:
    plan = _planned(command)
    jobs = [_job(command, plan, moment) for moment in plan.moments]
    if command.options.dry_run:
        for job in jobs:
            _tell(command, job, "exists" if _exists(plan.engine, job.run) else "would be made")
        return ExitCode.DONE
    plan.engine.home.store.ensure()
    failed = _work(command, plan.engine, jobs, max(1, command.options.jobs))
    return ExitCode.RUN_NOT_SUCCEEDED if failed else ExitCode.DONE


def _planned(command: Command) -> _Plan:
    options, engine = command.options, opened(command)
    path, text, dag = require_dag(engine, options.dag)
    zone = dag.schedule.timezone or engine.home.settings.timezone
    span = Span(_day(options.first, "--from"), _day(options.last, "--to"), zone)
    moments = list(islice(instants(dag.schedule, span), _MOST + 1))
    if not moments:
        raise NotFound(
            f"{dag.name} is not scheduled from {span.first} to {span.last}",
            hint="`dagfs next` shows when it is",
        )
    if len(moments) > _MOST:
        raise UsageError(f"that would be more than {_MOST} runs", hint="take a shorter span")
    return _Plan(engine, path.resolve(), text, dag, moments, span)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: expected a day such as 2026-11-21") from None


def _job(command: Command, plan: _Plan, moment: datetime) -> Job:
    home = plan.engine.home.paths
    dags = home.dags.resolve()
    key = str(plan.path.relative_to(dags)) if plan.path.is_relative_to(dags) else str(plan.path)
    given = assignments(command.options.param)
    return Job(
        scheduled_id(plan.dag.name, key, moment),
        plan.dag.name,
        str(plan.path),
        plan.text,
        trigger="backfill",
        params=tuple((name, filled_in(value, moment, plan.span.zone)) for name, value in given),
        instant=moment,
        reason=f"backfill of {moment.isoformat()}",
    )


def _exists(engine: Engine, run_id: str) -> bool:
    waits = Queue(engine.home.disk, engine.home.paths.scheduler).has(run_id)
    return waits or engine.home.paths.run(run_id).root.exists()


def _work(command: Command, engine: Engine, jobs: list[Job], at_once: int) -> int:
    """Make the runs in turn, some at once; how many did not succeed."""
    going: dict[int, tuple[Job, subprocess.Popen[bytes]]] = {}
    waiting, done, failed = list(reversed(jobs)), 0, 0
    while waiting or going:
        while waiting and len(going) < at_once:
            job = waiting.pop()
            if _exists(engine, job.run):
                done += 1
                _tell(command, job, "exists", f"{done}/{len(jobs)}")
                continue
            process = _begin(command, engine, job)
            going[process.pid] = (job, process)
        if going:
            job, process = _first_to_end(going)
            done += 1
            failed += process.returncode != 0
            word = "succeeded" if process.returncode == 0 else f"ended with {process.returncode}"
            _tell(command, job, word, f"{done}/{len(jobs)}")
    return failed


def _begin(command: Command, engine: Engine, job: Job) -> subprocess.Popen[bytes]:
    words = [word for word in run_words(job) if word != "--detach"]
    plugins = ["--no-plugins"] if command.options.no_plugins else []
    text = os.memfd_create("spec")
    try:
        os.write(text, job.text)
        os.lseek(text, 0, os.SEEK_SET)
        return subprocess.Popen(
            [sys.executable, "-m", "dagfs.cli", "-C", str(engine.home.paths.root), *plugins, *words],
            stdin=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # ^C ends the backfill; runs that were begun go on.
            start_new_session=True,
        )
    finally:
        os.close(text)


def _first_to_end(
    going: dict[int, tuple[Job, subprocess.Popen[bytes]]],
) -> tuple[Job, subprocess.Popen[bytes]]:
    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    job, process = going.pop(ended.si_pid)
    process.wait()
    return job, process


def _tell(command: Command, job: Job, word: str, progress: str = "") -> None:
    due = job.instant.isoformat() if job.instant else ""
    if command.options.json:
        command.output.json({"run": job.run, "due": due, "result": word}, indent=False)
    else:
        command.output.line(visible(f"{progress}  {due}  {job.run}  {word}".strip()))
