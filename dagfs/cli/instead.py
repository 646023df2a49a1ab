"""`DAGFS_RETRY_RUN_ID`: `dagfs run DAG` goes on with an earlier run of it instead of making a new one."""

from __future__ import annotations

import argparse
import importlib
import os

from dagfs.cli.command import Command
from dagfs.cli.parser import new_parser, parse_words
from dagfs.engine.bootstrap import Engine
from dagfs.engine.finding import find_dag
from dagfs.errors import Refused, UsageError

VARIABLE = "DAGFS_RETRY_RUN_ID"


def earlier_run() -> str:
    """The run that shall go on, or `""`. It is taken out of the environment: nobody below is to see it."""
    return os.environ.pop(VARIABLE, "")


def go_on(command: Command, engine: Engine, run_id: str) -> int:
    """Retry that run with the DAG file as it is now. Raises what `dagfs retry` raises."""
    options = command.options
    if options.id or options.name or options.dialect or options.captured or options.params:
        raise UsageError(
            f"with {VARIABLE} there is no new run to name, or to give other words",
            hint=f"unset {VARIABLE}, or use `dagfs retry {run_id}`",
        )
    path = find_dag(engine.home, options.dag)
    run = engine.home.store.load(engine.home.store.find(run_id))
    _require_same_file(run.id, run.header.source, str(path))
    words = ["--spec", str(path), *(f"--param={each}" for each in options.param)]
    words += [f"--reason={options.reason}"] if options.reason else []
    words += [f"--profile={options.profile}"] if options.profile else []
    switches = {"--json": options.json, "--plain": options.plain, "--detach": options.detach}
    words += [name for name, said in switches.items() if said]
    words += ["--via", options.via, "--", run.id]
    # By name: whoever does not set the variable does not wait for it.
    retry = importlib.import_module("dagfs.cli.retry")
    parser = new_parser("retry", "", "")
    retry.arguments(parser)
    given = argparse.Namespace(home=options.home, no_plugins=options.no_plugins, no_pager=options.no_pager)
    given.color = options.color
    return int(retry.run(Command(parse_words(parser, words, given), command.output, ("retry", *words))))


def _require_same_file(run_id: str, made_from: str, path: str) -> None:
    if os.path.basename(made_from) != os.path.basename(path):
        raise Refused(
            f"{VARIABLE}: run {run_id} was made from {made_from}, and not from {path}",
            hint=f"unset {VARIABLE} for a new run",
        )
