"""`dagfs help`: the verbs, one verb, or a topic."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import Any

from dagfs.cli import main
from dagfs.cli.codes import EXIT_CODES
from dagfs.cli.command import Command
from dagfs.cli.output import Output, visible
from dagfs.cli.pager import paged
from dagfs.cli.topics import TOPICS
from dagfs.errors import ExitCode

EXAMPLES = """
examples:
  dagfs help retry
  dagfs help exit-codes
  dagfs help values
"""
_CODES = "exit-codes"
_HEAD = """\
dagfs runs DAGs whose only database is a folder. A failed run is mended, not restarted:

  dagfs run nightly-import        it fails at step 3 of 5
  dagfs edit @                    mend the captured spec; see what would run again, and why
  dagfs retry @                   the same run goes on; finished work is kept
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="a verb; or " + ", ".join([*TOPICS, _CODES]))
    # `dagfs --help` answers at once, without a look at plugins.
    parser.add_argument("--brief", action="store_true", help=argparse.SUPPRESS)


def run(command: Command) -> int:
    topic, output = command.options.topic, command.output
    if topic and topic != _CODES:
        text = TOPICS[topic][1].rstrip() if topic in TOPICS else _about(command, topic)
        with paged(command):
            output.line(text)
        return ExitCode.DONE
    others = {} if topic or command.options.brief else _external().listed(command)
    with paged(command):
        if topic:
            output.table([[f"{code:>5}", words] for code, words in EXIT_CODES.items()])
        else:
            _overview(output, others)
    return ExitCode.DONE


def _about(command: Command, verb: str) -> str:
    if verb in main.VERBS:
        return main.verb_parser(verb)[1].format_help().rstrip()
    return str(_external().help_text(command, verb))


def _overview(output: Output, others: Mapping[str, str]) -> None:
    output.line(_HEAD)
    verbs = {name: summary for name, (_, summary) in main.VERBS.items()}
    output.table([[f"  {name}", visible(about)] for name, about in {**verbs, **others}.items()])
    output.line("\ntopics, with `dagfs help TOPIC`:\n")
    topics = {name: about for name, (about, _) in TOPICS.items()}
    codes = "what a command's exit code means"
    output.table([[f"  {name}", about] for name, about in {**topics, _CODES: codes}.items()])
    output.line("\n`dagfs VERB --help` has options and examples. Everywhere: -C DIR names the home,")
    output.line("--no-plugins leaves drop-ins out, --color=auto|always|never, --no-pager.")
    output.line(
        "A program `dagfs-foo` on the PATH is `dagfs foo`; `dagfs help` lists those, and plugins' commands."
    )


def _external() -> Any:
    """By name, as the verbs are: help on a verb needs no plugins."""
    return importlib.import_module("dagfs.cli.external")
