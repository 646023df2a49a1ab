"""The page contract: how a plugin adds a page to the web page of `dagfs serve`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from dagfs.model.value import field, frozen

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATE = re.compile(r"([A-Za-z0-9_-]+/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@frozen
class PageRequest:
    """What somebody asks of a page."""

    root: str
    """The home's folder, as an absolute path."""
    path: str = ""
    """What stands behind the page's own address; empty for the page itself."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What stands behind the `?`; the last value of each name."""
    role: str = "view"
    """What the visitor may do: `view`, `run` or `edit`."""


@frozen
class PageAnswer:
    """What is to be shown: a template with its values, or else plain text, or else data as JSON."""

    template: str = ""
    """A file below the page's `templates`."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What the template knows as `data`; only what JSON can hold."""
    text: str | None = None
    json: Any = None
    """Only what JSON can hold."""
    status: int = 200

    def __post_init__(self) -> None:
        if self.template and not _TEMPLATE.fullmatch(self.template):
            raise ValueError(f"{self.template!r} is no name of a template")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is no status of an answer")


@frozen
class PageSpec:
    """One page: `/plugins/PLUGIN/NAME`, and everything below it. It only shows; nothing is sent to it."""

    name: str
    title: str
    """Stands in the menu."""
    show: Callable[[PageRequest], PageAnswer]
    """Makes it. Called in a process of its own, for as long as `plugin_limit_sec` says."""
    templates: str = ""
    """The folder of its templates, as an absolute path."""
    static: str = ""
    """The folder of its style sheets, scripts and pictures, as an absolute path: whoever may see the page
    has them at `/plugins/PLUGIN/NAME/static/FILE`."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a page: use a-z, 0-9 and single `-` inside")
        for folder in filter(None, (self.templates, self.static)):
            if not folder.startswith("/"):
                raise ValueError(f"{folder!r} is no absolute path: begin with `Path(__file__).parent`")
