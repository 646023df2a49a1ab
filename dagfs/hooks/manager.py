"""Finds plugins, loads each on its own, and says of each what it brought or what was wrong.

Sources, in order: the built-ins, entry points of group `dagfs`, and the home's `plugins/*.py`. All of
them are loaded alike; one that fails is left out, named, and harms nothing else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from dagfs import __version__
from dagfs.errors import DagfsError
from dagfs.hooks import specs
from dagfs.hooks.executor import Executor
from dagfs.model.edit import Edit, Finding
from dagfs.model.event import Event
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.run import RunHeader

BUILT_IN = (
    "dagfs.executors.shell",
    "dagfs.rules.fields",
    "dagfs.rules.structure",
    "dagfs.rules.stale",
    "dagfs.rules.outputs",
    "dagfs.rules.orphan",
)
HOOKS = ("executors", "rules", "classify_field", "check_edit", "on_event")
_DROP_IN_PACKAGE = "dagfs_dropin"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin, loaded or not."""

    name: str
    origin: str
    """`built-in`, `entry point DIST`, or the path of a drop-in."""
    version: str = ""
    hooks: tuple[str, ...] = ()
    executors: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    load_ms: float = 0.0
    error: str = ""


class PluginFailed(DagfsError):
    """A plugin raised where its answer was needed."""


class PluginManager:
    """The plugins of one home, and the calls into them."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager("dagfs")
        self._pluggy.add_hookspecs(specs)
        self._plugins: list[Plugin] = []
        self._executors: dict[str, Executor] = {}
        self._rules: dict[str, Rule] = {}
        self._classes: dict[tuple[str, str], FieldClass] = {}

    @property
    def plugins(self) -> Sequence[Plugin]:
        """Every plugin found, in the order of loading, broken ones included."""
        return tuple(self._plugins)

    @property
    def executors(self) -> dict[str, Executor]:
        """Executors by the name a spec uses."""
        return dict(self._executors)

    @property
    def rules(self) -> dict[str, Rule]:
        """Compatibility rules by id."""
        return dict(self._rules)

    @property
    def versions(self) -> dict[str, str]:
        """The loaded plugins' versions by name, as recorded with every attempt."""
        return {plugin.name: plugin.version for plugin in self._plugins if not plugin.error}

    def load_built_ins(self, names: Iterable[str] = BUILT_IN) -> None:
        for name in names:
            self._load(name.rpartition(".")[2], "built-in", partial(importlib.import_module, name))

    def load_entry_points(self, folders: Iterable[str]) -> None:
        """Load what installed distributions announce in group `dagfs`; `folders` is `sys.path`."""
        if not any(_announces(folder) for folder in folders):
            return
        metadata = importlib.import_module("importlib.metadata")
        for point in metadata.entry_points(group="dagfs"):
            origin = f"entry point {point.dist.name} {point.dist.version}" if point.dist else "entry point"
            self._load(point.name, origin, point.load, point.dist.version if point.dist else "")

    def load_drop_ins(self, folder: Path) -> None:
        """Load `folder/*.py` and `folder/*/__init__.py`, in name order; `_x` and `.x` are ignored."""
        for path in _drop_ins(folder):
            name = path.parent.name if path.name == "__init__.py" else path.stem
            self._load(name, str(path), partial(_import_file, path, name))

    def _load(self, name: str, origin: str, load: Callable[[], Any], version: str = "") -> None:
        began = time.perf_counter()
        plugin = Plugin(name, origin)
        try:
            if any(name == other.name for other in self._plugins if not other.error):
                raise ValueError(f"another plugin named {name!r} is loaded already")
            module = load()
            plugin = self._register(replace(plugin, version=version or _version(module, origin)), module)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            plugin = replace(plugin, error=_one_line(error))
        self._plugins.append(replace(plugin, load_ms=(time.perf_counter() - began) * 1000))

    def _register(self, plugin: Plugin, module: Any) -> Plugin:
        self._pluggy.register(module, plugin.name)
        try:
            self._reject_unknown_hooks(plugin.name)
            brought = list(getattr(module, "executors", list)()) if _implements(module, "executors") else []
            named = list(getattr(module, "rules", list)()) if _implements(module, "rules") else []
            self._reject_taken(brought, named)
        except BaseException:
            self._pluggy.unregister(name=plugin.name)
            raise
        self._executors.update({each.name: each for each in brought})
        self._rules.update({each.id: each for each in named})
        return replace(
            plugin,
            hooks=tuple(hook for hook in HOOKS if _implements(module, hook)),
            executors=tuple(each.name for each in brought),
            rules=tuple(each.id for each in named),
        )

    def _reject_unknown_hooks(self, name: str) -> None:
        plugin = self._pluggy.get_plugin(name)
        for caller in self._pluggy.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                raise ValueError(f"no hook is named {caller.name!r}; there are {', '.join(HOOKS)}")

    def _reject_taken(self, brought: Iterable[Executor], named: Iterable[Rule]) -> None:
        for executor in brought:
            if not isinstance(executor, Executor):
                raise TypeError(f"{executor!r} is no executor: it needs name, check and prepare")
            if executor.name in self._executors:
                raise ValueError(f"the executor {executor.name!r} belongs to another plugin already")
        for rule in named:
            if rule.id in self._rules:
                raise ValueError(f"the rule {rule.id!r} belongs to another plugin already")

    def classify(self, owner: str, path: str) -> FieldClass:
        """The class of a field; one that no plugin knows is semantic, the careful answer."""
        key = (owner, path)
        if key not in self._classes:
            found = self._call("classify_field", owner=owner, path=path)
            self._classes[key] = found if isinstance(found, FieldClass) else FieldClass.SEMANTIC
        return self._classes[key]

    def check_edit(self, edit: Edit) -> list[Finding]:
        """What every rule finds about an edit."""
        return [finding for found in self._call("check_edit", edit=edit) for finding in found or ()]

    def observe(self, run: RunHeader, event: Event) -> list[str]:
        """Tell every observer; the answers are the complaints of those that raised."""
        complaints = []
        for implementation in self._pluggy.hook.on_event.get_hookimpls():
            try:
                arguments = {"run": run, "event": event}
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:  # noqa: BLE001 - an observer's failure is reported, never passed on
                complaints.append(f"plugin {implementation.plugin_name}: on_event: {_one_line(error)}")
        return complaints

    @property
    def has_observers(self) -> bool:
        return bool(self._pluggy.hook.on_event.get_hookimpls())

    def _call(self, hook: str, **arguments: Any) -> Any:
        try:
            return getattr(self._pluggy.hook, hook)(**arguments)
        except DagfsError:
            raise
        except Exception as error:
            names = ", ".join(each.plugin_name for each in getattr(self._pluggy.hook, hook).get_hookimpls())
            raise PluginFailed(
                f"a plugin failed in {hook}: {_one_line(error)}",
                hint=f"one of {names}; see `dagfs plugins`, or leave drop-ins out with --no-plugins",
            ) from error


