"""`dagfs diff`: what changed between two specs of a run, as text and in meaning."""

from __future__ import annotations

import argparse
import difflib
import re

from dagfs.cli.command import Command, add_json, add_run
from dagfs.cli.comparison import differences
from dagfs.cli.opened import opened
from dagfs.cli.output import visible
from dagfs.cli.pager import paged
from dagfs.cli.place import wanted_run
from dagfs.engine.bootstrap import Engine
from dagfs.engine.reading import reading_options
from dagfs.errors import NotFound
from dagfs.model.edit import Edit
from dagfs.model.excerpt import LONG, one_line
from dagfs.model.run import Attempt, Run
from dagfs.planning.compat import Basis, compare
from dagfs.planning.explain import edit_lines
from dagfs.planning.plan import change_data
from dagfs.spec.parse import read

EXAMPLES = """
examples:
  dagfs diff @                 the newest spec against spec.next.yaml, or the last two specs
  dagfs diff @ v1 v3
  dagfs diff @ v2 next --steps      the meaning alone
  dagfs diff @ --attempts 1 2       two attempts side by side: states, times, outputs, specs

exit codes: 0 no difference, 1 different
"""
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_VERSION = re.compile(r"v?([1-9][0-9]*)")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="v1, v2, … or next")
    parser.add_argument(
        "--attempts", nargs=2, type=int, metavar="N", help="compare two attempts and not their specs alone"
    )
    parser.add_argument("--steps", action="store_true", help="only what the difference means")
    parser.add_argument("--text", action="store_true", help="only the text")
    add_json(parser, "print the meaning as JSON")


def run(command: Command) -> int:
    engine = opened(command)
    run_id = wanted_run(command, engine.home)
    if command.options.attempts:
        return _attempts(command, engine, run_id)
    old_name, new_name = _pair(command, engine, run_id)
    old, new = _text(engine, run_id, old_name), _text(engine, run_id, new_name)
    if command.options.json:
        edit = _edit(engine, run_id, old_name, new_name, old, new)
        command.output.json([*map(change_data, edit.changes), *_membership(edit)])
        return int(old != new)
    lines: list[str] = []
    if not command.options.text:
        found = edit_lines(_edit(engine, run_id, old_name, new_name, old, new))
        lines = list(found) or (["no change in meaning: comments and layout only"] if old != new else [])
    with paged(command):
        if not command.options.steps:
            _show_text(command, old_name, new_name, old, new)
        if not command.options.steps and lines and old != new:
            command.output.line()
        for line in lines:
            command.output.line(visible(line))
    return int(old != new)


def _attempts(command: Command, engine: Engine, run_id: str) -> int:
    """Two attempts side by side; what is the same in both is left out of the table."""
    run = engine.home.store.load(run_id)
    one, other = (_attempt(run, n) for n in command.options.attempts)
    found = differences(one, other)
    dags = [engine.home.store.dag(run_id, each.n) for each in (one, other)]
    edit = compare(one, {one.n: Basis(dags[0])}, Basis(dags[1]), engine.plugins.classify)
    lines = edit_lines(edit)
    output = command.output
    if command.options.json:
        output.json({"differences": [each.as_data() for each in found], "spec": lines})
        return int(bool(found or lines))
    with paged(command):
        heads = ["", "", f"attempt {one.n}", f"attempt {other.n}"]
        cells = [(each.step, each.what, each.one, each.other) for each in found]
        rows = [[visible(one_line(cell, LONG)) for cell in row] for row in cells]
        output.table([heads, *rows] if rows else [])
        for line in [*([""] if rows and lines else []), *map(visible, lines)]:
            output.line(line)
    if not found and not lines:
        output.say(f"attempts {one.n} and {other.n} went alike")
    return int(bool(found or lines))


def _attempt(run: Run, n: int) -> Attempt:
    for attempt in run.attempts:
        if attempt.n == n:
            return attempt
    raise NotFound(f"run {run.id} has no attempt {n}", hint=f"it has 1 to {run.last.n}")


def _membership(edit: Edit) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [{"step": name, "change": "added"} for name in edit.added]
    found += [{"step": name, "change": "removed"} for name in edit.removed]
    return found + [{"step": old, "change": "renamed", "to": new} for old, new in edit.renamed.items()]


def _pair(command: Command, engine: Engine, run_id: str) -> tuple[str, str]:
    """The names of the two files to compare."""
    paths = engine.home.store.paths(run_id)
    have = [f"spec.v{n}.yaml" for n in paths.spec_versions()]
    if paths.next_spec.exists():
        have.append(paths.next_spec.name)
    chosen = [_file_name(word, have, run_id) for word in command.options.versions]
    if len(chosen) == 1:
        chosen.append(have[-1])
    if not chosen:
        chosen = have[-2:]
    if len(chosen) < 2:
        raise NotFound(
            f"run {run_id} has one spec and no edit to compare it with",
            hint=f"begin one: dagfs edit {run_id}",
        )
    return chosen[0], chosen[1]


def _file_name(word: str, have: list[str], run_id: str) -> str:
    version = _VERSION.fullmatch(word)
    name = "spec.next.yaml" if word == "next" else f"spec.v{version[1]}.yaml" if version else word
    if name not in have:
        raise NotFound(f"run {run_id} has no {name}", hint=f"it has {', '.join(have)}")
    return name


def _text(engine: Engine, run_id: str, name: str) -> bytes:
    paths = engine.home.store.paths(run_id)
    if name == paths.next_spec.name:
        return engine.home.store.read_next(run_id) or b""
    return (paths.root / name).read_bytes()


def _show_text(command: Command, old_name: str, new_name: str, old: bytes, new: bytes) -> None:
    lines = difflib.unified_diff(
        old.decode("utf-8", "replace").splitlines(),
        new.decode("utf-8", "replace").splitlines(),
        old_name,
        new_name,
        lineterm="",
    )
    for line in lines:
        command.output.line(command.output.styled(visible(line), _STYLES.get(line[:1], "")))


def _edit(engine: Engine, run_id: str, old_name: str, new_name: str, old: bytes, new: bytes) -> Edit:
    run = engine.home.store.load(run_id)
    before = engine.home.store.dag(run_id, run.last.n)
    is_child = "/" in run_id
    options = reading_options(
        engine.home, before.dialect, before.type, name=before.name, child=is_child, run=run_id
    )
    bases = {run.last.n: Basis(read(old, old_name, options=options))}
    return compare(run.last, bases, Basis(read(new, new_name, options=options)), engine.plugins.classify)
