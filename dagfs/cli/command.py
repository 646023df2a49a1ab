"""What a verb is given, and the options that verbs share."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from dagfs.cli.output import Output
from dagfs.errors import UsageError
from dagfs.spec.names import is_param_name


class Command(NamedTuple):
    """One call of one verb."""

    options: argparse.Namespace
    output: Output
    words: tuple[str, ...] = ()
    """The command line after `dagfs`."""


def add_run(parser: argparse.ArgumentParser, *, default: str | None = "@") -> None:
    """The RUN argument, the newest run by default."""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?" if default else None,
        default=default,
        help="id, unique beginning of one, DAG name, `@` (newest), `@-1`, `DAG@-1` or path"
        + (f" [{default}]" if default else ""),
    )


def add_params(parser: argparse._ActionsContainer, what: str = "a parameter") -> None:
    """The option that gives a parameter a value."""
    parser.add_argument(
        "-p", "--param", action="append", default=[], type=_assignment, metavar="K=V", help=what
    )


def _assignment(text: str) -> str:
    if "=" not in text or not is_param_name(text.partition("=")[0]):
        hint = "what has no name goes behind the DAG and --: dagfs run DAG -- VALUE"
        raise UsageError(f"-p {text}: expected NAME=VALUE", hint=hint)
    return text


def assignments(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """What `-p` was given, each as name and value."""
    return tuple((name, value) for name, _, value in (text.partition("=") for text in given))


def wordy(option: str) -> Callable[[str], str]:
    """A type for the values of an option that may not be empty."""

    def read(text: str) -> str:
        if not text.strip():
            raise UsageError(f"{option} is given nothing")
        return text

    return read


def add_json(parser: argparse.ArgumentParser, what: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """What an option takes that is a number: a smaller one would quietly mean something else."""
    end = "on" if most is None else f"to {most}"

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= (most or int(text)):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} {end}")
        return int(text)

    return read


def add_via(parser: argparse.ArgumentParser) -> None:
    """Through what the command is given, for the record; the Python API says so of itself."""
    parser.add_argument("--via", default="cli", type=_source, help=argparse.SUPPRESS)


def _source(text: str) -> str:
    if text.partition("@")[0] not in ("cli", "api", "web", "scheduler"):
        raise argparse.ArgumentTypeError("expected cli, api, web or scheduler")
    return text


def add_profile(parser: argparse.ArgumentParser) -> None:
    """The option that has steps run elsewhere."""
    parser.add_argument(
        "--profile", default="", metavar="NAME|FILE", help="where steps run, in place of what the spec says"
    )


def shown(path: str | os.PathLike[str]) -> str:
    """A path as a person here would type it."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("../..") else str(path)
