"""Loads plugins, each on its own, and says of each what it brought or what was wrong.

Sources, in order: the built-ins, entry points of group `dagfs`, and the home's `plugins/*.py`. All of
them are loaded alike; one that fails is left out, named, and harms nothing else. Strangers' code is tried
in a process of its own before it is loaded, and called in one.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from dagfs import __version__
from dagfs.errors import DagfsError
from dagfs.hooks import cage, dropins, installed, specs
from dagfs.hooks.cage import Escaped, described
from dagfs.hooks.caged import Caged, CagedFunction
from dagfs.hooks.command import CommandContext, CommandSpec
from dagfs.hooks.executor import Executor, Process
from dagfs.hooks.notifier import News
from dagfs.hooks.page import PageAnswer, PageRequest, PageSpec
from dagfs.hooks.plugin import API, HOOKS, KINDS, Kind, Plugin, PluginFailed, failed, shortened
from dagfs.hooks.secret import SecretProvider
from dagfs.model.edit import Edit, Finding
from dagfs.model.event import Event
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.run import RunHeader
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import replace

if TYPE_CHECKING:
    from dagfs.hooks.listener import Listener

__all__ = ["BUILT_IN", "HOOKS", "Plugin", "PluginFailed", "PluginManager"]

BUILT_IN = (
    "dagfs.executors.shell",
    "dagfs.executors.http",
    "dagfs.executors.mail",
    "dagfs.executors.jq",
    "dagfs.executors.archive",
    "dagfs.executors.python",
    "dagfs.executors.noop",
    "dagfs.notifiers.mail_on",
    "dagfs.executors.docker",
    "dagfs.executors.ssh",
    "dagfs.secrets.env",
    "dagfs.secrets.file",
    "dagfs.rules.fields",
    "dagfs.rules.structure",
    "dagfs.rules.stale",
    "dagfs.rules.outputs",
    "dagfs.rules.orphan",
    "dagfs.rules.selected",
    "dagfs.rules.effects",
    "dagfs.rules.code",
    "dagfs.rules.place",
)
_BUILT_IN_ORIGIN = "built-in"
_TRIAL_SEC = 30.0
"""How long a plugin may take to load where no other limit is set."""


class _Registry(pluggy.PluginManager):
    """Passes by what a module holds beside hooks, about which pluggy would ask at length."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        if isinstance(plugin, ModuleType) and not _may_be_hook(vars(plugin).get(name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _may_be_hook(thing: object) -> bool:
    # Asked of functions alone: they have no `__getattr__` of their own that could run.
    return hasattr(thing, "dagfs_impl") if isinstance(thing, FunctionType) else isinstance(thing, MethodType)


