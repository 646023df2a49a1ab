"""Commands that dagfs does not have itself: programs `dagfs-NAME` on the PATH, and those of plugins."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from dagfs.cli import main
from dagfs.cli.command import Command
from dagfs.cli.opened import opened
from dagfs.cli.output import Output
from dagfs.cli.parser import Parser, new_parser
from dagfs.cli.place import root
from dagfs.cli.programs import find_program, programs_named
from dagfs.engine.bootstrap import Engine
from dagfs.errors import DagfsError, NotFound, UsageError
from dagfs.hooks.command import CommandContext
from dagfs.model.spelling import get_close_matches

PREFIX = "dagfs-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def call(words: Sequence[str], common: argparse.Namespace) -> int:
    """Call the command that `words` begins with; a program takes this process over.

    Raises UsageError for one that nobody has, PluginFailed.
    """
    name, output = words[0], Output(common.color)
    command = Command(common, output, tuple(words))
    program = find_program(PREFIX + name) if _NAME.fullmatch(name) else None
    if program is not None:
        _become(command, program)
    engine = _engine(command)
    if engine is None or name not in engine.plugins.commands:
        raise _unknown(name, engine)
    parser = plugin_parser(engine, name)
    options = parser.parse_intermixed_args(words[1:], argparse.Namespace(**vars(common)))
    folder = str(engine.home.paths.root)
    return engine.plugins.run_command(name, CommandContext(folder, options, output.line))


def plugin_parser(engine: Engine, name: str) -> Parser:
    """The parser of a plugin's command. PluginFailed."""
    spec = engine.plugins.commands[name]
    parser = new_parser(name, spec.summary, spec.examples)
    engine.plugins.add_arguments(name, parser)
    return parser


def help_text(command: Command, name: str) -> str:
    """What is to be said about a command of others. UsageError for an unknown."""
    program = find_program(PREFIX + name) if _NAME.fullmatch(name) else None
    if program is not None:
        return f"`dagfs {name}` is the program {program}; ask it itself: dagfs {name} --help"
    engine = _engine(command)
    if engine is None or name not in engine.plugins.commands:
        raise _unknown(name, engine)
    return plugin_parser(engine, name).format_help().rstrip()


def listed(command: Command) -> dict[str, str]:
    """Every command of others with a word about it, verbs of dagfs left out."""
    engine = _engine(command)
    found = {name: spec.summary for name, spec in engine.plugins.commands.items()} if engine else {}
    found |= programs_named(PREFIX)
    return {name: about for name, about in sorted(found.items()) if name not in main.VERBS}


def _become(command: Command, program: str) -> None:
    environment = dict(os.environ)
    try:
        environment["DAGFS_HOME"] = str(root(command))
    except NotFound:
        if command.options.home or environment.get("DAGFS_HOME"):
            raise
    sys.stdout.flush()
    # Python ignores it; a program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(program, [program, *command.words[1:]], environment)


def _engine(command: Command) -> Engine | None:
    """The home with its plugins; None where there is no home, or its settings cannot be read."""
    with suppress(DagfsError):
        return opened(command)
    return None


def _unknown(name: str, engine: Engine | None) -> UsageError:
    every = [*main.VERBS, *programs_named(PREFIX), *(engine.plugins.commands if engine else ())]
    near = get_close_matches(name, dict.fromkeys(every), 2)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `dagfs help`"
    return UsageError(f"unknown command {name!r}", hint=hint)