def _implements(module: Any, hook: str) -> bool:
    return hasattr(getattr(module, hook, None), "dagfs_impl")


def _version(module: Any, origin: str) -> str:
    if origin == "built-in":
        return __version__
    stated = getattr(module, "__version__", "")
    file = getattr(module, "__file__", None)
    if stated or not file:
        return str(stated)
    return "sha256:" + hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _announces(folder: str) -> bool:
    """Some distribution below `folder` has entry points of our group.

    Reading the few small files is ten times faster than importing importlib.metadata to learn that
    there are none.
    """
    try:
        names = [entry for entry in os.listdir(folder or ".") if entry.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for name in names:
        try:
            text = Path(folder, name, "entry_points.txt").read_bytes()
        except OSError:
            continue
        if b"[dagfs]" in text:
            return True
    return False


def _drop_ins(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" and path.is_file():
            yield path
        elif (path / "__init__.py").is_file():
            yield path / "__init__.py"


def _import_file(path: Path, name: str) -> ModuleType:
    for place in (path, path.parent):
        _refuse_writable(place)
    full_name = f"{_DROP_IN_PACKAGE}.{name}"
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full_name]
        raise
    return module


def _refuse_writable(path: Path) -> None:
    found = path.stat()
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} can be written by others; chmod go-w it")
    if found.st_uid not in (0, os.getuid()):
        raise PermissionError(f"{path} belongs to another user")
