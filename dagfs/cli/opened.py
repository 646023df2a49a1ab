"""The home with its plugins, for verbs that plan and act."""

from __future__ import annotations

from dagfs.cli.command import Command
from dagfs.cli.output import visible
from dagfs.cli.place import root
from dagfs.engine.bootstrap import Engine, open_home


def opened(command: Command) -> Engine:
    """Open the home; a plugin that could not be loaded is named, for it may have brought a rule."""
    engine = open_home(root(command), plugins=not command.options.no_plugins)
    for plugin in engine.plugins.plugins:
        if plugin.error:
            command.output.say(
                visible(f"plugin {plugin.name} was not loaded: {plugin.error}"), style="yellow"
            )
    return engine
