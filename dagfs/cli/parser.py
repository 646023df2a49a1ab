"""The parsers of command lines: what all of them share, and how they end."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from functools import cache
from typing import NoReturn

from dagfs.errors import UsageError
from dagfs.model.spelling import get_close_matches

_NEGATIVE = re.compile(r"-\d[\d.a-z]*[smhdw]")
"""A span of time that runs backwards: argparse takes it for options."""
_COLORS = ("auto", "always", "never")


class Parser(argparse.ArgumentParser):
    """argparse, with did-you-mean and our own way of ending."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()
        known = [option for action in self._actions for option in action.option_strings]
        near = get_close_matches(unknown[0], known, 1) if unknown and message.startswith("unrec") else []
        hint = f"did you mean {near[0]}?" if near else f"see `{self.prog} --help`"
        raise UsageError(message, hint=hint)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse makes one for every option, and would import shutil for the width of the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


@cache
def global_options() -> Parser:
    """The parser of what stands before the verb."""
    parser = Parser(prog="dagfs", add_help=False, formatter_class=_Formatter)
    parser.add_argument("-C", dest="home", metavar="DIR", help="the home to work on")
    parser.add_argument("--no-plugins", action="store_true", help="load built-in plugins only")
    parser.add_argument("--no-pager", action="store_true", help="print straight to the terminal")
    parser.add_argument("--color", choices=_COLORS, default="auto")
    parser.add_argument("-h", "--help", dest="wants_help", action="store_true")
    parser.add_argument("--version", dest="wants_version", action="store_true")
    return parser


def new_parser(verb: str, summary: str, examples: str) -> Parser:
    """A parser for a verb's options, with those of all verbs, which may also stand behind one."""
    parser = Parser(
        prog=f"dagfs {verb}",
        description=summary[:1].upper() + summary[1:].removesuffix(".") + ".",
        epilog=examples.strip("\n"),
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    hidden = argparse.SUPPRESS
    parser.add_argument("-C", dest="home", metavar="DIR", default=hidden, help=hidden)
    parser.add_argument("--no-plugins", action="store_true", default=hidden, help=hidden)
    parser.add_argument("--no-pager", action="store_true", default=hidden, help=hidden)
    parser.add_argument("--color", choices=_COLORS, metavar="WHEN", default=hidden, help=hidden)
    return parser


def parse_words(
    parser: argparse.ArgumentParser, words: Sequence[str], given: argparse.Namespace
) -> argparse.Namespace:
    """Options and arguments in any order: RUN, then an option, then STEP, is how people type.

    Behind `--` a word is an argument whatever it begins with, which argparse forgets for the first one.
    """
    place = words.index("--") if "--" in words else len(words)
    # No word of a command line can hold a NUL.
    behind = [f"\0{word}" if word.startswith("-") else word for word in words[place + 1 :]]
    options = parser.parse_intermixed_args([*_joined(words[:place]), *behind], given)
    return argparse.Namespace(**{name: _bare(value) for name, value in vars(options).items()})


def _joined(words: Sequence[str]) -> list[str]:
    """`--keep -3d` as `--keep=-3d`, so that whoever reads the option can say what is wrong with it."""
    found: list[str] = []
    for word in words:
        if _NEGATIVE.fullmatch(word) and found and found[-1].startswith("--"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _bare(value: object) -> object:
    if isinstance(value, list):
        return [_bare(each) for each in value]
    return value.removeprefix("\0") if isinstance(value, str) else value


def given_color(words: Sequence[str]) -> str:
    """What `--color` says on a command line that could perhaps not be parsed."""
    for place, word in enumerate(words):
        value = word.partition("=")[2] if word.startswith("--color=") else ""
        if word == "--color":
            value = words[place + 1] if place + 1 < len(words) else ""
        if value in _COLORS:
            return value
    return "auto"
