"""`dagfs plan`: what a retry would do with each step, and why. Changes nothing."""

from __future__ import annotations

import argparse

from dagfs.cli.asking import add_answers, add_changes, add_selection, answers
from dagfs.cli.command import Command, add_json, add_run
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_root, wanted_run
from dagfs.cli.preview import conclude_plan, show_plan
from dagfs.cli.spectext import given_spec
from dagfs.engine.proposal import propose_retry

EXAMPLES = """
examples:
  dagfs plan @                         for spec.next.yaml, or for the spec as it is
  dagfs plan @ --on-stale rerun        with finished steps that were edited run again
  dagfs plan @ --json > plan.json && dagfs retry @ --plan plan.json
  dagfs plan @ --spec fixed.yaml

exit codes: 0 compatible, 3 the edit is invalid, 5 refused or a question is open, 7 nothing to do
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--spec", metavar="FILE", help="plan for this text instead of spec.next.yaml; - is stdin"
    )
    add_answers(parser)
    add_selection(parser)
    add_changes(parser)
    add_json(parser, "print the plan, as `dagfs retry --plan FILE` takes it")


def run(command: Command) -> int:
    engine = opened(command)
    text = given_spec(command.options.spec)
    # A child's own text is judged against that child, as `dagfs edit` does.
    run_id = (wanted_root if text is None else wanted_run)(command, engine.home)
    proposal = propose_retry(engine, run_id, answers(command.options), spec=text)
    if command.options.json:
        command.output.json(proposal.plan.as_data())
    else:
        show_plan(command.output, proposal)
    return conclude_plan(command, proposal)
