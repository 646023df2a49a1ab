"""`dagfs backfill`: make the runs that a schedule would have made on past days."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from datetime import date, datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, Any, NoReturn

from dagfs.cli.command import Command, add_json, add_params, assignments, at_least
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.cli.wait import endings
from dagfs.engine.bootstrap import Engine
from dagfs.engine.location import now
from dagfs.engine.moment import YEARS
from dagfs.engine.operations import require_dag
from dagfs.engine.parameters import check_given
from dagfs.errors import ExitCode, NotFound, UsageError
from dagfs.model.dag import Dag
from dagfs.model.state import RunState
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
already is left alone, and a backfill that was broken off is begun again with the same command. Runs
that are at work are waited for, those that failed are not made again: `dagfs retry` goes on with them.
Instants that are still to come are left to the scheduler.
In parameters %Y, %m, %d, %H and %M stand for the local time of the instant. It, and the days, are those
of the zone that the schedule names, or of an entry's own (CRON_TZ=).
exit codes: 0 all succeeded, 1 some did not, 4 there is nothing to make runs for
"""
_MOST = 10_000
_TAIL = 4096
"""So many bytes hold the last line of what a command says."""


@frozen
class _Plan:
    engine: Engine
    path: Path
    text: bytes
    dag: Dag
    moments: list[tuple[datetime, str]]
    """Each with the zone it is meant in."""
    coming: int
    """So many instants of the span are still to come."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dag", metavar="DAG", help="a DAG's name in this home, or a file")
    parser.add_argument("--from", dest="first", required=True, metavar="DAY", help="the first day")
    parser.add_argument("--to", dest="last", required=True, metavar="DAY", help="the last day, included")
    add_params(parser)
    parser.add_argument("-j", "--jobs", type=at_least(1), default=1, metavar="N", help="runs at once [1]")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say which runs would be made")
    add_json(parser, "print a line of JSON for each run")


def run(command: Command) -> int:
    plan = _planned(command)
    jobs = [_job(command, plan, moment, zone) for moment, zone in plan.moments]
    # Each would end with the same words.
    check_given(plan.dag, plan.path.parent, jobs[0].params, str(plan.path))
    if plan.coming:
        command.output.say(f"{_many(plan.coming)} still to come: left to the scheduler")
    work = _Work(command, plan.engine, jobs)
    if command.options.dry_run:
        work.foresee()
        return ExitCode.DONE
    plan.engine.home.store.ensure()
    return _carried_out(command, work)


def _carried_out(command: Command, work: _Work) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        work.carry_out(command.options.jobs)
    except (KeyboardInterrupt, _Terminated) as error:
        command.output.say(
            f"ended early: {len(work.going)} that were begun go on, and the same command makes the others"
        )
        return ExitCode.TERMINATED if isinstance(error, _Terminated) else ExitCode.INTERRUPTED
    return ExitCode.RUN_NOT_SUCCEEDED if work.failed else ExitCode.DONE


class _Terminated(BaseException):
    """SIGTERM came."""


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _planned(command: Command) -> _Plan:
    options, engine = command.options, opened(command)
    path, text, dag = require_dag(engine, options.dag)
    zone = dag.schedule.timezone or engine.home.settings.timezone
    span = Span(_day(options.first, "--from"), _day(options.last, "--to"), zone)
    if span.first > span.last:
        raise UsageError(f"--from {span.first} lies after --to {span.last}")
    moment = now()
    past = takewhile(lambda each: each[0] <= moment, instants(dag.schedule, span))
    moments = list(islice(past, _MOST + 1))
    if len(moments) > _MOST:
        raise UsageError(f"that would be more than {_MOST} runs", hint="take a shorter span")
    coming = sum(1 for _ in islice(instants(dag.schedule, span), len(moments), len(moments) + _MOST))
    if not moments:
        never = "has nothing that has come yet" if coming else "is not scheduled"
        hint = "`dagfs next` shows what comes" if coming else "`dagfs next` shows when it is"
        raise NotFound(f"{dag.name} {never} from {span.first} to {span.last}", hint=hint)
    return _Plan(engine, path.resolve(), text, dag, moments, coming)


def _many(coming: int) -> str:
    if coming == 1:
        return "1 instant is"
    return f"{coming}{' or more' if coming == _MOST else ''} instants are"


def _day(text: str, option: str) -> date:
    try:
        day = date.fromisoformat(text)
        if day.year not in YEARS:
            raise ValueError
    except ValueError:
        raise UsageError(f"{option} {text}: expected a day such as 2026-11-21") from None
    return day


def _job(command: Command, plan: _Plan, moment: datetime, zone: str) -> Job:
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
        params=tuple((name, filled_in(value, moment, zone)) for name, value in given),
        instant=moment,
        reason=f"backfill of {moment.isoformat()}",
    )


class _Work:
    """The runs to make, and how many of them there are by now."""

    def __init__(self, command: Command, engine: Engine, jobs: list[Job]) -> None:
        self._command, self._engine, self._jobs = command, engine, jobs
        self.going: dict[int, tuple[Job, subprocess.Popen[bytes], IO[bytes]]] = {}
        self.failed = 0
        self._done = 0
        self._elsewhere: dict[str, Job] = {}
        """Those whose runs somebody else has at work, by id."""

    def foresee(self) -> None:
        """Say which runs would be made."""
        for job in self._jobs:
            state = self._standing(job.run).get("state", "")
            _tell(self._command, job, "exists" if state else "would be made", state=state)

    def carry_out(self, at_once: int) -> None:
        """Make the runs in turn, some at once, and wait for those that others have at work."""
        waiting = list(reversed(self._jobs))
        while waiting or self.going:
            while waiting and len(self.going) < at_once:
                job = waiting.pop()
                state = self._standing(job.run).get("state", "")
                if state:
                    self._leave(job, state)
                else:
                    self._begin(job)
            if self.going:
                self._end_one()
        for run_id, view in endings(self._engine.home.store, list(self._elsewhere)):
            self._settle(self._elsewhere[run_id], "exists", str(view.state))

    def _leave(self, job: Job, state: str) -> None:
        """Its run is there, and is waited for while it goes on."""
        if state == RunState.RUNNING:
            self._elsewhere[job.run] = job
        else:
            self._settle(job, "exists", state)

    def _standing(self, run_id: str) -> dict[str, Any]:
        """The status document of a run; empty where there is none."""
        if Queue(self._engine.home.disk, self._engine.home.paths.scheduler).has(run_id):
            return {"state": str(RunState.QUEUED)}
        return next(iter(self._engine.home.store.summaries_of([run_id])), {})

    def _begin(self, job: Job) -> None:
        words = [word for word in run_words(job) if word != "--detach"]
        root = str(self._engine.home.paths.root)
        plugins = ["--no-plugins"] if self._command.options.no_plugins else []
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        with tempfile.TemporaryFile() as text:
            text.write(job.text)
            text.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-m", "dagfs.cli", "-C", root, *plugins, *words],
                stdin=text,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # ^C ends the backfill; runs that were begun go on.
                start_new_session=True,
            )
        self.going[process.pid] = job, process, said

    def _end_one(self) -> None:
        """Wait until one of those that were begun is over."""
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        job, process, said = self.going.pop(ended.si_pid)
        with said:
            code = process.wait()
            if code == 0:
                self._settle(job, str(RunState.SUCCEEDED), str(RunState.SUCCEEDED))
                return
            standing = self._standing(job.run)
            if code == ExitCode.REFUSED and standing:
                # Somebody else was quicker: another backfill, or the scheduler.
                self._leave(job, standing.get("state", ""))
                return
            why = str(standing.get("reason") or standing.get("error") or "") if standing else _last_line(said)
        self._settle(job, f"ended with {code}", standing.get("state", ""), why)

    def _settle(self, job: Job, result: str, state: str, why: str = "") -> None:
        self._done += 1
        self.failed += state != RunState.SUCCEEDED
        _tell(self._command, job, result, f"{self._done}/{len(self._jobs)}", state, why)


def _last_line(said: IO[bytes]) -> str:
    """What a command said last, but for its hints."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
    lines = said.read().decode("utf-8", "replace").splitlines()
    told = [line for line in lines if line.strip() and not line.startswith(" ")]
    return told[-1].removeprefix("dagfs: ") if told else ""


def _tell(
    command: Command, job: Job, result: str, progress: str = "", state: str = "", why: str = ""
) -> None:
    due = job.instant.isoformat() if job.instant else ""
    if command.options.json:
        said = {"run": job.run, "due": due, "result": result, "state": state or None, "reason": why or None}
        command.output.json(said, indent=False)
        return
    words = ", ".join(dict.fromkeys(word for word in (result, state) if word))
    words += f": {why}" if why else ""
    command.output.line(visible(f"{progress}  {due}  {job.run}  {words}".strip()))
