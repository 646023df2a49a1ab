"""`dagfs config`: the settings that hold here, and where each comes from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagfs.cli.command import Command, add_json, shown
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.configuration import Found, configuration
from dagfs.errors import ExitCode, NotFound

EXAMPLES = """
examples:
  dagfs config
  dagfs config --show-origin          which file, line, variable or option says so
  DAGFS_GRACE_SEC=30 dagfs config --show-origin
  dagfs config --json | jq -r .settings.dialect.value

highest first: options, DAGFS_… variables, the home's dagfs.yaml, $XDG_CONFIG_HOME/dagfs/config.yaml,
/etc/dagfs/config.yaml, defaults. `dagfs explain settings` lists what can be set.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--show-origin", action="store_true", help="say where each value comes from")
    add_json(parser)


def run(command: Command) -> int:
    home = _home(command)
    found = configuration(home, os.environ, _flags(command))
    if command.options.json:
        command.output.json(
            {
                "home": str(home) if home else None,
                "files": [str(path) for path in found.files if path.is_file()],
                "settings": {
                    key: {"value": each.value, "origin": each.origin} for key, each in found.effective.items()
                },
            }
        )
    else:
        _show(command, found.effective)
    return ExitCode.DONE


def _home(command: Command) -> Path | None:
    """The home, if there is one: the user's own settings can be seen without."""
    try:
        return root(command)
    except NotFound:
        if command.options.home or os.environ.get("DAGFS_HOME"):
            raise
        return None


def _flags(command: Command) -> dict[str, Found]:
    return {"load_plugins": Found(False, "--no-plugins")} if command.options.no_plugins else {}


def _show(command: Command, effective: Mapping[str, Found]) -> None:
    rows = []
    for key, found in effective.items():
        text = visible(_text(found.value))
        row = [key, text if text else command.output.styled("none", "dim")]
        if command.options.show_origin:
            row.append(command.output.styled(visible(_origin(found.origin)), "dim"))
        rows.append(row)
    command.output.table(rows)


def _origin(text: str) -> str:
    return shown(Path(text)) if text.startswith("/") else text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
