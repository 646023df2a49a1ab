"""`dagfs spec`: the versions of a run's spec: who made them, what they say, and going back to one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.opened import opened
from dagfs.cli.output import next_commands, visible
from dagfs.cli.pager import paged
from dagfs.cli.place import wanted_run
from dagfs.cli.spectext import given_spec
from dagfs.engine.bootstrap import Engine
from dagfs.engine.proposal import propose_retry
from dagfs.engine.versions import version_text, versions
from dagfs.errors import NotFound, Refused, UsageError
from dagfs.model.excerpt import LONG, one_line

EXAMPLES = """
examples:
  dagfs spec log @                        every version: when, by whom, why, and what changed in it
  dagfs spec show @ v1                    its text
  dagfs spec export @ v2 -o fixed.yaml    its text into a new file
  dagfs spec import @ fixed.yaml          a text as spec.next.yaml, for the next retry
  dagfs spec revert @ v1                  version 1 as spec.next.yaml; a retry makes a new version of it

Versions never change. `import` and `revert` check the text first and leave an edit that is there alone,
but for --force.
exit codes: 0 done, 3 the text is no valid spec, 4 no such version, 5 there is an edit already
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    add_run(parser)
    parser.add_argument(
        "what", nargs="?", metavar="VERSION|FILE", help="v1, v2, … or next; a file for import"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write into this new file [standard output]")
    parser.add_argument("--force", action="store_true", help="in place of an edit that is there")
    add_json(parser, "print the log as JSON")


def run(command: Command) -> int:
    engine = opened(command)
    run_id = wanted_run(command, engine.home)
    return _ACTIONS[command.options.action](command, engine, run_id)


def _log(command: Command, engine: Engine, run_id: str) -> int:
    found = versions(engine, run_id)
    output = command.output
    if command.options.json:
        output.json([each.as_data() for each in found])
        return 0
    with paged(command):
        for each in reversed(found):
            who = f"{each.actor}" + (f" ({each.actor.source})" if each.actor.source != "cli" else "")
            used = ", ".join(map(str, each.attempts))
            output.line(output.styled(each.name, "bold") + f"  {each.sha256[:12]}")
            rows = [["when", each.created], ["who", who], ["why", each.reason], ["attempts", used]]
            output.table([[name, visible(one_line(text, LONG))] for name, text in rows if text], indent="  ")
            for line in each.changes:
                output.line(f"  {visible(line)}")
            output.line()
    return 0


def _show(command: Command, engine: Engine, run_id: str) -> int:
    with paged(command):
        command.output.raw(_text(engine, run_id, command.options.what))
    return 0


def _export(command: Command, engine: Engine, run_id: str) -> int:
    text = _text(engine, run_id, command.options.what)
    name = command.options.output
    if not name or name == "-":
        command.output.raw(text)
        return 0
    path = Path(name)
    if path.exists() and not command.options.force:
        raise Refused(f"{name} exists already", hint="name another file, or say --force")
    engine.home.disk.replace(path.absolute(), text)
    command.output.line(shown(path))
    return 0


def _import(command: Command, engine: Engine, run_id: str) -> int:
    if not command.options.what:
        raise UsageError("import needs a file, or - for standard input")
    text = given_spec(command.options.what)
    assert text is not None
    return _propose(command, engine, run_id, text)


def _revert(command: Command, engine: Engine, run_id: str) -> int:
    if not command.options.what:
        raise UsageError("revert needs a version", hint=f"dagfs spec log {run_id} shows them")
    return _propose(command, engine, run_id, _text(engine, run_id, command.options.what))


def _propose(command: Command, engine: Engine, run_id: str, text: bytes) -> int:
    """Make the text the pending edit, if it can be read as one."""
    store = engine.home.store
    path = store.paths(run_id).next_spec
    if path.exists() and not command.options.force:
        raise Refused(
            f"{shown(path)} is there already", hint="look at it with `dagfs diff`; --force replaces it"
        )
    propose_retry(engine, run_id, spec=text)
    engine.home.disk.replace(path, text)
    command.output.line(shown(path))
    next_commands(command.output, {f"dagfs plan {run_id}": "see what a retry would do"})
    return 0


def _text(engine: Engine, run_id: str, word: str | None) -> bytes:
    """A version's text; the newest where none is named."""
    store = engine.home.store
    if word == "next":
        text = store.read_next(run_id)
        if text is None:
            raise NotFound(f"run {run_id} has no spec.next.yaml")
        return text
    return (
        store.spec(run_id, store.load(run_id).last.n)
        if word is None
        else version_text(store, run_id, word)[1]
    )


_ACTIONS: Mapping[str, Callable[[Command, Engine, str], int]] = {
    "log": _log,
    "show": _show,
    "export": _export,
    "import": _import,
    "revert": _revert,
}
