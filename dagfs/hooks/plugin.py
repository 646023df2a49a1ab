"""What is known of one plugin, and the kinds of things that plugins bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dagfs.errors import DagfsError
from dagfs.hooks.command import CommandSpec
from dagfs.hooks.executor import Executor
from dagfs.hooks.page import PageSpec
from dagfs.hooks.secret import SecretProvider
from dagfs.model.rule import Rule
from dagfs.model.value import frozen

API = "1"
"""The version of `dagfs.hooks`; a plugin may say with `DAGFS_API` which one it is written for."""


class Kind(NamedTuple):
    """Things that plugins bring, each under a name that only one of them can have."""

    noun: str
    type: type[Any]
    key: str
    """The attribute that holds the name."""
    needs: str
    """What such a thing is, for the message about one that is not."""


KINDS: Mapping[str, Kind] = {
    "executors": Kind("executor", Executor, "name", "an object with name, check and prepare"),
    "rules": Kind("rule", Rule, "id", "a Rule"),
    "commands": Kind("command", CommandSpec, "name", "a CommandSpec"),
    "pages": Kind("page", PageSpec, "name", "a PageSpec"),
    "secret_providers": Kind("secret provider", SecretProvider, "name", "an object with name and resolve"),
}
"""Hooks that bring things, by name."""
HOOKS = (
    "executors",
    "rules",
    "classify_field",
    "check_edit",
    "on_event",
    "notify",
    "commands",
    "pages",
    "secret_providers",
    "settings_schema",
    "configure",
)


@frozen
class Plugin:
    """One plugin, loaded or not."""

    name: str
    origin: str
    """`built-in`, `entry point DIST VERSION`, or the path of a drop-in."""
    version: str = ""
    """dagfs's own, the distribution's, or a drop-in's `__version__` and a digest of its text."""
    hooks: tuple[str, ...] = ()
    executors: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    secret_providers: tuple[str, ...] = ()
    load_ms: float = 0.0
    error: str = ""
    """Why it was left out, in one line."""
    skipped: str = ""
    """The setting that leaves it out."""

    @property
    def is_loaded(self) -> bool:
        return not self.error and not self.skipped


class PluginFailed(DagfsError):
    """A plugin raised, or answered with something else, where its answer was needed."""


def failed(plugin: str, hook: str, what: str) -> PluginFailed:
    """What a plugin did in a hook, in the words of its user."""
    return PluginFailed(
        f"plugin {plugin} failed in {hook}: {what}",
        hint="see `dagfs plugins`; --no-plugins leaves out all that are not built in",
    )


def shortened(thing: object) -> str:
    """A value for a message."""
    text = repr(thing)
    return text if len(text) <= 80 else text[:79] + "…"
