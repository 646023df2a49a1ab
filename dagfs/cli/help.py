"""`dagfs help`: the verbs, one verb, or a topic."""

from __future__ import annotations

import argparse

from dagfs.cli import main
from dagfs.cli.command import Command
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
_CODES = {
    ExitCode.DONE: "done",
    ExitCode.RUN_NOT_SUCCEEDED: "the run did not succeed; for diff: there are differences",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.SPEC_INVALID: "a spec or dagfs.yaml is invalid",
    ExitCode.NOT_FOUND: "no such run, DAG, step or file",
    ExitCode.REFUSED: "refused by a rule, or a question is unanswered",
    ExitCode.WAITING: "the run waits for an approval",
    ExitCode.NOTHING_TO_DO: "nothing to do",
    ExitCode.PLAN_MOVED: "the plan has moved on",
    ExitCode.BUG: "a bug in dagfs",
    ExitCode.IO_ERROR: "an input or output error, or damage in the store",
    ExitCode.BUSY: "another engine owns the run",
    ExitCode.LOST_OWNERSHIP: "this engine no longer owns the run",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "stopped by ^C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="a verb, or exit-codes")


def run(command: Command) -> int:
    topic, output = getattr(command.options, "topic", None), command.output
    if topic == "exit-codes":
        output.table([[f"{code:>5}", words] for code, words in _CODES.items()])
    elif topic:
        output.line(main.verb_parser(topic)[1].format_help().rstrip())
    else:
        output.line(_HEAD)
        output.table([[f"  {name}", summary] for name, (_, summary) in main.VERBS.items()])
        output.line("\n`dagfs VERB --help` has options and examples. Everywhere: -C DIR names the home,")
        output.line("--no-plugins leaves drop-ins out, --color=auto|always|never.")
    return ExitCode.DONE
