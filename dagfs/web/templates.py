"""Pages as text: Jinja with everything escaped, and the words that pages use for times and sizes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dagfs.engine.location import now
from dagfs.model.timespan import ago, duration, seconds
from dagfs.store.lines import timestamp
from dagfs.web.views.states import symbol

STATIC = Path(str(files("dagfs.web") / "static"))
_TEMPLATES = Path(str(files("dagfs.web") / "templates"))


class Templates:
    """All templates. Those of plugins have names with `//`, and can reach nothing but their values."""

    def __init__(self) -> None:
        self._folders: dict[str, BaseLoader] = {}
        self._env = _environment(Environment, FileSystemLoader(_TEMPLATES))
        both = ChoiceLoader([FileSystemLoader(_TEMPLATES), PrefixLoader(self._folders, "//")])
        self._strangers = _environment(ImmutableSandboxedEnvironment, both)

    def add(self, name: str, folder: Path) -> None:
        """Have the templates of a folder under `NAME//`."""
        self._folders[name] = FileSystemLoader(folder)

    def render(self, name: str, /, **values: Any) -> str:
        env = self._strangers if "//" in name else self._env
        return env.get_template(name).render(**values)


def _environment(kind: type[Environment], loader: BaseLoader) -> Environment:
    env = kind(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        ago=lambda text: ago(text, now()),
        clock=_clock,
        part=lambda text: _quoted(str(text), ""),
        path_part=lambda text: _quoted(str(text), "/"),
        seconds=seconds,
        size=size,
        took=lambda item: duration(*item),
        until=_until,
        words=lambda text: str(text).replace("_", " "),
        run_url=run_url,
        so_far=lambda text: duration(text, timestamp(now())),
        symbol=symbol,
    )
    env.globals["static"] = _Static()
    return env


class _Static:
    """Addresses of static files, each with a digest, so that a browser keeps it for ever."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self._known:
            digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
            self._known[name] = f"/static/{name}?v={digest}"
        return self._known[name]


def run_url(run: str, *rest: str) -> str:
    """The address of a run's page; `ROOT/CHILD` is `/runs/ROOT/children/CHILD`, as on disk."""
    root, _, child = run.partition("/")
    parts = ["runs", root, *(["children", child] if child else []), *rest]
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _clock(text: str | None) -> str:
    """A time of the store in UTC, to the second."""
    if not text:
        return ""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")


def _quoted(text: str, safe: str) -> str:
    """Text as a part of an address; names of files may hold bytes that are no text."""
    return quote(text, safe=safe, errors="surrogateescape")


def _until(moment: datetime) -> str:
    """How far away an instant is: `in 3 h 5 min`."""
    left = (moment - now()).total_seconds()
    return f"in {seconds(left if left < 10 else round(left))}" if left > 1 else "now"


def size(count: int) -> str:
    """`812 B`, `14 kB`, `2.5 MB`."""
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
