"""Loads plugins, each on its own, and says of each what it brought or what was wrong.

Sources, in order: the built-ins, entry points of group `dagfs`, and the home's `plugins/*.py`. All of
them are loaded alike; one that fails is left out, named, and harms nothing else.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pluggy

from dagfs import __version__
from dagfs.errors import DagfsError
from dagfs.hooks import dropins, installed, specs
from dagfs.hooks.command import CommandContext, CommandSpec
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
HOOKS = ("executors", "rules", "classify_field", "check_edit", "on_event", "commands")


@dataclass(frozen=True, slots=True)
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
    load_ms: float = 0.0
    error: str = ""
    """Why it was left out, in one line."""


class PluginFailed(DagfsError):
    """A plugin raised, or answered with something else, where its answer was needed."""


class PluginManager:
    """The plugins of one home, and the calls into them."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager("dagfs")
        self._pluggy.add_hookspecs(specs)
        self._plugins: list[Plugin] = []
        self._executors: dict[str, Executor] = {}
        self._rules: dict[str, Rule] = {}
        self._commands: dict[str, CommandSpec] = {}
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
    def commands(self) -> dict[str, CommandSpec]:
        """The commands that plugins add to `dagfs`, by name."""
        return dict(self._commands)

    @property
    def versions(self) -> dict[str, str]:
        """The loaded plugins' versions by name, as recorded with every attempt."""
        return {plugin.name: plugin.version for plugin in self._plugins if not plugin.error}

    # -- loading ---------------------------------------------------------------------------------

    def load_built_ins(self, names: Iterable[str] = BUILT_IN) -> None:
        for name in names:
            self._load(name.rpartition(".")[2], "built-in", partial(_built_in, name))

    def load_entry_points(self, folders: Iterable[str]) -> None:
        """Load what distributions in these folders, those of `sys.path`, announce in group `dagfs`."""
        for point, distribution, version in installed.find(folders):
            origin = f"entry point {distribution} {version}".rstrip()
            self._load(point.name, origin, partial(_entry_point, point, version))

    def load_drop_ins(self, folder: Path) -> None:
        """Load `folder/*.py` and `folder/*/__init__.py`, in name order; `_x` and `.x` are ignored."""
        try:
            found = list(dropins.find(folder))
        except OSError as error:
            self._plugins.append(Plugin(folder.name, str(folder), error=_one_line(error)))
            return
        for name, path in found:
            self._load(name, str(path), partial(dropins.load, path, name))

    def _load(self, name: str, origin: str, load: Callable[[], tuple[Any, str]]) -> None:
        began = time.perf_counter()
        plugin = Plugin(name, origin)
        try:
            if any(name == other.name for other in self._plugins if not other.error):
                raise ValueError(f"another plugin named {name!r} is loaded already")
            thing, version = load()
            plugin = self._register(replace(plugin, version=version), thing)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a plugin never ends the program
            place = dropins.where(error, origin)
            plugin = replace(plugin, error=_one_line(error) + (f" (at {place})" if place else ""))
        self._plugins.append(replace(plugin, load_ms=(time.perf_counter() - began) * 1000))

    def _register(self, plugin: Plugin, thing: Any) -> Plugin:
        try:
            self._pluggy.register(thing, plugin.name)
            implementations = self._implementations(thing)
            executors = _listed(implementations, "executors", Executor)
            rules = _listed(implementations, "rules", Rule)
            commands = _listed(implementations, "commands", CommandSpec)
            self._reject_taken(executors, rules, commands)
            for each in commands:
                each.arguments(argparse.ArgumentParser())
        except BaseException:
            if self._pluggy.get_plugin(plugin.name) is not None:
                self._pluggy.unregister(name=plugin.name)
            raise
        self._executors.update({each.name: each for each in executors})
        self._rules.update({each.id: each for each in rules})
        self._commands.update({each.name: each for each in commands})
        self._classes.clear()
        return replace(
            plugin,
            hooks=tuple(hook for hook in HOOKS if hook in implementations),
            executors=tuple(each.name for each in executors),
            rules=tuple(each.id for each in rules),
            commands=tuple(each.name for each in commands),
        )

    def _implementations(self, thing: Any) -> dict[str, pluggy.HookImpl]:
        """The plugin's own implementations by hook; ValueError for one that no hook has use for."""
        found = {}
        for caller in self._pluggy.get_hookcallers(thing) or ():
            if not caller.has_spec():
                near = difflib.get_close_matches(caller.name, HOOKS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(HOOKS)}"
                raise ValueError(f"no hook is named {caller.name!r}; {hint}")
            for each in caller.get_hookimpls():
                if each.plugin is thing:
                    if each.wrapper or each.hookwrapper:
                        raise ValueError(f"{caller.name} cannot be wrapped")
                    found[caller.name] = each
        return found

    def _reject_taken(
        self, executors: Sequence[Executor], rules: Sequence[Rule], commands: Sequence[CommandSpec]
    ) -> None:
        _reject_names("executor", [each.name for each in executors], self._executors)
        _reject_names("rule", [each.id for each in rules], self._rules)
        _reject_names("command", [each.name for each in commands], self._commands)

    # -- calling ---------------------------------------------------------------------------------

    def classify(self, owner: str, path: str) -> FieldClass:
        """The class of a field; one that no plugin knows is semantic, the careful answer.

        Raises PluginFailed.
        """
        key = (owner, path)
        if key not in self._classes:
            self._classes[key] = self._ask_class(owner, path)
        return self._classes[key]

    def _ask_class(self, owner: str, path: str) -> FieldClass:
        for plugin, answer in self._answers("classify_field", owner=owner, path=path):
            if isinstance(answer, FieldClass):
                return answer
            if answer is not None:
                raise _failed(plugin, "classify_field", f"{answer!r} is no FieldClass")
        return FieldClass.SEMANTIC

    def check_edit(self, edit: Edit) -> list[Finding]:
        """What every rule finds about an edit. Raises PluginFailed."""
        found: list[Finding] = []
        for plugin, answer in self._answers("check_edit", edit=edit):
            if answer is None:
                continue
            if not isinstance(answer, list | tuple) or not all(isinstance(each, Finding) for each in answer):
                raise _failed(plugin, "check_edit", f"{_shortened(answer)} is no list of Findings")
            found += answer
        return found

    def observe(self, run: RunHeader, event: Event) -> list[str]:
        """Tell every observer; the answers are the complaints of those that raised."""
        complaints = []
        for implementation in self._pluggy.hook.on_event.get_hookimpls():
            try:
                _call(implementation, run=run, event=event)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - reported, never passed on
                complaints.append(f"plugin {implementation.plugin_name}: on_event: {_one_line(error)}")
        return complaints

    @property
    def has_observers(self) -> bool:
        return bool(self._pluggy.hook.on_event.get_hookimpls())

    def add_arguments(self, command: str, parser: argparse.ArgumentParser) -> None:
        """Add a command's options to a parser. Raises PluginFailed."""
        try:
            self._commands[command].arguments(parser)
        except (Exception, SystemExit) as error:
            raise self._command_failed(command, error) from error

    def run_command(self, command: str, context: CommandContext) -> int:
        """Call a command; its exit code, 0 where it gives none. Raises PluginFailed."""
        try:
            code = self._commands[command].run(context)
        except (DagfsError, BrokenPipeError):
            raise
        except Exception as error:
            raise self._command_failed(command, error) from error
        return code if isinstance(code, int) else 0

    def _command_failed(self, command: str, error: BaseException) -> PluginFailed:
        plugin = next(each for each in self._plugins if command in each.commands)
        place = dropins.where(error, plugin.origin)
        what = _one_line(error) + (f" (at {place})" if place else "")
        return _failed(plugin.name, f"command {command}", what)

    def _answers(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Each plugin's name and answer, those loaded last asked first."""
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            try:
                answer = _call(implementation, **arguments)
            except DagfsError:
                raise
            except (Exception, SystemExit) as error:
                raise _failed(implementation.plugin_name, hook, _one_line(error)) from error
            yield implementation.plugin_name, answer


def _reject_names(what: str, names: Sequence[Any], taken: Container[str]) -> None:
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of the {what} {name!r} must be a text")
        if name in taken:
            raise ValueError(f"the {what} {name!r} belongs to another plugin already")
        if name in names[:place]:
            raise ValueError(f"the {what} {name!r} is there twice")


def _built_in(name: str) -> tuple[Any, str]:
    return importlib.import_module(name), __version__


def _entry_point(point: Any, version: str) -> tuple[Any, str]:
    thing = point.load()
    if thing is None:
        raise TypeError(f"{point.value} is None")
    return thing, version


def _listed(implementations: dict[str, pluggy.HookImpl], hook: str, kind: type[Any]) -> list[Any]:
    """What the plugin's `executors`, `rules` or `commands` gives; TypeError for anything that is none."""
    found = list(_call(implementations[hook])) if hook in implementations else []
    for each in found:
        if isinstance(each, type) or not isinstance(each, kind):
            needs = "an object with name, check and prepare" if kind is Executor else f"a {kind.__name__}"
            raise TypeError(f"{hook} gives {_shortened(each)}, which is not {needs}")
    return found


def _call(implementation: pluggy.HookImpl, **arguments: Any) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def _failed(plugin: str, hook: str, what: str) -> PluginFailed:
    return PluginFailed(
        f"plugin {plugin} failed in {hook}: {what}",
        hint="see `dagfs plugins`; --no-plugins leaves out all that are not built in",
    )


def _shortened(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 80 else text[:79] + "…"


def _one_line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - whatever a plugin's own exception does when it is printed
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
