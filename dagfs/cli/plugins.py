"""`dagfs plugins`: list plugins, what they bring, and what is wrong with them."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from dagfs.cli import main
from dagfs.cli.command import Command, add_json
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.cli.programs import find_program
from dagfs.engine.bootstrap import open_home
from dagfs.errors import ExitCode

EXAMPLES = """
examples:
  dagfs plugins
  dagfs plugins --check && echo all of them load
  dagfs plugins --json | jq '.[] | select(.error != "")'

exit codes: 0; with --check, 1 when one is broken
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="exit 1 when a plugin is broken")
    add_json(parser)


def run(command: Command) -> int:
    output = command.output
    plugins = open_home(root(command), plugins=not command.options.no_plugins).plugins.plugins
    if command.options.json:
        output.json([asdict(plugin) for plugin in plugins])
    else:
        rows = [["name", "version", "from", "brings"]]
        for plugin in plugins:
            brings = [f"executor {name}" for name in plugin.executors] + [
                f"rule {name}" for name in plugin.rules
            ]
            brings += [f"command {name}" + _hidden(name) for name in plugin.commands]
            brings += [hook for hook in plugin.hooks if hook not in ("executors", "rules", "commands")]
            what = (
                output.styled(f"broken: {visible(plugin.error)}", "red")
                if plugin.error
                else ", ".join(brings)
            )
            rows.append([visible(plugin.name), plugin.version, visible(plugin.origin), what])
        output.table(rows, head=True)
    broken = any(plugin.error for plugin in plugins)
    return ExitCode.RUN_NOT_SUCCEEDED if command.options.check and broken else ExitCode.DONE


def _hidden(command: str) -> str:
    """Who goes before a plugin's command, if anybody does."""
    if command in main.VERBS:
        return " (hidden by the verb of dagfs)"
    program = find_program(f"dagfs-{command}")
    return f" (hidden by {program})" if program else ""
