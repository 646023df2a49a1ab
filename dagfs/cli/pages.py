"""The pages of plugins for `dagfs serve`, which never loads one itself: hidden options of `dagfs plugins`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from dagfs.cli.command import Command
from dagfs.errors import DagfsError, ExitCode, NotFound
from dagfs.hooks.manager import PluginManager
from dagfs.hooks.page import PageAnswer, PageRequest


def add_pages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pages", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--page", metavar="NAME", help=argparse.SUPPRESS)


def list_pages(command: Command, manager: PluginManager) -> int:
    """Which pages there are, and where their files lie."""
    found = manager.pages
    command.output.json(
        [
            {
                "plugin": plugin.name,
                "name": name,
                "title": found[name].title,
                "templates": found[name].templates,
                "static": found[name].static,
            }
            for plugin in manager.plugins
            for name in plugin.pages
        ]
    )
    return ExitCode.DONE


def show_page(command: Command, manager: PluginManager, root: str) -> int:
    """What one page shows; the request comes on standard input. NotFound, PluginFailed."""
    name, said = command.options.page, json.loads(sys.stdin.buffer.read())
    if name not in manager.pages:
        raise NotFound(f"no plugin has a page {name!r}", hint="`dagfs plugins` lists them")
    request = PageRequest(root, str(said["path"]), dict(said["query"]), str(said["role"]))
    answer = manager.show_page(name, request)
    command.output.raw(_encoded(name, answer))
    return ExitCode.DONE


def _encoded(name: str, answer: PageAnswer) -> bytes:
    data: dict[str, Any] = {
        "template": answer.template,
        "values": dict(answer.values),
        "text": answer.text,
        "json": answer.json,
        "status": answer.status,
    }
    try:
        return json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DagfsError(f"page {name} gives what JSON cannot hold: {error}") from None
