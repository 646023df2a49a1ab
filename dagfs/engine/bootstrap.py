"""The one place where the parts are joined: a home, its store and its plugins."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dagfs.engine.configuration import place_of
from dagfs.engine.home import Home, read_home
from dagfs.errors import Problem, SpecError
from dagfs.hooks.manager import PluginManager
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import frozen


@frozen
class Engine:
    """An opened home with its plugins: what every operation needs."""

    home: Home
    plugins: PluginManager


_AT_HAND: list[PluginManager] = []
"""One that no home has yet; each has its own."""


def get_ready() -> None:
    """Load the built-in plugins beforehand, for the next home that this process, or its child, opens."""
    _AT_HAND[:] = [_with_built_ins()]


def _with_built_ins() -> PluginManager:
    manager = PluginManager()
    manager.load_built_ins()
    return manager


def open_home(root: Path, *, plugins: bool = True) -> Engine:
    """Open a home with its plugins; without `plugins`, with the built-in ones alone.

    Raises SpecError where the settings of a plugin do not fit what it says of them.
    """
    home = read_home(root)
    chosen = home.settings.plugins
    manager = _AT_HAND.pop() if _AT_HAND else _with_built_ins()
    manager.bound(
        limit_sec=home.settings.plugin_limit_sec,
        allowed=chosen if isinstance(chosen, tuple) else None,
        denied=home.settings.deny_plugins,
    )
    if plugins and chosen is not False:
        manager.load_entry_points(sys.path)
        manager.load_drop_ins(home.paths.plugins)
    given = home.settings.plugin_settings
    if problems := [problem for name in given for problem in _wrong(manager, home, name)]:
        raise SpecError(problems)
    manager.configure(given)
    return Engine(home, manager)


def _wrong(manager: PluginManager, home: Home, name: str) -> Iterator[Problem]:
    """What does not fit in the settings of one plugin, each with its place."""
    if name not in manager.versions:
        if not any(plugin.name == name for plugin in manager.plugins):
            near = get_close_matches(name, manager.versions, 1)
            hint = f"did you mean {near[0]!r}?" if near else "`dagfs plugins` lists them"
            yield _problem(home, f"plugins.{name}", f"there is no plugin {name!r}", hint)
        return
    schema = manager.schema(name)
    if schema is None:
        yield _problem(home, f"plugins.{name}", f"the plugin {name!r} has no settings", None)
        return
    # Nothing else here needs jsonschema, which takes longer to load than all of dagfs.
    contract = importlib.import_module("dagfs.spec.contract")
    for place, message in contract.misfits(schema, home.settings.plugin_settings[name]):
        path = ".".join(("plugins", name, *place))
        yield _problem(home, path, f"{path}: {message}", None)


def _problem(home: Home, path: str, message: str, hint: str | None) -> Problem:
    file, line, column = place_of(path, home.paths.root, os.environ)
    return Problem(file, line, column, message, hint)
