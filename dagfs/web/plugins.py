"""Pages that plugins add. Which there are is asked of a process of its own: the server loads no plugin."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from dagfs.engine.home import Home
from dagfs.errors import DagfsError, NotFound
from dagfs.hooks import dropins, installed
from dagfs.web.commands import Commands
from dagfs.web.templates import Templates

_log = logging.getLogger("dagfs.web")


@dataclass(frozen=True, slots=True)
class PluginPage:
    """A page of a plugin, as it stands in the menu."""

    plugin: str
    name: str
    title: str
    templates: str = ""
    """The folder of its templates; empty where it has none."""
    static: str = ""

    @property
    def path(self) -> str:
        """Its address on this server."""
        return f"/plugins/{self.plugin}/{self.name}"

    @property
    def loader(self) -> str:
        """What the names of its templates begin with."""
        return f"plugin/{self.plugin}/{self.name}"


class PluginPages:
    """The pages of one home's plugins. To be used within one event loop; `all` from anywhere."""

    def __init__(self) -> None:
        self.all: tuple[PluginPage, ...] = ()
        self._loading: asyncio.Task[None] | None = None

    def begin(self, commands: Commands, templates: Templates) -> None:
        """Find out which there are, while the server answers already."""
        self._loading = asyncio.get_running_loop().create_task(self._load(commands, templates))

    async def find(self, plugin: str, name: str) -> PluginPage:
        """One page, once it is known which there are. NotFound."""
        if self._loading is not None:
            await asyncio.shield(self._loading)
        for each in self.all:
            if (each.plugin, each.name) == (plugin, name):
                return each
        hint = "`dagfs plugins` lists what they bring; what is new needs `dagfs serve` to be started again"
        raise NotFound(f"no plugin {plugin!r} has a page {name!r}", hint=hint)

    async def _load(self, commands: Commands, templates: Templates) -> None:
        try:
            found = [PluginPage(**each) for each in await commands.data("plugins", "--pages")]
        except (DagfsError, OSError, ValueError, TypeError) as error:
            _log.warning("no pages of plugins: %s", error)
            return
        for each in found:
            if each.templates:
                templates.add(each.loader, Path(each.templates))
        self.all = tuple(found)


def has_any(home: Home) -> bool:
    """Whether the home could have a plugin that is not built in."""
    if home.settings.plugins is False:
        return False
    try:
        found = chain(dropins.find(home.paths.plugins), installed.find(sys.path))
        return next(found, None) is not None
    except OSError:
        return True
