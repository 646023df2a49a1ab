"""`dagfs VERB …`: finds the verb's module by name, runs it, and turns errors into text and exit codes.

The table of verbs is data, so that a command loads its own module and no other.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import NoReturn

from dagfs import __version__
from dagfs.cli.command import Command
from dagfs.cli.output import Output
from dagfs.errors import DagfsError, ExitCode, UsageError

VERBS = {
    "init": ("dagfs.cli.init", "make a home: dagfs.yaml, dags/, plugins/, runs/"),
    "run": ("dagfs.cli.run", "run a DAG"),
    "status": ("dagfs.cli.status", "how a run stands, why, and what to type next"),
    "logs": ("dagfs.cli.logs", "what a step printed; the failed one by default"),
    "edit": ("dagfs.cli.edit", "edit the captured spec of a run, then see the plan"),
    "plan": ("dagfs.cli.plan", "what a retry would do with each step, and why"),
    "diff": ("dagfs.cli.diff", "what changed between two specs of a run"),
    "retry": ("dagfs.cli.retry", "continue a run: run again what must, keep the rest"),
    "rerun": ("dagfs.cli.rerun", "make a new run like an earlier one"),
    "mark": ("dagfs.cli.mark", "say how a step stands, with your name and reason on record"),
    "stop": ("dagfs.cli.stop", "stop a run and all its processes"),
    "show": ("dagfs.cli.show", "everything on record about a run"),
    "graph": ("dagfs.cli.graph", "the picture of a DAG, or of a run with the states of its steps"),
    "runs": ("dagfs.cli.runs", "list runs, newest first"),
    "ls": ("dagfs.cli.ls", "list DAGs"),
    "validate": ("dagfs.cli.validate", "check DAG files"),
    "fsck": ("dagfs.cli.fsck", "check a run, or the whole store, for damage"),
    "plugins": ("dagfs.cli.plugins", "list plugins, what they bring, and what is wrong with them"),
    "explain": ("dagfs.cli.explain", "what a key, setting, rule, exit code, state or event means"),
    "schema": ("dagfs.cli.schema", "the JSON schema of DAG files, for editors"),
    "config": ("dagfs.cli.config", "the settings that hold here, and where each comes from"),
    "doctor": ("dagfs.cli.doctor", "whether this home and this machine are fit for work"),
    "version": ("dagfs.cli.version", "print the version"),
    "help": ("dagfs.cli.help", "help on a verb or a topic"),
}

_COLORS = ("auto", "always", "never")


class _Parser(argparse.ArgumentParser):
    """argparse, with did-you-mean and our own way of ending."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()
        known = [option for action in self._actions for option in action.option_strings]
        near = get_close_matches(unknown[0], known, 1) if unknown and message.startswith("unrec") else []
        hint = f"did you mean {near[0]}?" if near else f"see `{self.prog} --help`"
        raise UsageError(message, hint=hint)


def _global_options() -> argparse.ArgumentParser:
    parser = _Parser(prog="dagfs", add_help=False)
    parser.add_argument("-C", dest="home", metavar="DIR", help="the home to work on")
    parser.add_argument("--no-plugins", action="store_true", help="load built-in plugins only")
    parser.add_argument("--color", choices=_COLORS, default="auto")
    parser.add_argument("-h", "--help", dest="wants_help", action="store_true")
    parser.add_argument("--version", dest="wants_version", action="store_true")
    return parser


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before the verb, and the verb with the rest."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in ("-C", "--color") else 1
    return list(words[:place]), list(words[place:])


def verb_parser(verb: str) -> tuple[ModuleType, argparse.ArgumentParser]:
    """A verb's module and the parser of its options."""
    if verb not in VERBS:
        near = get_close_matches(verb, VERBS, 2)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `dagfs --help`"
        raise UsageError(f"unknown command {verb!r}", hint=hint)
    path, summary = VERBS[verb]
    module = importlib.import_module(path)
    parser = _Parser(
        prog=f"dagfs {verb}",
        description=summary[0].upper() + summary[1:] + ".",
        epilog=module.EXAMPLES.strip("\n"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    # So that they may also stand behind the verb, where people write them.
    parser.add_argument("-C", dest="home", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--no-plugins", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--color", choices=_COLORS, metavar="WHEN", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    return module, parser


def _call(words: Sequence[str]) -> int:
    before, rest = _split(words)
    common = _global_options().parse_args(before)
    if common.wants_version:
        rest = ["version"]
    elif common.wants_help or not rest:
        rest = ["help"]
    module, parser = verb_parser(rest[0])
    # Intermixed: RUN, then an option, then STEP, is how people type.
    options = parser.parse_intermixed_args(rest[1:], argparse.Namespace(**vars(common)))
    return int(module.run(Command(options, Output(options.color), tuple(rest))))


def _open_standard_streams() -> None:
    """A closed one would lend its number to the next file that is opened, which would then be printed to."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _drop_unwritten() -> None:
    """Forget what a stream does not take: Python would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(words: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit code."""
    words = sys.argv[1:] if words is None else words
    _open_standard_streams()
    try:
        return _call(words)
    except DagfsError as error:
        Output().error(error)
        return int(error.exit_code)
    except BrokenPipeError:
        # The reader went away, as with `| head`; there is nobody left to tell.
        return 141
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except RecursionError:
        Output().error(DagfsError("the input is nested too deeply"))
        return int(ExitCode.SPEC_INVALID)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        Output().error(DagfsError(f"{error.strerror or error}{where}"))
        return int(ExitCode.IO_ERROR)
    except Exception:  # noqa: BLE001 - the last resort: a bug becomes one line and a report
        return _report_bug()
    finally:
        _drop_unwritten()


def _report_bug() -> int:
    head = f"dagfs {__version__}, python {sys.version.split()[0]}, {' '.join(sys.argv)}"
    text = f"{head}\n\n{traceback.format_exc()}"
    path = f"/tmp/dagfs-bug-{os.getpid()}.txt"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
        where = f"the traceback is in {path}"
    except OSError:
        where = text.strip().splitlines()[-1]
    Output().error(DagfsError(f"this is a bug in dagfs; {where}", hint="please report it with that file"))
    return int(ExitCode.BUG)
