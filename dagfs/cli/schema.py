"""`dagfs schema`: the JSON schema of DAG files or of dagfs.yaml, for editors."""

from __future__ import annotations

import argparse

from dagfs.cli.command import Command
from dagfs.engine.settings import SETTINGS
from dagfs.errors import ExitCode
from dagfs.spec.schema import dag_schema, settings_schema

EXAMPLES = """
examples:
  dagfs schema > dagfs.schema.json
  dagfs schema --settings > settings.schema.json

then, as the first line of a DAG file, for editors with yaml-language-server:
  # yaml-language-server: $schema=../dagfs.schema.json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--dialect",
        choices=("auto", "dagu1", "dagu2"),
        default="auto",
        help="the spelling of one dialect only",
    )
    kind.add_argument("--settings", action="store_true", help="the schema of dagfs.yaml")
    parser.add_argument("--json", action="store_true", help="change nothing: a schema is JSON")


def run(command: Command) -> int:
    if command.options.settings:
        rows = ((key, each.doc, dict(each.schema)) for key, each in SETTINGS.items())
        command.output.json(settings_schema(rows))
    else:
        command.output.json(dag_schema(command.options.dialect))
    return ExitCode.DONE
