"""Commands of plugins: loaded with their names checked, called with their faults caught."""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import pytest

from dagfs.errors import Refused
from dagfs.hooks import hookimpl
from dagfs.hooks.command import CommandContext, CommandSpec
from dagfs.hooks.manager import PluginFailed, PluginManager


def managed(*specs: CommandSpec) -> PluginManager:
    manager = PluginManager()
    plugin = SimpleNamespace(commands=hookimpl(lambda: list(specs)))
    manager._load("mine", "here", lambda: (plugin, "1"))
    return manager


def call(run: object) -> int:
    context = CommandContext("/home", argparse.Namespace(), print)
    return managed(CommandSpec("go", "", run)).run_command("go", context)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "-x", "x-", "a--b", "A", "a b", "a/b", "ä"])
def test_a_name_that_cannot_be_typed_is_no_command(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a command"):
        CommandSpec(name, "", print)


def test_a_command_gives_its_exit_code() -> None:
    assert call(lambda context: 5) == 5
    assert call(lambda context: None) == 0


def test_what_a_command_raises_names_its_plugin() -> None:
    def run(_: CommandContext) -> int:
        raise ZeroDivisionError("by\nzero")

    with pytest.raises(PluginFailed, match="plugin mine failed in command go: ZeroDivisionError: by zero"):
        call(run)


def test_an_error_of_dagfs_itself_passes_through() -> None:
    def run(_: CommandContext) -> int:
        raise Refused("no")

    with pytest.raises(Refused):
        call(run)


def test_options_that_cannot_be_added_leave_the_plugin_out() -> None:
    manager = managed(CommandSpec("go", "", print, lambda parser: parser.add_argument("-h")))  # type: ignore[arg-type,return-value]
    assert manager.commands == {}
    assert "conflicting option" in manager.plugins[0].error


def test_of_two_commands_with_one_name_the_first_stays() -> None:
    manager = managed(CommandSpec("go", "first", print))  # type: ignore[arg-type]
    other = SimpleNamespace(commands=hookimpl(lambda: [CommandSpec("go", "second", print)]))  # type: ignore[arg-type]
    manager._load("other", "there", lambda: (other, "1"))
    assert manager.commands["go"].summary == "first"
    assert "belongs to another plugin" in manager.plugins[1].error
