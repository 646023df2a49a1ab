"""`dagfs fsck`: check a run, or the whole store, for damage. Changes nothing."""

from __future__ import annotations

import argparse

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import visible
from dagfs.cli.place import reading, wanted_run
from dagfs.errors import ExitCode
from dagfs.store.fsck import check_run, check_store

EXAMPLES = """
examples:
  dagfs fsck                every run
  dagfs fsck @              one run

exit codes: 0 sound, 74 damaged
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="one run [the whole store]")
    add_json(parser)


def run(command: Command) -> int:
    home, output = reading(command), command.output
    found = (
        check_run(home.store, wanted_run(command, home)) if command.options.run else check_store(home.store)
    )
    if command.options.json:
        output.json(
            [
                {"path": str(each.path), "line": each.line, "message": each.message, "fatal": each.fatal}
                for each in found
            ]
        )
    else:
        for each in found:
            where = shown(each.path) + (f":{each.line}" if each.line else "")
            kind = "damage" if each.fatal else "note"
            output.line(
                f"{visible(where)}: {kind}: {visible(each.message)}", style="red" if each.fatal else ""
            )
        if not any(each.fatal for each in found):
            output.line("sound" + (f", {len(found)} notes" if found else ""), style="green")
    return ExitCode.IO_ERROR if any(each.fatal for each in found) else ExitCode.DONE
