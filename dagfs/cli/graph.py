"""`dagfs graph`: the picture of a DAG, or of a run with the states of its steps."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dagfs.cli.command import Command, shown
from dagfs.cli.output import SYMBOLS, visible
from dagfs.cli.place import root
from dagfs.cli.spectext import LARGEST
from dagfs.engine.drawing import Subject, graph_data, sketch_of, subject_of_run
from dagfs.engine.finding import find_dag
from dagfs.engine.home import Home, read_home
from dagfs.engine.reading import reading_options
from dagfs.errors import ExitCode, NotFound
from dagfs.model.run import StepRun
from dagfs.model.timespan import duration
from dagfs.planning.outline import outline
from dagfs.planning.picture import dot, draw, mermaid, plan_picture
from dagfs.spec.parse import Options, read
from dagfs.store import dags

EXAMPLES = """
examples:
  dagfs graph                          the newest run, as a tree
  dagfs graph nightly-import           the DAG; nightly-import@ is its newest run
  dagfs graph @ --svg > run.svg
  dagfs graph etl.yaml --dot | dot -Tpng > etl.png
  dagfs graph @ --json | jq '.nodes[] | select(.state == "failed")'
"""
_MOST_PARENTS = 6


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        nargs="?",
        default="@",
        metavar="FILE|DAG|RUN",
        help="a DAG file, - for standard input, a DAG's name, or a run [@]",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--svg", dest="kind", action="store_const", const="svg", help="print a picture")
    kind.add_argument("--dot", dest="kind", action="store_const", const="dot", help="print it for Graphviz")
    kind.add_argument(
        "--mermaid", dest="kind", action="store_const", const="mermaid", help="print it for Mermaid"
    )
    kind.add_argument(
        "--json", dest="kind", action="store_const", const="json", help="print steps, edges and places"
    )
    parser.add_argument(
        "--direction",
        choices=("auto", "down", "right"),
        default="auto",
        help="where the picture's arrows lead",
    )


def run(command: Command) -> int:
    subject = _find(command)
    sketch = sketch_of(subject)
    down = {"auto": None, "down": True, "right": False}[command.options.direction]
    kind = command.options.kind
    if kind == "svg":
        command.output.line(draw(sketch, plan_picture(sketch, down=down)).rstrip("\n"))
    elif kind in ("dot", "mermaid"):
        text = (dot if kind == "dot" else mermaid)(sketch, down=down)
        command.output.line(text.rstrip("\n"))
    elif kind == "json":
        command.output.json(graph_data(subject, down=down))
    else:
        _show(command, subject)
    return ExitCode.DONE


# -- what is meant -------------------------------------------------------------------------------


def _find(command: Command) -> Subject:
    """A file needs no home; a word is a DAG before it is a run."""
    word = command.options.subject
    if word == "-":
        return _parsed(None, "<stdin>", sys.stdin.buffer.read(LARGEST + 1))
    if os.path.isfile(word):
        try:
            home = read_home(root(command))
        except NotFound:
            home = None
        return _parsed(home, shown(Path(word)), dags.read(Path(word)))
    home = read_home(root(command))
    try:
        path = find_dag(home, word)
    except NotFound as no_dag:
        try:
            return subject_of_run(home.store, home.store.find(word))
        except NotFound as no_run:
            raise _neither(word, no_dag, no_run) from None
    return _parsed(home, shown(path), dags.read(path))


def _neither(word: str, no_dag: NotFound, no_run: NotFound) -> NotFound:
    if word.startswith("@") or "@" in word:
        return no_run
    near = next((each.hint for each in (no_dag, no_run) if each.hint and "did you mean" in each.hint), None)
    return NotFound(f"there is no DAG and no run {word!r}", hint=near or "see `dagfs ls` and `dagfs runs`")


def _parsed(home: Home | None, label: str, data: bytes) -> Subject:
    name = "stdin" if label == "<stdin>" else ""
    options = reading_options(home, name=name) if home else Options(name=name)
    dag = read(data, label, options=options)
    return Subject(dag.name, dag)


# -- as text -------------------------------------------------------------------------------------


def _show(command: Command, subject: Subject) -> None:
    output = command.output
    head = output.styled(visible(subject.dag.name), "bold")
    if subject.state is not None:
        head += f"  {subject.run}  {output.state(subject.state)}"
    output.line(head)
    rows = []
    for line in outline(subject.dag.depends):
        step = subject.steps.get(line.name)
        symbol = SYMBOLS.get(step.state, "·") if step else "●"
        row = [f"{line.prefix}{symbol} {visible(line.name)}"]
        if step:
            took = "" if step.kept else duration(step.started, step.finished)
            row += [_word(command, step), took]
        rows.append([*row, output.styled(visible(_after(line.after)), "dim") if line.after else ""])
    output.table(rows)
    for event, handler in subject.dag.handler_on.items():
        ran = subject.handlers.get(event)
        output.line(f"on {event}: {visible(handler.name)}" + (f"  {output.state(ran.state)}" if ran else ""))


def _word(command: Command, step: StepRun) -> str:
    """A step's state, kept ones as such; its symbol stands before its name."""
    return command.output.state(step.state).replace(SYMBOLS.get(step.state, "·") + " ", "", 1) + (
        ", kept" if step.kept else ""
    )


def _after(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_PARENTS} more" if len(names) > _MOST_PARENTS else ""
    return "after " + ", ".join(names[:_MOST_PARENTS]) + more
