"""`dagfs rerun`: a new run like an earlier one."""

from __future__ import annotations

import argparse

from dagfs.cli.asking import add_answers, add_selection, answers, selection
from dagfs.cli.command import Command, add_json, add_params, add_run, add_via, assignments, shown
from dagfs.cli.detach import detach
from dagfs.cli.ending import conclude
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.cli.place import wanted_run
from dagfs.cli.preview import EXIT_CODES, show_plan
from dagfs.cli.telling import add_plain, telling
from dagfs.engine.again import foresee, planned, request_again, reuse
from dagfs.engine.bootstrap import Engine
from dagfs.engine.location import current_actor
from dagfs.engine.operations import RunRequest, carry_out, start_run
from dagfs.engine.proposal import Proposal
from dagfs.errors import ExitCode
from dagfs.model.value import replace
from dagfs.planning.selection import Selection

EXAMPLES = """
examples:
  dagfs rerun @                        everything again: the newest captured spec, the same parameters
  dagfs rerun @ -p date=2026-11-20     with another value for one of them
  dagfs rerun @ --latest               the DAG file as it is now
  dagfs rerun @ --from load            keep what has finished but load and all behind it; the old run stays
  dagfs rerun @ --from state:unfinished --latest --on-stale rerun
  dagfs rerun @ --from load -n         what would run, and what be kept
  dagfs runs --tree                    which run was made from which

A retry goes on with a run and keeps finished work; a rerun begins a new one and keeps nothing, unless
steps are selected: then the new run has the old one's attempts behind it, shared by links, not copied.
exit codes: as `dagfs run`
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, default=None)
    parser.add_argument("--latest", action="store_true", help="use the DAG file as it is now")
    add_params(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show what would run, make nothing")
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background")
    parser.add_argument("--id", default="", metavar="ID", help="the new run's id")
    add_answers(parser)
    add_selection(parser)
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")
    add_via(parser)


def run(command: Command) -> int:
    options = command.options
    engine = opened(command)
    if chosen := selection(options):
        return _reusing(command, engine, chosen)
    request = request_again(
        engine,
        wanted_run(command, engine.home),
        assignments(options.param),
        latest=options.latest,
        id_=options.id,
        reason=options.reason,
        profile=options.profile,
    )
    if options.dry_run:
        return _show_whole(command, engine, request)
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


def _reusing(command: Command, engine: Engine, chosen: Selection) -> int:
    """A new run that keeps the finished steps of the old one, but for those that are selected."""
    options = command.options
    old = wanted_run(command, engine.home)
    params = assignments(options.param)
    said = replace(answers(options), selection=chosen, params=params)
    if options.dry_run:
        return _show_kept(command, foresee(engine, old, said, latest=options.latest))
    proposal = reuse(engine, old, options.id, said, latest=options.latest)
    report = detach(command.output) if options.detach else None
    if isinstance(report, int):
        return report
    new = proposal.view.run.id
    teller = telling(command, engine.home.store.load)

    def committed(attempt: int) -> None:
        if report is not None:
            report(new)
        path = shown(engine.home.paths.run(new).root)
        teller.begin(new, f"{path}  attempt {attempt}, made from {old}")

    spec = proposal.text if proposal.pending else None
    who = current_actor(options.via)
    with teller:
        result = carry_out(engine, proposal, actor=who, observers=[teller], on_committed=committed, spec=spec)
    return conclude(command, engine.home, result)


def _show_whole(command: Command, engine: Engine, request: RunRequest) -> int:
    """All steps of a run that keeps nothing."""
    names = [step.name for step in planned(engine, request).steps]
    if command.options.json:
        command.output.json(
            {"parent": request.parent, "steps": [{"step": n, "action": "run"} for n in names]}
        )
        return ExitCode.DONE
    command.output.line(f"a new run of {visible(request.name or request.dag)}, made from {request.parent}")
    command.output.line()
    command.output.table([["run", visible(name), "all of it runs"] for name in names], indent="  ")
    return ExitCode.DONE


def _show_kept(command: Command, proposal: Proposal) -> int:
    if command.options.json:
        command.output.json(proposal.plan.as_data())
    else:
        show_plan(command.output, proposal)
    return EXIT_CODES[proposal.plan.verdict]
