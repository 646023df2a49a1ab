"""`dagfs edit`: open the captured spec of a run in an editor, then show the plan."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

from dagfs.cli.asking import add_answers, answers
from dagfs.cli.command import Command, add_json, add_run, shown
from dagfs.cli.opened import opened
from dagfs.cli.place import wanted_run
from dagfs.cli.preview import conclude_plan, show_plan
from dagfs.engine.proposal import propose_retry
from dagfs.engine.versions import version_text
from dagfs.errors import UsageError
from dagfs.store.runs import RunStore

EXAMPLES = """
examples:
  dagfs edit @                       $VISUAL, $EDITOR or vi on spec.next.yaml, then the plan
  dagfs edit @ --from v1             begin from an older spec
  dagfs edit @ --no-editor           only make spec.next.yaml, and print its path

What you saved stays, valid or not; `dagfs edit` opens it again.
exit codes: as `dagfs plan`
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--from", dest="version", metavar="VERSION", help="v1, v2, … [the newest]")
    parser.add_argument("--no-editor", action="store_true", help="only make the file")
    add_answers(parser)
    add_json(parser, "print the plan as JSON")


def run(command: Command) -> int:
    options = command.options
    engine = opened(command)
    store, run_id = engine.home.store, wanted_run(command, engine.home)
    path = store.paths(run_id).next_spec
    made = not path.exists()
    if made:
        store.write_next(run_id, _text(store, run_id, options.version))
    elif options.version:
        raise UsageError(f"{shown(path)} exists already; --from would overwrite it", hint="remove it first")
    if options.no_editor:
        command.output.line(shown(path))
        return 0
    editor = _editor(run_id, shown(path))
    before = path.read_bytes()
    try:
        _open(editor, str(path))
    finally:
        is_same = path.is_file() and path.read_bytes() == before
        if made and is_same and not options.version:
            # An edit that changes nothing would only stand in the way.
            engine.home.disk.remove_file(path)
    if is_same:
        command.output.say("nothing was changed" if made else f"{shown(path)} is as it was")
    proposal = propose_retry(engine, run_id, answers(options))
    if options.json:
        command.output.json(proposal.plan.as_data())
    else:
        show_plan(command.output, proposal)
    return conclude_plan(command, proposal)


def _text(store: RunStore, run_id: str, version: str | None) -> bytes:
    """The captured spec that the edit begins with."""
    if version is None:
        return store.spec(run_id, store.load(run_id).last.n)
    return version_text(store, run_id, version)[1]


def _editor(run: str, path: str) -> str:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal for an editor, and EDITOR names none",
            hint=f"edit {path} yourself, then `dagfs plan {run}`",
        )
    return chosen or "vi"


def _open(editor: str, path: str) -> None:
    try:
        words = shlex.split(editor)
    except ValueError as error:
        raise UsageError(f"cannot read EDITOR={editor!r}: {error}") from None
    try:
        code = subprocess.run([*words, path], check=False).returncode
    except OSError as error:
        raise UsageError(
            f"cannot start the editor {editor!r}: {error.strerror}",
            hint=f"set EDITOR, or edit {path} yourself",
        ) from None
    if code:
        raise UsageError(
            f"the editor {editor!r} ended with {code}", hint=f"your edit, if saved, is in {path}"
        )
