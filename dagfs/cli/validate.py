"""`dagfs validate`: check DAG files, all problems at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.opened import opened
from dagfs.cli.spectext import LARGEST
from dagfs.engine.bootstrap import Engine
from dagfs.engine.finding import find_dag
from dagfs.engine.namesakes import HINT, namesakes
from dagfs.engine.reading import reading_options
from dagfs.engine.scrutiny import more_problems
from dagfs.errors import ExitCode, Problem, SpecError, StoreError
from dagfs.spec.parse import Reading, parse
from dagfs.store import dags

EXAMPLES = """
examples:
  dagfs validate                   every DAG of the home
  dagfs validate etl.yaml nightly-import
  dagfs validate --strict etl.yaml      warnings count as errors
  generate-dag | dagfs validate -

exit codes: 0 valid, 3 not
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dags", nargs="*", metavar="DAG", help="files, names, or - for standard input")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--dialect", choices=("auto", "dagu1", "dagu2"), help="how to read the files")
    add_json(parser, "print every problem as JSON")


def run(command: Command) -> int:
    engine = opened(command)
    unread = dags.Unread()
    names = command.options.dags or [str(path) for path in dags.names(engine.home.paths, unread)]
    found = [_unread(command, str(engine.home.paths.dags / key), error) for key, error in unread.items()]
    notes: list[Problem] = []
    for name in names:
        try:
            label, reading = _read(command, engine, name)
        except SpecError as error:
            found += error.problems
            if not command.options.json:
                command.output.error(error)
            continue
        except StoreError as error:
            # One of many is no reason to leave out the others.
            if name in command.options.dags:
                raise
            found.append(_unread(command, name, error))
            continue
        problems = [*reading.problems, *more_problems(engine, reading, _folder(engine, name), label)]
        if reading.dag and name != "-":
            problems += _shared_name(engine, find_dag(engine.home, name), reading.dag.name, label)
        found += problems
        notes += reading.remarks
        if not command.options.json:
            _tell(command, label, reading, problems)
    if command.options.json:
        command.output.json([_as_data(problem) for problem in (*found, *notes)])
    return ExitCode.SPEC_INVALID if _is_bad(command, found) else ExitCode.DONE


def _unread(command: Command, name: str, error: StoreError) -> Problem:
    if not command.options.json:
        command.output.error(error)
    return Problem(shown(Path(name)), 0, 0, error.message, error.hint)


def _is_bad(command: Command, problems: Iterable[Problem]) -> bool:
    return any(problem.severity == "error" or command.options.strict for problem in problems)


def _shared_name(engine: Engine, path: Path, name: str, label: str) -> Iterator[Problem]:
    """A warning where other files of the home have the DAG's name; those are read that could by their own."""
    home = engine.home.paths
    paths, options = dags.names(home), reading_options(engine.home)
    alike = [other for other in paths if other != path and other.stem in (name, path.stem)]
    read = ((parse(dags.read(other), str(other), options=options).sketch, other) for other in alike)
    named = [(name, path), *((dag.name, other) for dag, other in read if dag)]
    for each in namesakes(home.dags, named if path in paths else (), paths):
        yield Problem(label, 0, 0, each.says(shown), HINT, severity="warning")


def _read(command: Command, engine: Engine, name: str) -> tuple[str, Reading]:
    if name == "-":
        label, data = "<stdin>", sys.stdin.buffer.read(LARGEST + 1)
    else:
        path = find_dag(engine.home, name)
        label, data = shown(path), dags.read(path)
    options = reading_options(
        engine.home,
        command.options.dialect or "",
        name="stdin" if name == "-" else "",
        executors=engine.plugins.executors,
    )
    return label, parse(data, label, options=options)


def _folder(engine: Engine, name: str) -> Path:
    """Where the relative paths of a spec start."""
    return Path.cwd() if name == "-" else find_dag(engine.home, name).resolve().parent


def _tell(command: Command, label: str, reading: Reading, problems: list[Problem]) -> None:
    command.output.problems([*problems, *reading.remarks])
    if not _is_bad(command, problems) and reading.dag:
        count = len(reading.dag.steps)
        steps = f"{count} step{'' if count == 1 else 's'}"
        words = f"{steps}, read as {reading.dialect} ({reading.reason}), type {reading.type}"
        command.output.line(f"{label}: {command.output.styled('valid', 'green')}: {words}")


def _as_data(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }
