"""`dagfs plugins`: list plugins, what they bring, and what is wrong with them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagfs.cli import main
from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import next_commands, visible
from dagfs.cli.pages import add_pages, list_pages, show_page
from dagfs.cli.place import root
from dagfs.cli.programs import find_program
from dagfs.engine.bootstrap import open_home
from dagfs.engine.preflight import missing_for
from dagfs.errors import ExitCode, UsageError
from dagfs.hooks.manager import PluginManager
from dagfs.hooks.plugin import Plugin
from dagfs.hooks.template import KINDS, package
from dagfs.store.files import Disk

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAMED = ("executors", "rules", "commands", "pages", "secret_providers")
"""Hooks whose things are listed by name."""
EXAMPLES = """
examples:
  dagfs plugins
  dagfs plugins new greeter --executor    a package in ./dagfs-greeter that installs and passes its test
  dagfs plugins --check && echo all of them load
  dagfs plugins --json | jq '.[] | select(.error != "")'

exit codes: 0; with --check, 1 when one is broken
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="exit 1 when a plugin is broken")
    add_json(parser)
    parser.add_argument(
        "what", nargs="?", choices=["new"], metavar="new", help="write a plugin to begin with"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="its name")
    kinds = parser.add_mutually_exclusive_group()
    for kind in KINDS:
        text = f"new: one that is {'an' if kind == 'executor' else 'a'} {kind}"
        kinds.add_argument(f"--{kind}", action="store_const", const=kind, dest="kind", help=text)
    add_pages(parser)


def run(command: Command) -> int:
    if command.options.what == "new":
        return _new(command)
    output, home = command.output, root(command)
    manager = open_home(home, plugins=not command.options.no_plugins).plugins
    if command.options.pages:
        return list_pages(command, manager)
    if command.options.page:
        return show_page(command, manager, str(home))
    plugins = manager.plugins
    missing = {name: missing_for(each, {}) for name, each in manager.executors.items()}
    if command.options.json:
        output.json([_document(plugin, missing) for plugin in plugins])
    else:
        rows = [["name", "version", "from", "load", "brings"]]
        for plugin in plugins:
            brings = [f"executor {name}" + _lacking(missing.get(name)) for name in plugin.executors] + [
                f"rule {name}" for name in plugin.rules
            ]
            brings += [f"command {name}" + _hidden(name) for name in plugin.commands]
            brings += [f"page {name}" for name in plugin.pages]
            brings += [f"secrets from {name}" for name in plugin.secret_providers]
            brings += [hook for hook in plugin.hooks if hook not in _NAMED]
            what = ", ".join(brings)
            if plugin.error:
                what = output.styled(f"broken: {visible(plugin.error)}", "red")
            elif plugin.skipped:
                what = output.styled(f"left out: {plugin.skipped}", "dim")
            load = f"{plugin.load_ms:.0f} ms"
            rows.append([visible(plugin.name), plugin.version, visible(plugin.origin), load, what])
        output.table(rows, head=True)
    broken = any(plugin.error for plugin in plugins)
    return ExitCode.RUN_NOT_SUCCEEDED if command.options.check and broken else ExitCode.DONE


def _document(plugin: Plugin, missing: Mapping[str, str]) -> dict[str, Any]:
    """A plugin as JSON, with what of this machine its executors lack."""
    return {**asdict(plugin), "missing": {name: missing.get(name, "") for name in plugin.executors}}


def _lacking(missing: str | None) -> str:
    return f" ({visible(missing)})" if missing else ""


def _new(command: Command) -> int:
    """Write a package that installs and passes its own test."""
    name = command.options.name or ""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a plugin: use a-z, 0-9 and single `-` inside")
    kind = command.options.kind or "executor"
    if name in _built_in(kind):
        raise UsageError(
            f"dagfs has its own {kind} {name!r}, which would hide it", hint="choose another name"
        )
    folder = Path.cwd() / f"dagfs-{name}"
    if folder.exists():
        raise UsageError(f"{folder} is there already", hint="choose another name, or remove it")
    disk = Disk()
    disk.make_dir(folder)
    for path, text in package(name, kind).items():
        disk.put_new(folder / path, text.encode())
        command.output.line(f"made {shown(folder / path)}")
    next_commands(command.output, {f"pip install -e '{folder.name}[test]'": "then `dagfs plugins` lists it"})
    return ExitCode.DONE


def _built_in(kind: str) -> Collection[str]:
    """The names that are taken already for a plugin of that kind."""
    if kind == "command":
        return main.VERBS
    manager = PluginManager()
    manager.load_built_ins()
    taken = {"executor": manager.executors, "rule": {rule.partition(".")[0] for rule in manager.rules}}
    return taken.get(kind, ())


def _hidden(command: str) -> str:
    """Who goes before a plugin's command, if anybody does."""
    if command in main.VERBS:
        return " (hidden by the verb of dagfs)"
    program = find_program(f"dagfs-{command}")
    return f" (hidden by {program})" if program else ""
