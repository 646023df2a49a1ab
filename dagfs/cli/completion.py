"""`dagfs completion`: scripts for shells, made from the parsers of all verbs.

The scripts find runs, DAGs and steps in the file system by themselves; no Python starts while one types.
"""

from __future__ import annotations

import argparse
import importlib

from dagfs.cli import main
from dagfs.cli.command import Command
from dagfs.cli.parser import global_options
from dagfs.errors import ExitCode
from dagfs.model.value import frozen

EXAMPLES = """
examples:
  source <(dagfs completion bash)                                    now, in bash
  dagfs completion bash > ~/.local/share/bash-completion/completions/dagfs
  dagfs completion zsh > "${fpath[1]}/_dagfs"
  dagfs completion fish > ~/.config/fish/completions/dagfs.fish
"""
SHELLS = ("bash", "zsh", "fish")

RUN, DAG, STEP, FILE, FOLDER, VERB, TEXT = "run", "dag", "step", "file", "folder", "verb", "text"
"""What a word can stand for, beside words that are listed."""
_BY_NAME = {
    "RUN": RUN,
    "DAG": DAG,
    "STEP": STEP,
    "FILE": FILE,
    "ID|FILE": FILE,
    "DIR": FOLDER,
    "FILE|DAG|RUN": DAG,
    "run": RUN,
    "dag": DAG,
    "dags": DAG,
    "step": STEP,
    "dir": FOLDER,
    "pattern": DAG,
    "topic": VERB,
}


@frozen
class Place:
    """A word that may stand behind a verb or an option."""

    kind: str
    choices: tuple[str, ...] = ()
    """The words there are, in place of a kind."""
    many: bool = False
    """Any number of them."""


@frozen
class Option:
    """An option with all its spellings."""

    names: tuple[str, ...]
    about: str
    value: Place | None = None
    """None for one that takes no value."""


@frozen
class Verb:
    """A verb as a shell needs to know it."""

    name: str
    about: str
    options: tuple[Option, ...]
    places: tuple[Place, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(command: Command) -> int:
    shell = importlib.import_module(f"dagfs.cli.shells.{command.options.shell}")
    command.output.line(shell.script(verbs(), common()).rstrip("\n"))
    return ExitCode.DONE


def verbs() -> list[Verb]:
    """Every verb of dagfs."""
    return [_verb(name, about) for name, (_, about) in main.VERBS.items()]


def common() -> tuple[Option, ...]:
    """The options of all verbs."""
    return tuple(_option(action) for action in global_options()._actions)


def _verb(name: str, about: str) -> Verb:
    module, parser = main.verb_parser(name)
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    options = tuple(_option(action) for action in shown if action.option_strings)
    places = tuple(_place(action) for action in shown if not action.option_strings)
    if hasattr(module, "offered"):
        places = (Place(TEXT, module.offered()), *places[1:])
    return Verb(name, about, options, places)


def _option(action: argparse.Action) -> Option:
    value = None if action.nargs == 0 else _place(action)
    return Option(tuple(action.option_strings), _one_line(action.help or ""), value)


def _place(action: argparse.Action) -> Place:
    many = action.nargs in ("*", "+")
    if action.choices:
        return Place(TEXT, tuple(map(str, action.choices)), many)
    name = str(action.metavar or action.dest)
    if action.option_strings:
        return Place(_BY_NAME.get(name, TEXT), (), many)
    return Place(_BY_NAME.get(name, _BY_NAME.get(action.dest, TEXT)), (), many)


def _one_line(text: str) -> str:
    return " ".join(text.split())
