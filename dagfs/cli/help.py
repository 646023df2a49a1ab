"""`dagfs help`: the verbs, one verb, or a topic."""

from __future__ import annotations

import argparse

from dagfs.cli import main
from dagfs.cli.command import Command
from dagfs.cli.glossary import EXIT_CODES
from dagfs.errors import ExitCode

EXAMPLES = """
examples:
  dagfs help retry
  dagfs help exit-codes
"""
_HEAD = """\
dagfs runs DAGs whose only database is a folder. A failed run is mended, not restarted:

  dagfs run nightly-import        it fails at step 3 of 5
  dagfs edit @                    mend the captured spec; see what would run again, and why
  dagfs retry @                   the same run goes on; finished work is kept
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="a verb, or exit-codes")


def run(command: Command) -> int:
    topic, output = getattr(command.options, "topic", None), command.output
    if topic == "exit-codes":
        output.table([[f"{code:>5}", words] for code, words in EXIT_CODES.items()])
    elif topic:
        output.line(main.verb_parser(topic)[1].format_help().rstrip())
    else:
        output.line(_HEAD)
        output.table([[f"  {name}", summary] for name, (_, summary) in main.VERBS.items()])
        output.line("\n`dagfs VERB --help` has options and examples. Everywhere: -C DIR names the home,")
        output.line("--no-plugins leaves drop-ins out, --color=auto|always|never.")
    return ExitCode.DONE
