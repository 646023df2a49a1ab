"""`dagfs VERB …`: finds the verb's module by name, runs it, and turns errors into text and exit codes.

The table of verbs is data, so that a command loads its own module and no other.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from dagfs import __version__
from dagfs.cli.command import Command
from dagfs.cli.output import Output
from dagfs.cli.parser import given_color, global_options, new_parser, parse_words
from dagfs.errors import DagfsError, ExitCode

VERBS = {
    "init": ("dagfs.cli.init", "make a home: dagfs.yaml, dags/, plugins/, runs/"),
    "run": ("dagfs.cli.run", "run a DAG"),
    "status": ("dagfs.cli.status", "how a run stands, why, and what to type next"),
    "watch": ("dagfs.cli.watch", "follow a run as it goes"),
    "wait": ("dagfs.cli.wait", "wait until runs are over"),
    "logs": ("dagfs.cli.logs", "what a step printed; the failed one by default"),
    "edit": ("dagfs.cli.edit", "edit the captured spec of a run, then see the plan"),
    "plan": ("dagfs.cli.plan", "what a retry would do with each step, and why"),
    "diff": ("dagfs.cli.diff", "what changed between two specs of a run"),
    "spec": ("dagfs.cli.spec", "the versions of a run's spec, and going back to one"),
    "retry": ("dagfs.cli.retry", "continue a run: run again what must, keep the rest"),
    "rerun": ("dagfs.cli.rerun", "make a new run like an earlier one"),
    "export": ("dagfs.cli.export", "write a whole run as one file, for another machine"),
    "approve": ("dagfs.cli.approve", "let a step that waits for a word go on"),
    "reject": ("dagfs.cli.reject", "refuse what a waiting step asks, and end the run"),
    "mark": ("dagfs.cli.mark", "say how a step stands, with your name and reason on record"),
    "stop": ("dagfs.cli.stop", "stop a run and all its processes"),
    "show": ("dagfs.cli.show", "everything on record about a run"),
    "graph": ("dagfs.cli.graph", "the picture of a DAG, or of a run with the states of its steps"),
    "up": ("dagfs.cli.up", "the scheduler and the web page together"),
    "serve": ("dagfs.cli.serve", "the web page and the HTTP API"),
    "scheduler": ("dagfs.cli.scheduler", "start runs by the clock, by files and from queues"),
    "next": ("dagfs.cli.next", "when scheduled runs come next"),
    "pause": ("dagfs.cli.pause", "have a DAG not started by itself"),
    "resume": ("dagfs.cli.resume", "have a paused DAG started by itself again"),
    "enqueue": ("dagfs.cli.enqueue", "put a run in a queue"),
    "backfill": ("dagfs.cli.backfill", "make the runs that a schedule would have made on past days"),
    "clean": ("dagfs.cli.clean", "remove old runs"),
    "systemd": ("dagfs.cli.systemd", "print a unit file that keeps the scheduler at work"),
    "metrics": ("dagfs.cli.metrics", "print figures for Prometheus"),
    "queue": ("dagfs.cli.queue", "what waits in queues; take it out, or hold a queue"),
    "runs": ("dagfs.cli.runs", "list runs, newest first"),
    "ls": ("dagfs.cli.ls", "list DAGs"),
    "import": ("dagfs.cli.importing", "take in a run that `dagfs export` wrote, or a home of Dagu"),
    "validate": ("dagfs.cli.validate", "check DAG files"),
    "fsck": ("dagfs.cli.fsck", "check a run, or the whole store, for damage"),
    "plugins": ("dagfs.cli.plugins", "list plugins, what they bring, and what is wrong with them"),
    "explain": ("dagfs.cli.explain", "what a key, setting, rule, exit code, state or event means"),
    "schema": ("dagfs.cli.schema", "the JSON schema of DAG files, for editors"),
    "config": ("dagfs.cli.config", "the settings that hold here, and where each comes from"),
    "doctor": ("dagfs.cli.doctor", "whether this home and this machine are fit for work"),
    "completion": ("dagfs.cli.completion", "print a completion script for a shell"),
    "version": ("dagfs.cli.version", "print the version"),
    "help": ("dagfs.cli.help", "help on a verb or a topic"),
}

_NOT_YOURS = "look at the owner and mode of that path: was it made by another user?"


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before the verb, and the verb with the rest."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in ("-C", "--color") else 1
    return list(words[:place]), list(words[place:])


@cache
def verb_parser(verb: str) -> tuple[ModuleType, argparse.ArgumentParser]:
    """A verb's module and the parser of its options."""
    path, summary = VERBS[verb]
    module = importlib.import_module(path)
    parser = new_parser(verb, summary, module.EXAMPLES)
    module.arguments(parser)
    return module, parser


def _call(words: Sequence[str]) -> int:
    before, rest = _split(words)
    common = global_options().parse_args(before)
    if common.wants_version:
        rest = ["version"]
    elif common.wants_help or not rest:
        rest = ["help", "--brief"]
    if rest[0] not in VERBS:
        # By name, as the verbs are: whoever types a verb of dagfs never loads it.
        return int(importlib.import_module("dagfs.cli.external").call(rest, common))
    # What is loaded stays: looking for garbage in it would only take time.
    gc.disable()
    module, parser = verb_parser(rest[0])
    gc.freeze()
    gc.enable()
    options = parse_words(parser, rest[1:], argparse.Namespace(**vars(common)))
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


def script() -> int:
    """The console script: `main`, and then the end at once, for that is a twentieth of a command's time.

    Where plugins or threads may have left something to be done, the interpreter sees to it.
    """
    code = main()
    threads, cage = sys.modules.get("threading"), sys.modules.get("dagfs.hooks.cage")
    if (threads is None or threads.active_count() == 1) and not (cage and cage.has_guests()):
        atexit._run_exitfuncs()
        _drop_unwritten()
        os._exit(code)
    return code


def main(words: Sequence[str] | None = None) -> int:
    """One command. Returns its exit code; SystemExit only where its words are not to be understood."""
    words = sys.argv[1:] if words is None else words
    _open_standard_streams()
    try:
        return _call(words)
    except DagfsError as error:
        Output(given_color(words)).error(error)
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
        hint = _NOT_YOURS if isinstance(error, PermissionError) else None
        Output().error(DagfsError(f"{error.strerror or error}{where}", hint=hint))
        return int(ExitCode.IO_ERROR)
    except Exception:  # noqa: BLE001 - the last resort: a bug becomes one line and a report
        return _report_bug()
    finally:
        _drop_unwritten()


def _report_bug() -> int:
    head = f"dagfs {__version__}, python {sys.version.split()[0]}, {' '.join(sys.argv)}"
    # By name, as the verbs are: nobody else needs it.
    text = f"{head}\n\n{importlib.import_module('traceback').format_exc()}"
    path = f"{os.environ.get('TMPDIR') or '/tmp'}/dagfs-bug-{os.getpid()}.txt"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
        where = f"the traceback is in {path}"
    except OSError:
        where = text.strip().splitlines()[-1]
    Output().error(DagfsError(f"this is a bug in dagfs; {where}", hint="please report it with that file"))
    return int(ExitCode.BUG)
