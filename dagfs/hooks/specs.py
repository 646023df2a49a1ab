"""Every hook a plugin can implement. A plugin implements any of them with `@hookimpl`.

A plugin that raises in a decision hook (`classify_field`, `check_edit`) stops the plan with its name;
one that raises in an observer hook (`on_event`) is reported and harms nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from dagfs.hooks.command import CommandSpec
from dagfs.hooks.executor import Executor
from dagfs.model.edit import Edit, Finding
from dagfs.model.event import Event
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.run import RunHeader

hookspec = pluggy.HookspecMarker("dagfs")


@hookspec
def executors() -> Sequence[Executor]:  # type: ignore[empty-body]
    """The executors the plugin brings. Called once when a home is opened.

    A name that an earlier plugin took stays with that one, and the plugin is reported.
    """


@hookspec
def rules() -> Sequence[Rule]:  # type: ignore[empty-body]
    """The compatibility rules whose findings the plugin may give. Called once when a home is opened."""


@hookspec(firstresult=True)
def classify_field(owner: str, path: str) -> FieldClass | None:
    """What a change of a field means. `owner` is `dag` or `step`; `path` is `timeout_sec`,
    `env.NAME` or `executor.config.image`. The first answer that is not None counts; drop-ins are
    asked before built-ins."""


@hookspec
def check_edit(edit: Edit) -> Sequence[Finding]:  # type: ignore[empty-body]
    """What stands against, or is worth saying about, an edit. All answers count; the heaviest wins.

    Called for every plan, perhaps several times as answers change what would run. Must be pure: the
    same edit gives the same findings.
    """


@hookspec
def on_event(run: RunHeader, event: Event) -> None:
    """Something happened in a run. Called after the event is in the journal, in its order."""


@hookspec
def commands() -> Sequence[CommandSpec]:  # type: ignore[empty-body]
    """The commands the plugin adds to `dagfs`. Called once when a home is opened.

    A name that an earlier plugin took stays with that one, and the plugin is reported. A verb of dagfs
    itself, or a program `dagfs-NAME` on the PATH, goes before a plugin's command of that name.
    """
