"""Every hook a plugin can implement. A plugin implements any of them with `@hookimpl`.

A plugin that raises in a decision hook (`classify_field`, `check_edit`) stops the plan with its name;
one that raises in an observer hook (`on_event`, `notify`) is reported and harms nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from dagfs.hooks.command import CommandSpec
from dagfs.hooks.executor import Executor, Process
from dagfs.hooks.notifier import News
from dagfs.hooks.page import PageSpec
from dagfs.hooks.secret import SecretProvider
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
    """Something happened in a run. Called after the event is in the journal, in its order.

    It is called in a process of the plugin's own, which lives as long as the run does, so it can remember.
    Nobody waits for it, but at the end of the attempt, and then for as long as `plugin_limit_sec` says.
    """


@hookspec
def notify(news: News) -> Sequence[Process]:  # type: ignore[empty-body]
    """What to run so that somebody hears of the news; nothing, for news that nobody waits for.

    Called when an attempt has ended or waits, for each failed step that says `mail_on_error`, and by the
    scheduler for a trouble that no run can tell of: `news.run` and `news.dag` may be None then. dagfs runs
    what is named, for as long as `plugin_limit_sec` says. What fails becomes a notice in the journal, or a
    line in the scheduler's log; the run stays as it is.
    """


@hookspec
def commands() -> Sequence[CommandSpec]:  # type: ignore[empty-body]
    """The commands the plugin adds to `dagfs`. Called once when a home is opened.

    A name that an earlier plugin took stays with that one, and the plugin is reported. A verb of dagfs
    itself, or a program `dagfs-NAME` on the PATH, goes before a plugin's command of that name.
    """


@hookspec
def pages() -> Sequence[PageSpec]:  # type: ignore[empty-body]
    """The pages the plugin adds to `dagfs serve`. Called once when a home is opened.

    A name that an earlier plugin took stays with that one, and the plugin is reported. The server never loads
    a plugin: what a page shows is made in a process of its own for each request.
    """


@hookspec
def secret_providers() -> Sequence[SecretProvider]:  # type: ignore[empty-body]
    """The places the plugin can look up secrets in. Called once when a home is opened.

    A spec chooses one with `provider:` in its `secrets:`. A name that an earlier plugin took stays with
    that one, and the plugin is reported. A provider that raises keeps the run from starting; what it
    raised is not printed, unless it is a SecretUnavailable.
    """


@hookspec
def settings_schema() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """The JSON schema (draft 2020-12) of what dagfs.yaml may say of the plugin below `plugins: NAME:`.

    Called only when it says something. A plugin without this hook has no settings.
    """


@hookspec
def configure(settings: Mapping[str, Any]) -> None:
    """What dagfs.yaml says below `plugins: NAME:`. Called once, after all other plugins are loaded.

    The settings fit the schema. Where nothing is said it is called with an empty map.
    """
