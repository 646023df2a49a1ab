"""The command contract: how a plugin adds a verb to `dagfs`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from dagfs.model.value import frozen

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@frozen
class CommandContext:
    """What a command is given when it is called."""

    root: str
    """The home's folder, as an absolute path."""
    options: argparse.Namespace
    """The options that its `arguments` added, as the user gave them."""
    print: Callable[[str], None]
    """Prints one line on standard output."""


def no_arguments(_: argparse.ArgumentParser) -> None:
    """For a command without options of its own."""


@frozen
class CommandSpec:
    """One command: `dagfs NAME`. A verb of dagfs, or a program `dagfs-NAME`, goes before it."""

    name: str
    summary: str
    """What it does, in one line, for `dagfs help`."""
    run: Callable[[CommandContext], int]
    """Does it, and gives the exit code. What it raises is shown as one line with the plugin's name."""
    arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    """Adds its options. It is tried when the plugin is loaded, so it must be quick and do nothing else."""
    examples: str = ""
    """Stands at the end of `dagfs NAME --help`."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a command: use a-z, 0-9 and single `-` inside")