class PluginManager:
    """The plugins of one home, and the calls into them."""

    def __init__(
        self,
        *,
        limit_sec: float | None = None,
        allowed: Collection[str] | None = None,
        denied: Collection[str] = (),
    ) -> None:
        """`limit_sec` bounds each call into a plugin that is not built in; 0 is no bound.

        With None such plugins are called in this process, as tests of a plugin want it. `allowed` names the
        ones to load (None: all), `denied` those not to load.
        """
        self.bound(limit_sec=limit_sec, allowed=allowed, denied=denied)
        self._pluggy = _Registry("dagfs")
        self._pluggy.add_hookspecs(specs)
        self._plugins: list[Plugin] = []
        self._brought: dict[str, dict[str, Any]] = {hook: {} for hook in KINDS}
        self._strangers: set[str] = set()
        self._classes: dict[tuple[str, str], FieldClass] = {}
        self._listeners: dict[str, Listener] = {}

    def bound(
        self, *, limit_sec: float | None, allowed: Collection[str] | None, denied: Collection[str]
    ) -> None:
        """Set what holds for plugins that are loaded from now on, as the constructor does."""
        self._limit, self._allowed, self._denied = limit_sec, allowed, denied

    @property
    def plugins(self) -> Sequence[Plugin]:
        """Every plugin found, in the order of loading, broken ones included."""
        return tuple(self._plugins)

    @property
    def executors(self) -> dict[str, Executor]:
        """Executors by the name a spec uses."""
        return dict(self._brought["executors"])

    @property
    def has_strange_executors(self) -> bool:
        """There are executors that are not built in."""
        return any(isinstance(each, Caged) for each in self._brought["executors"].values())

    @property
    def rules(self) -> dict[str, Rule]:
        """Compatibility rules by id."""
        return dict(self._brought["rules"])

    @property
    def commands(self) -> dict[str, CommandSpec]:
        """The commands that plugins add to `dagfs`, by name."""
        return dict(self._brought["commands"])

    @property
    def pages(self) -> dict[str, PageSpec]:
        """The pages that plugins add to the web page, by name."""
        return dict(self._brought["pages"])

    @property
    def secret_providers(self) -> dict[str, SecretProvider]:
        """The providers of secrets by the name a spec uses."""
        return dict(self._brought["secret_providers"])

    @property
    def versions(self) -> dict[str, str]:
        """The loaded plugins' versions by name, as recorded with every attempt."""
        return {plugin.name: plugin.version for plugin in self._plugins if plugin.is_loaded}

    # -- loading ---------------------------------------------------------------------------------

    def load_built_ins(self, names: Iterable[str] = BUILT_IN) -> None:
        for name in names:
            self._load(name.rpartition(".")[2], _BUILT_IN_ORIGIN, partial(_built_in, name))

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
            self._plugins.append(Plugin(folder.name, str(folder), error=described(error)))
            return
        for name, path in found:
            self._load(name, str(path), partial(dropins.load, path, name))

    def _load(self, name: str, origin: str, load: Callable[[], tuple[Any, str]]) -> None:
        began = time.perf_counter()
        plugin = Plugin(name, origin, skipped=self._skips(name, origin))
        try:
            if not plugin.skipped:
                plugin = self._loaded(plugin, load)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a plugin never ends the program
            place = dropins.where(error, origin)
            what = str(error) if isinstance(error, Escaped) else described(error)
            plugin = replace(plugin, error=what + (f" (at {place})" if place else ""))
        self._plugins.append(replace(plugin, load_ms=(time.perf_counter() - began) * 1000))

    def _skips(self, name: str, origin: str) -> str:
        """Which setting leaves a plugin out, if any does."""
        if origin == _BUILT_IN_ORIGIN:
            return ""
        if name in self._denied:
            return "named in deny_plugins"
        return "" if self._allowed is None or name in self._allowed else "not named in load_plugins"

    def _loaded(self, plugin: Plugin, load: Callable[[], tuple[Any, str]]) -> Plugin:
        if any(plugin.name == other.name for other in self._plugins if other.is_loaded):
            raise ValueError(f"another plugin named {plugin.name!r} is loaded already")
        if plugin.origin == _BUILT_IN_ORIGIN or self._limit is None:
            thing, version = load()
            return self._register(replace(plugin, version=version), thing)
        # What hangs or ends its process does it there; what raises raises here, with its place.
        cage.call(self._try_out, plugin, load, limit_sec=self._limit or _TRIAL_SEC)
        self._strangers.add(plugin.name)
        with cage.unchanged():
            thing, version = load()
            return self._register(replace(plugin, version=version), thing)

    def _try_out(self, plugin: Plugin, load: Callable[[], tuple[Any, str]]) -> None:
        """Load it in the child; an exception is no news here, it comes again with its place."""
        try:
            self._register(plugin, load()[0])
        except BaseException:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of the plugin's own as well
            return

    def _register(self, plugin: Plugin, thing: Any) -> Plugin:
        wanted = getattr(thing, "DAGFS_API", API)
        if str(wanted) != API:
            raise ValueError(f"it is written for version {wanted} of the plugin API; this dagfs has {API}")
        try:
            self._pluggy.register(thing, plugin.name)
            implementations = self._implementations(thing)
            brings = {hook: _listed(implementations, hook, kind) for hook, kind in KINDS.items()}
            for hook, kind in KINDS.items():
                _reject_names(kind, brings[hook], self._brought[hook])
            for each in brings["commands"]:
                each.arguments(argparse.ArgumentParser())
        except BaseException:
            if self._pluggy.get_plugin(plugin.name) is not None:
                self._pluggy.unregister(name=plugin.name)
            raise
        names = {hook: tuple(getattr(each, KINDS[hook].key) for each in brings[hook]) for hook in KINDS}
        for hook, things in brings.items():
            self._brought[hook].update(
                zip(names[hook], self._guarded(plugin.name, hook, things), strict=True)
            )
        self._classes.clear()
        return replace(
            plugin,
            hooks=tuple(hook for hook in HOOKS if hook in implementations),
            executors=names["executors"],
            rules=names["rules"],
            commands=names["commands"],
            pages=names["pages"],
            secret_providers=names["secret_providers"],
        )

    def _guarded(self, plugin: str, hook: str, things: Sequence[Any]) -> Sequence[Any]:
        """What a stranger brings, so that it is called in a process of its own."""
        if hook not in ("executors", "secret_providers") or plugin not in self._strangers:
            return things
        return [Caged(plugin, each, self._limit or 0) for each in things]

    def _implementations(self, thing: Any) -> dict[str, pluggy.HookImpl]:
        """The plugin's own implementations by hook; ValueError for one that no hook has use for."""
        found = {}
        for caller in self._pluggy.get_hookcallers(thing) or ():
            if not caller.has_spec():
                near = get_close_matches(caller.name, HOOKS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(HOOKS)}"
                raise ValueError(f"no hook is named {caller.name!r}; {hint}")
            for each in caller.get_hookimpls():
                if each.plugin is thing:
                    if each.wrapper or each.hookwrapper:
                        raise ValueError(f"{caller.name} cannot be wrapped")
                    found[caller.name] = each
        return found

    # -- settings --------------------------------------------------------------------------------

    def schema(self, plugin: str) -> Mapping[str, Any] | None:
        """The JSON schema of a loaded plugin's settings; None where it has none. Raises PluginFailed."""
        for name, answer in self._answers("settings_schema", only=plugin):
            if not isinstance(answer, Mapping):
                raise failed(name, "settings_schema", f"{shortened(answer)} is no JSON schema")
            return answer
        return None

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Hand every plugin its settings; one that raises is named, and left out of nothing else."""
        for implementation in self._pluggy.hook.configure.get_hookimpls():
            name = implementation.plugin_name
            given = settings.get(name, {})
            try:
                if name in self._strangers:
                    cage.call(CagedFunction(implementation, {"settings": given}), limit_sec=self._limit or 0)
                with cage.unchanged():
                    _call(implementation, settings=given)
            except (Exception, SystemExit) as error:
                what = str(error) if isinstance(error, Escaped) else described(error)
                raise failed(name, "configure", what) from error

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
                raise failed(plugin, "classify_field", f"{answer!r} is no FieldClass")
        return FieldClass.SEMANTIC

    def check_edit(self, edit: Edit) -> list[Finding]:
        """What every rule finds about an edit. Raises PluginFailed."""
        found: list[Finding] = []
        for plugin, answer in self._answers("check_edit", edit=edit):
            if answer is None:
                continue
            if not isinstance(answer, list | tuple) or not all(isinstance(each, Finding) for each in answer):
                raise failed(plugin, "check_edit", f"{shortened(answer)} is no list of Findings")
            found += answer
        return found

    def notify(self, news: News) -> tuple[list[tuple[str, Process]], list[str]]:
        """What plugins want run for some news, each with its plugin's name; and what went wrong, in lines."""
        found, complaints = [], []
        for implementation in self._pluggy.hook.notify.get_hookimpls():
            name = implementation.plugin_name
            try:
                for process in self._asked(implementation, {"news": news}) or ():
                    if not isinstance(process, Process):
                        raise TypeError(f"{shortened(process)} is no Process")
                    found.append((name, process))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - reported, never passed on
                what = str(error) if isinstance(error, Escaped) else described(error)
                complaints.append(f"plugin {name}: notify: {what}")
        return found, complaints

    def observe(self, run: RunHeader, event: Event) -> list[str]:
        """Tell every observer; the answers are complaints, some of them about earlier events."""
        complaints = []
        for implementation in self._pluggy.hook.on_event.get_hookimpls():
            name = implementation.plugin_name
            if name in self._strangers:
                listener = self._listener(implementation)
                listener.tell(run, event)
                complaints += listener.complaints()
                continue
            try:
                _call(implementation, run=run, event=event)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - reported, never passed on
                complaints.append(f"plugin {name}: on_event: {described(error)}")
        return complaints

    def _listener(self, implementation: pluggy.HookImpl) -> Listener:
        name = implementation.plugin_name
        if name not in self._listeners:

            def on_event(run: RunHeader, event: Event) -> None:
                _call(implementation, run=run, event=event)

            # Its sockets are loaded where a stranger observes, and nowhere else.
            listener = importlib.import_module("dagfs.hooks.listener")
            self._listeners[name] = listener.Listener(name, on_event, self._limit or 0)
        return self._listeners[name]

    def finish_observing(self) -> list[str]:
        """Wait until observers have been told everything, each for as long as it may take; complaints."""
        complaints = []
        for listener in self._listeners.values():
            listener.finish()
            complaints += listener.complaints()
        self._listeners.clear()
        return complaints

    @property
    def has_observers(self) -> bool:
        return bool(self._pluggy.hook.on_event.get_hookimpls())

    def add_arguments(self, command: str, parser: argparse.ArgumentParser) -> None:
        """Add a command's options to a parser. Raises PluginFailed."""
        try:
            self.commands[command].arguments(parser)
        except (Exception, SystemExit) as error:
            raise self._command_failed(command, error) from error

    def run_command(self, command: str, context: CommandContext) -> int:
        """Call a command; its exit code, 0 where it gives none. Raises PluginFailed."""
        try:
            code = self.commands[command].run(context)
        except (DagfsError, BrokenPipeError):
            raise
        except Exception as error:
            raise self._command_failed(command, error) from error
        return code if isinstance(code, int) else 0

    def show_page(self, name: str, request: PageRequest) -> PageAnswer:
        """What a page shows. KeyError where there is none, PluginFailed."""
        show = self.pages[name].show
        plugin = next(each for each in self._plugins if name in each.pages)
        try:
            if plugin.name in self._strangers:
                answer: Any = cage.call(show, request, limit_sec=self._limit or 0)
            else:
                answer = show(request)
        except (Exception, SystemExit) as error:
            place = dropins.where(error, plugin.origin)
            what = str(error) if isinstance(error, Escaped) else described(error)
            raise failed(plugin.name, f"page {name}", what + (f" (at {place})" if place else "")) from error
        if not isinstance(answer, PageAnswer):
            raise failed(plugin.name, f"page {name}", f"{shortened(answer)} is no PageAnswer")
        return answer

    def _command_failed(self, command: str, error: BaseException) -> PluginFailed:
        plugin = next(each for each in self._plugins if command in each.commands)
        place = dropins.where(error, plugin.origin)
        what = described(error) + (f" (at {place})" if place else "")
        return failed(plugin.name, f"command {command}", what)

    def _answers(self, hook: str, only: str = "", **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Each plugin's name and answer, those loaded last asked first; `only` names the one to ask."""
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            if only and implementation.plugin_name != only:
                continue
            try:
                answer = self._asked(implementation, arguments)
            except DagfsError:
                raise
            except Escaped as error:
                raise failed(implementation.plugin_name, hook, str(error)) from error
            except (Exception, SystemExit) as error:
                raise failed(implementation.plugin_name, hook, described(error)) from error
            yield implementation.plugin_name, answer

    def _asked(self, implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
        """One plugin's answer; a stranger gives it in a process of its own."""
        if implementation.plugin_name not in self._strangers:
            return _call(implementation, **arguments)
        return CagedFunction(implementation, arguments).call(self._limit or 0)


def _reject_names(kind: Kind, things: Sequence[Any], taken: Container[str]) -> None:
    names = [getattr(each, kind.key) for each in things]
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of the {kind.noun} {name!r} must be a text")
        if name in taken:
            raise ValueError(f"the {kind.noun} {name!r} belongs to another plugin already")
        if name in names[:place]:
            raise ValueError(f"the {kind.noun} {name!r} is there twice")


def _built_in(name: str) -> tuple[Any, str]:
    return importlib.import_module(name), __version__


def _entry_point(point: Any, version: str) -> tuple[Any, str]:
    thing = point.load()
    if thing is None:
        raise TypeError(f"{point.value} is None")
    return thing, version


def _listed(implementations: dict[str, pluggy.HookImpl], hook: str, kind: Kind) -> list[Any]:
    """What one of the plugin's hooks brings; TypeError for anything that is none of its kind."""
    found = list(_call(implementations[hook])) if hook in implementations else []
    for each in found:
        if isinstance(each, type) or not isinstance(each, kind.type):
            raise TypeError(f"{hook} gives {shortened(each)}, which is not {kind.needs}")
    return found


def _call(implementation: pluggy.HookImpl, **arguments: Any) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))
