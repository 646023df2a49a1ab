"""What strangers bring, called in a process of its own: the same to use, and harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pluggy

from dagfs.errors import DagfsError
from dagfs.hooks import cage
from dagfs.hooks.cage import Escaped
from dagfs.hooks.plugin import failed
from dagfs.model.value import frozen


@frozen
class CagedFunction:
    """One plugin's implementation of a hook, with its arguments."""

    implementation: pluggy.HookImpl
    arguments: Mapping[str, Any]

    def __call__(self) -> Any:
        names = self.implementation.argnames
        return self.implementation.function(*(self.arguments[name] for name in names))

    def call(self, limit_sec: float) -> Any:
        """Its answer. Raises what dagfs itself defines as it is, and Escaped for everything else."""
        try:
            return cage.call(self, limit_sec=limit_sec)
        except Escaped as error:
            if isinstance(error.error, DagfsError):
                raise error.error from None
            raise


class Caged:
    """A stranger's executor or secret provider; a call of any method happens in a process of its own."""

    def __init__(self, plugin: str, thing: Any, limit_sec: float) -> None:
        self.name: str = thing.name
        self._plugin, self._thing, self._limit = plugin, thing, limit_sec

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._thing, name)
        return partial(self._call, found, name) if callable(found) else found

    def _call(self, method: Callable[..., Any], name: str, *arguments: Any) -> Any:
        try:
            return cage.call(method, *arguments, limit_sec=self._limit)
        except Escaped as error:
            if isinstance(error.error, DagfsError):
                raise error.error from None
            raise failed(self._plugin, name, str(error)) from error
