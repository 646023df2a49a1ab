"""What a retry is asked for, as options: answers to questions, which steps, and what changes."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from dagfs.cli.command import add_params, add_profile, assignments, wordy
from dagfs.engine.operations import needs_reason
from dagfs.errors import UsageError
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Plan
from dagfs.planning.selection import Selection


def add_answers(parser: argparse.ArgumentParser) -> None:
    """The options by which a plan's questions are answered."""
    parser.add_argument(
        "--on-stale",
        action="append",
        default=[],
        metavar="[STEP=]ANSWER",
        help="what becomes of finished steps whose definition changed: rerun, keep or error [error]",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="RULE", help="lift a rule where it is harmless"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept with the attempt")
    parser.add_argument(
        "--kill-orphans", action="store_true", help="end steps that a dead engine left running"
    )
    parser.add_argument(
        "--ack",
        action="append",
        default=[],
        metavar="STEP",
        help="run this one again, though not idempotent",
    )
    parser.add_argument(
        "--cutoff",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep finished steps where those before them run again and put out the same",
    )
    add_profile(parser)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that say which steps run, in place of those that are unfinished."""
    group = parser.add_argument_group(
        "which steps run",
        "STEPS: names, globs, `step+` and `+step` (what is next to it), `step++` and "
        "`++step` (all behind or before it), `state:failed`, joined by commas, taken away by `-`",
    )
    group.add_argument("--all", action="store_true", help="every step, whatever is finished")
    group.add_argument(
        "--from",
        dest="from_",
        action="append",
        default=[],
        metavar="STEPS",
        help="these, and all behind them",
    )
    group.add_argument("--select", action="append", default=[], metavar="STEPS", help="the same as --from")
    group.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="STEPS",
        help="these alone; finished steps behind them are marked as stale",
    )
    group.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="STEPS",
        help="nothing but these and what stands before them",
    )


def selection(options: argparse.Namespace) -> Selection:
    """The options as a value. UsageError where they contradict each other."""
    chosen = [*options.from_, *options.select]
    if sum(map(bool, (chosen, options.only, options.all))) > 1:
        raise UsageError("--all, --only and --from (or --select) exclude each other")
    if options.all and options.to:
        raise UsageError(
            "--all and --to exclude each other", hint="`--select '++STEP'` runs all up to STEP again"
        )
    for text in (*chosen, *options.only, *options.to):
        if not text.strip(" ,"):
            raise UsageError("a selection is empty")
    steps = ",".join(options.only or chosen)
    return Selection(steps, ",".join(options.to), bool(options.only), options.all)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """The options that change something without an edit of the spec."""
    group = parser.add_argument_group("what changes")
    add_params(group, "another value of a parameter")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STEP.FIELD=VALUE",
        help="write a value into the spec, which becomes a version of its own; `.FIELD=VALUE` for the DAG",
    )
    group.add_argument("--timeout", default="", metavar="SEC", help="the same as --set .timeout_sec=SEC")
    group.add_argument(
        "--tag",
        action="append",
        default=[],
        type=wordy("--tag"),
        metavar="TAG",
        help="add a tag to the spec",
    )
    group.add_argument(
        "--with",
        dest="with_",
        type=wordy("--with"),
        metavar="COMMAND",
        help="put steps behind a command: 'strace -f'",
    )
    group.add_argument(
        "--with-steps", action="append", default=[], metavar="STEPS", help="which steps [all that run]"
    )


def answers(options: argparse.Namespace) -> Answers:
    """The options as values. UsageError for an answer that is none."""
    pairs = []
    for text in options.on_stale:
        step, _, answer = text.rpartition("=")
        if answer not in ("rerun", "keep", "error"):
            raise UsageError(f"--on-stale {text}: the answer is rerun, keep or error")
        pairs.append((step or "*", answer))
    return Answers(
        on_stale=tuple(pairs),
        allow=tuple(options.allow),
        reason=options.reason,
        kill_orphans=options.kill_orphans,
        acknowledged=tuple(options.ack),
        profile=options.profile,
        cutoff=options.cutoff,
        **(_changes(options) if hasattr(options, "with_") else {}),
    )


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    timeout = [f".timeout_sec={options.timeout}"] if options.timeout else []
    return {
        "selection": selection(options),
        "params": assignments(options.param),
        "sets": (*options.set, *timeout),
        "tags": tuple(options.tag),
        "wrapper": options.with_ or "",
        "wrapped": ",".join(options.with_steps),
    }


def spelt(plan: Plan) -> str:
    """The plan's answers as the options they were given with, each behind a blank."""
    reasoned = needs_reason(plan)
    said = [(name, value) for name, value in plan.answers.options() if name != "--reason" or reasoned]
    words = [f"{name} {shlex.quote(value)}" if value else name for name, value in said]
    words += ["--reason '…'"] if reasoned and not plan.answers.reason else []
    return "".join(f" {word}" for word in words)
