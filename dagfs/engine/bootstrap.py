"""The one place where the parts are joined: a home, its store and its plugins."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from dagfs.engine.home import Home, read_home
from dagfs.hooks.manager import PluginManager


@dataclass(frozen=True, slots=True)
class Engine:
    """An opened home with its plugins: what every operation needs."""

    home: Home
    plugins: PluginManager


def open_home(root: Path, *, plugins: bool = True) -> Engine:
    """Open a home with its plugins; without `plugins`, with the built-in ones alone."""
    home = read_home(root)
    manager = PluginManager()
    manager.load_built_ins()
    if plugins and home.settings.plugins:
        manager.load_entry_points(sys.path)
        manager.load_drop_ins(home.paths.plugins)
    return Engine(home, manager)
