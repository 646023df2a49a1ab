"""What a verb is given: its options, its output, and the home it works on."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from dagfs.cli.output import Output
from dagfs.engine.home import Home, find_home, read_home
from dagfs.errors import NotFound


@dataclass(frozen=True, slots=True)
class Command:
    """One call of one verb."""

    options: argparse.Namespace
    output: Output
    words: tuple[str, ...] = ()
    """The command line after `dagfs`."""

    @property
    def root(self) -> Path:
        """The folder of the home."""
        return find_home(self.options.home, Path.cwd(), os.environ)

    def home(self) -> Home:
        """The home, for reading."""
        root = self.root
        if not root.is_dir():
            raise NotFound(f"no home here, and none at {root}", hint="`dagfs init` makes one")
        return read_home(root)

    def run_id(self, home: Home) -> str:
        """The run that the command line names."""
        return home.store.find(self.options.run)


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


def add_json(parser: argparse.ArgumentParser, what: str = "print JSON") -> None:
    parser.add_argument("--json", action="store_true", help=what)


def shown(path: Path) -> str:
    """A path as a person here would type it."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("../..") else str(path)
