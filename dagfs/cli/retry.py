"""`dagfs retry`: continue a run with the spec as edited; finished work is kept."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from dagfs.cli.asking import add_answers, add_changes, add_selection, answers
from dagfs.cli.command import Command, add_json, add_run, add_via, shown
from dagfs.cli.detach import detach
from dagfs.cli.ending import conclude
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_root
from dagfs.cli.preview import conclude_plan, show_plan
from dagfs.cli.spectext import given_spec
from dagfs.cli.telling import add_plain, telling
from dagfs.engine.location import current_actor
from dagfs.engine.operations import carry_out, require_compatible
from dagfs.engine.proposal import Proposal, propose_retry
from dagfs.errors import NotFound, PlanMoved, UsageError
from dagfs.model.value import replace
from dagfs.planning.answers import Answers

EXAMPLES = """
examples:
  dagfs retry @                                 from the failure, with spec.next.yaml if there is one
  dagfs retry @ --dry-run                       the plan alone, as `dagfs plan @`
  dagfs retry @ --on-stale rerun                run edited finished steps again, and all behind them
  dagfs retry @ --on-stale extract=keep --reason "only its log level changed"
  dagfs retry @ --plan 3f9a0c12b4d56e78         only if the plan is still that one

exit codes: 0 succeeded, 1 not, 3 the edit is invalid, 5 refused or a question is open,
            7 nothing to do, 8 the plan is no longer the one given, 75 another engine owns the run
"""
_PLAN_ID = re.compile(r"[0-9a-f]{16}")

_MOVES = 3
"""So often a run may go on between a look at it and its lock."""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the plan, do nothing")
    parser.add_argument("--spec", metavar="FILE", help="use this text instead of spec.next.yaml; - is stdin")
    parser.add_argument("--plan", metavar="ID|FILE", help="carry out this plan, or refuse if it has moved on")
    parser.add_argument("-d", "--detach", action="store_true", help="go on in the background")
    add_answers(parser)
    add_selection(parser)
    add_changes(parser)
    add_plain(parser)
    add_json(parser, "print every event as a line of JSON")
    add_via(parser)


def run(command: Command) -> int:
    options = command.options
    engine = opened(command)
    run_id = wanted_root(command, engine.home)
    text = given_spec(options.spec)
    wanted, given = _wanted_plan(options.plan, answers(options))
    proposal = propose_retry(engine, run_id, given, spec=text)
    _require_plan(proposal, wanted)
    if options.dry_run:
        if options.json:
            command.output.json(proposal.plan.as_data())
        else:
            show_plan(command.output, proposal)
        return conclude_plan(command, proposal)
    if not options.json:
        show_plan(command.output, proposal)
    require_compatible(proposal.plan)
    report = detach(command.output) if options.detach else None
    if isinstance(report, int):
        return report

    def committed(attempt: int) -> None:
        if report is not None:
            report(run_id)
        elif not options.json:
            command.output.say()
        teller.begin(run_id, f"{shown(engine.home.paths.run(run_id).root)}  attempt {attempt}")

    teller = telling(command, engine.home.store.load)
    who = current_actor(options.via)
    with teller:
        for left in range(_MOVES, -1, -1):
            try:
                result = carry_out(
                    engine, proposal, actor=who, observers=[teller], on_committed=committed, spec=text
                )
                break
            except PlanMoved:
                # A step that outlived its engine may just have ended; without --plan what holds now is meant.
                if wanted or not left:
                    raise
                proposal = propose_retry(engine, run_id, given, spec=text)
    return conclude(command, engine.home, result)


def _wanted_plan(name: str | None, given: Answers) -> tuple[str, Answers]:
    """The id of the plan to carry out, or `""`, and the answers it was made with."""
    if name is None or _PLAN_ID.fullmatch(name):
        return name or "", given
    plan = _read_plan(name)
    try:
        planned = Answers.from_data(plan["answers"])
        return str(plan["plan"]), replace(planned, reason=given.reason or planned.reason)
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{name} is not a plan", hint="make one with `dagfs plan RUN --json > FILE`"
        ) from None


def _read_plan(name: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(name).read_bytes())
    except OSError as error:
        raise NotFound(f"--plan {name}: no plan id, and no such file ({error.strerror})") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{name} is not a plan", hint="make one with `dagfs plan RUN --json > FILE`")
    return found


def _require_plan(proposal: Proposal, wanted: str) -> None:
    plan = proposal.plan
    if wanted and wanted != plan.id:
        raise PlanMoved(
            f"run {plan.run} is not what plan {wanted} was made for; it is {plan.id} now",
            hint=f"look again with `dagfs plan {plan.run}`, with the same options",
        )
