"""Plugins are loaded each on its own: what one does wrong is told, and harms no other."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from dagfs import __version__
from dagfs.errors import UsageError
from dagfs.hooks import hookimpl, specs
from dagfs.hooks.manager import BUILT_IN, HOOKS, Plugin, PluginFailed, PluginManager
from dagfs.model.edit import Finding, Severity
from dagfs.model.event import Event
from dagfs.model.fingerprint import FieldClass
from dagfs.model.rule import Rule
from dagfs.model.run import RunHeader
from dagfs.planning.plan import Verdict
from dagfs.planning.retry import plan_retry
from tests.planning.scenes import Scene, request

GOOD = """
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process
from dagfs.model.rule import Rule

class Remote:
    name = "remote"
    def check(self, step): return []
    def prepare(self, request): return Process(["true"], {}, "/")

@hookimpl
def executors(): return [Remote()]

@hookimpl
def rules(): return [Rule("good.rule", "Says nothing.")]
"""
BUILT_INS = PluginManager()
BUILT_INS.load_built_ins()
BUILT_IN_EXECUTORS = tuple(BUILT_INS.executors)
SPEC = "steps:\n  - name: a\n    command: ./a\n"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "plugins"
    made.mkdir(mode=0o700)
    yield made
    for name in [name for name in sys.modules if name.startswith("dagfs_dropin")]:
        del sys.modules[name]


def drop(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(dedent(text))
    path.chmod(mode)
    return path


def loaded(folder: Path) -> PluginManager:
    manager = PluginManager()
    manager.load_built_ins()
    manager.load_drop_ins(folder)
    return manager


def brought(manager: PluginManager) -> dict[str, Plugin]:
    """The plugins that are not built in, by name."""
    return {plugin.name: plugin for plugin in manager.plugins if plugin.origin != "built-in"}


def names(manager: PluginManager) -> list[str]:
    return [plugin.name for plugin in manager.plugins if plugin.origin != "built-in"]


# -- built-ins -------------------------------------------------------------------------------------


def test_the_built_ins_load_like_any_plugin() -> None:
    manager = PluginManager()
    manager.load_built_ins()
    assert [plugin.error for plugin in manager.plugins] == [""] * len(BUILT_IN)
    assert manager.versions == dict.fromkeys((name.rpartition(".")[2] for name in BUILT_IN), __version__)
    assert list(manager.executors)[:2] == ["shell", "command"]
    assert {"http", "mail", "jq", "archive", "python", "noop"} <= manager.executors.keys()
    assert "structure.rename" in manager.rules
    assert not manager.has_observers


def test_without_a_folder_there_are_no_drop_ins(tmp_path: Path) -> None:
    assert names(loaded(tmp_path / "nowhere")) == []
    (tmp_path / "a file").touch()
    assert names(loaded(tmp_path / "a file")) == []


# -- drop-ins that load ----------------------------------------------------------------------------


def test_a_drop_in_brings_executors_rules_and_hooks(folder: Path) -> None:
    path = drop(folder, "good.py", GOOD)
    plugin = brought(manager := loaded(folder))["good"]
    digest = hashlib.sha256(b"good.py\0%d\0" % len(path.read_bytes()) + path.read_bytes()).hexdigest()[:12]
    assert plugin.error == ""
    assert plugin.origin == str(path)
    assert plugin.version == manager.versions["good"] == f"sha256:{digest}"
    assert (plugin.hooks, plugin.executors, plugin.rules) == (
        ("executors", "rules"),
        ("remote",),
        ("good.rule",),
    )
    assert manager.executors["remote"].name == "remote"
    assert manager.rules["good.rule"] == Rule("good.rule", "Says nothing.")


def test_the_version_of_a_drop_in_holds_a_digest_of_all_its_text(folder: Path) -> None:
    def version() -> str:
        for name in [name for name in sys.modules if name.startswith("dagfs_dropin")]:
            del sys.modules[name]
        return loaded(folder).versions["pack"]

    drop(folder, "pack/__init__.py", "from . import part\n__version__ = '1.2'")
    drop(folder, "pack/part.py", "A = 1")
    first = version()
    assert re.fullmatch(r"1\.2\+sha256:[0-9a-f]{12}", first)
    assert version() == first
    drop(folder, "pack/part.py", "A = 22")
    assert version() != first


def test_drop_ins_load_in_the_order_of_their_names_without_the_hidden_ones(folder: Path) -> None:
    for name in ("b.py", "a.py", "_ignored.py", ".hidden.py", "notes.txt", "a-b c.py"):
        drop(folder, name, "X = 1" if name.endswith(".py") and name[0] not in "_." else "raise SystemExit")
    drop(folder, "pack/__init__.py", "from .part import X")
    drop(folder, "pack/part.py", "X = 1")
    drop(folder, "_off/__init__.py", "raise SystemExit")
    (folder / "empty").mkdir()
    manager = loaded(folder)
    assert names(manager) == ["a-b c", "a", "b", "pack"]
    assert not any(plugin.error for plugin in manager.plugins)


# -- drop-ins that do not --------------------------------------------------------------------------

BROKEN = {
    "import_raises": (
        "import nothing_of_that_name",
        r"^ModuleNotFoundError: .*nothing_of_that_name.* \(at .*:1\)$",
    ),
    "exits": ("import sys\nsys.exit(3)", r"^SystemExit: 3 \(at exits.py:2\)$"),
    "no_python": ("def broken(:", r"^SyntaxError: .*line 1"),
    "deep": ("def f():\n    raise RuntimeError\n\nf()", r"^RuntimeError \(at deep.py:2\)$"),
    "unprintable": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        r"^E \(at unprintable.py:3\)$",
    ),
    "misspelt": (
        "from dagfs.hooks import hookimpl\n@hookimpl\ndef chek_edit(edit): return []",
        r"^ValueError: no hook is named 'chek_edit'; did you mean 'check_edit'\?$",
    ),
    "invented": (
        "from dagfs.hooks import hookimpl\n@hookimpl\ndef zzz(): return []",
        r"^ValueError: no hook is named 'zzz'; there are executors, rules, classify_field, .*configure$",
    ),
    "wrong_argument": (
        "from dagfs.hooks import hookimpl\n@hookimpl\ndef check_edit(edit): return 1/0\n"
        "@hookimpl\ndef on_event(run, events): pass",
        r"^PluginValidationError: .*events",
    ),
    "wrapper": (
        "from dagfs.hooks import hookimpl\n@hookimpl(wrapper=True)\ndef check_edit(edit): return (yield)",
        r"^ValueError: check_edit cannot be wrapped$",
    ),
    "same_executor": (
        GOOD.replace('"remote"', '"shell"').replace("good.rule", "x.y"),
        r"^ValueError: the executor 'shell' belongs to another plugin already$",
    ),
    "same_rule": (
        GOOD.replace("good.rule", "structure.add"),
        r"^ValueError: the rule 'structure.add' belongs to another plugin already$",
    ),
    "twice": (
        GOOD.replace("[Remote()]", "[Remote(), Remote()]"),
        r"^ValueError: the executor 'remote' is there twice$",
    ),
    "no_prepare": (
        GOOD.replace("def prepare", "def prepared"),
        r"^TypeError: executors gives .*, which is not an object with name, check and prepare$",
    ),
    "a_class": (
        GOOD.replace("[Remote()]", "[Remote]"),
        r"^TypeError: executors gives <class .*, which is not",
    ),
    "no_name": (GOOD.replace('"remote"', "3"), r"^TypeError: the name of the executor 3 must be a text$"),
    "no_rule": (
        GOOD.replace('[Rule("good.rule", "Says nothing.")]', '["good.rule"]'),
        r"^TypeError: rules gives 'good.rule', which is not a Rule$",
    ),
    "nothing": (GOOD.replace("[Remote()]", "None"), r"^TypeError: "),
    "raises_when_asked": (GOOD.replace("return [Remote()]", "raise SystemExit"), r"^SystemExit \(at "),
    "shell": ("X = 1", r"^ValueError: another plugin named 'shell' is loaded already$"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_drop_in_is_named_with_its_fault_and_harms_no_other(folder: Path, name: str) -> None:
    text, error = BROKEN[name]
    drop(folder, f"{name}.py", text)
    drop(folder, "zz_good.py", GOOD)
    manager = loaded(folder)
    broken, good = (plugin for plugin in manager.plugins if plugin.origin != "built-in")
    assert broken.name == name
    assert re.search(error, broken.error), broken.error
    assert "\n" not in broken.error
    assert (broken.executors, broken.rules, broken.hooks) == ((), (), ())
    assert good.error == ""
    assert list(manager.executors) == [*BUILT_IN_EXECUTORS, "remote"]
    assert manager.versions.keys() == {each.rpartition(".")[2] for each in BUILT_IN} | {"zz_good"}
    assert manager.check_edit(Scene(SPEC).edit()) == []


def test_an_interrupt_from_the_keyboard_is_not_swallowed(folder: Path) -> None:
    drop(folder, "a.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        loaded(folder)


def test_what_a_failed_import_left_behind_is_gone(folder: Path) -> None:
    drop(folder, "pack/__init__.py", "from . import part\nraise ValueError('no')")
    drop(folder, "pack/part.py", "X = 1")
    assert brought(loaded(folder))["pack"].error == "ValueError: no (at __init__.py:2)"
    assert not [name for name in sys.modules if name.startswith("dagfs_dropin.pack")]


def test_a_broken_plugin_leaves_its_name_to_a_good_one(folder: Path) -> None:
    drop(folder, "same.py", "raise ValueError")
    drop(folder, "same/__init__.py", "X = 1")
    assert sorted(bool(plugin.error) for plugin in brought_all(loaded(folder))) == [False, True]
    drop(folder, "same.py", "X = 1")
    assert [plugin.error for plugin in brought_all(loaded(folder))] == [
        "",
        "ValueError: another plugin named 'same' is loaded already",
    ]


def brought_all(manager: PluginManager) -> list[Plugin]:
    return [plugin for plugin in manager.plugins if plugin.origin != "built-in"]


# -- who could have written it ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_run(folder: Path, mode: int) -> None:
    path = drop(folder, "a.py", "raise SystemExit('it ran')", mode)
    error = brought(loaded(folder))["a"].error
    assert error == f"PermissionError: {path} can be written by others; chmod go-w it"


@pytest.mark.parametrize("where", ["plugins", "plugins/pack", "plugins/pack/part.py"])
def test_a_package_is_not_run_where_others_can_write_any_of_it(folder: Path, where: str) -> None:
    drop(folder, "pack/__init__.py", "raise SystemExit('it ran')")
    drop(folder, "pack/part.py", "")
    place = folder.parent / where
    place.chmod(place.stat().st_mode | 0o020)
    assert f"{place} can be written by others" in brought(loaded(folder))["pack"].error


def test_a_link_to_where_others_can_write_is_not_followed(folder: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    target = drop(shared, "a.py", "raise SystemExit('it ran')")
    shared.chmod(0o777)
    (folder / "a.py").symlink_to(target)
    assert f"{shared} can be written by others" in brought(loaded(folder))["a"].error


def test_a_link_to_nothing_is_named(folder: Path) -> None:
    (folder / "a.py").symlink_to(folder / "gone")
    assert brought(loaded(folder))["a"].error.startswith("FileNotFoundError")


def test_a_file_of_another_user_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = drop(folder, "a.py", "raise SystemExit('it ran')")
    real = Path.stat

    def stat(self: Path, **options: bool) -> object:
        found = real(self, **options)
        if self == path:
            return SimpleNamespace(st_mode=found.st_mode, st_uid=os.getuid() + 12345)
        return found

    monkeypatch.setattr(Path, "stat", stat)
    assert brought(loaded(folder))["a"].error == f"PermissionError: {path} belongs to another user; chown it"


def test_a_folder_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    plugin = brought(loaded(folder))["plugins"]
    assert plugin.origin == str(folder)
    assert plugin.error.startswith("PermissionError: ")


# -- entry points ----------------------------------------------------------------------------------


def distribution(folder: Path, name: str, points: str, version: str = "1.0") -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(dedent(points))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    made = tmp_path / "site"
    made.mkdir()
    monkeypatch.syspath_prepend(str(made))
    yield made
    for name in [name for name in sys.modules if name.startswith("dagfs_test_")]:
        del sys.modules[name]


def entry_points(*folders: Path) -> PluginManager:
    manager = PluginManager()
    manager.load_built_ins()
    manager.load_entry_points(map(str, folders))
    return manager


def test_an_installed_distribution_brings_plugins(site: Path) -> None:
    (site / "dagfs_test_good.py").write_text(GOOD)
    distribution(site, "Good", "[dagfs]\ngood = dagfs_test_good\n[console_scripts]\nx = a:b\n", "2.5")
    plugin = brought(manager := entry_points(site))["good"]
    assert (plugin.origin, plugin.version, plugin.error) == ("entry point Good 2.5", "2.5", "")
    assert plugin.executors == ("remote",)
    assert manager.versions["good"] == "2.5"


def test_broken_distributions_are_named_and_harm_no_other(site: Path) -> None:
    (site / "dagfs_test_good.py").write_text(GOOD)
    (site / "dagfs_test_none.py").write_text("thing = None\n")
    (site / "dagfs_test_exits.py").write_text("raise SystemExit(1)\n")
    points = "[dagfs]\ngone = dagfs_test_gone\nnone = dagfs_test_none:thing\nexits = dagfs_test_exits\n"
    distribution(site, "A", points + "attr = dagfs_test_none:other\nodd = !!\n")
    distribution(site, "B", "[dagfs]\ngood = dagfs_test_good\nshell = dagfs_test_good\n")
    unreadable = site / "C-1.dist-info"
    unreadable.mkdir()
    (unreadable / "entry_points.txt").write_text("[dagfs]\n= = [\n")
    found = brought(entry_points(site))
    assert {name for name, plugin in found.items() if plugin.error} == {
        *("gone", "none", "exits", "attr", "odd", "shell", "")
    }
    assert found["good"].error == ""
    assert found["shell"].error == "ValueError: another plugin named 'shell' is loaded already"


def test_of_a_distribution_that_is_there_twice_the_first_counts(site: Path, tmp_path: Path) -> None:
    (site / "dagfs_test_good.py").write_text(GOOD)
    distribution(site, "Good", "[dagfs]\ngood = dagfs_test_good\n", "2")
    distribution(tmp_path / "later", "Good", "[dagfs]\ngood = dagfs_test_good\n", "1")
    assert [plugin.version for plugin in entry_points(site, tmp_path / "later").plugins][-1] == "2"
    assert len(brought_all(entry_points(site, tmp_path / "later"))) == 1


def test_folders_without_plugins_cost_no_import_of_metadata(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(site, "Other", "[console_scripts]\nx = a:b\n")
    monkeypatch.setitem(sys.modules, "importlib.metadata", None)
    assert brought(entry_points(site, tmp_path / "nowhere", site / "a.zip")) == {}


# -- asking plugins --------------------------------------------------------------------------------


class Asked:
    """A plugin as an object."""

    def __init__(self, **hooks: object) -> None:
        for name, function in hooks.items():
            setattr(self, name, hookimpl(function))


def with_plugins(**plugins: Asked) -> PluginManager:
    manager = PluginManager()
    manager.load_built_ins()
    for name, plugin in plugins.items():
        manager._load(name, "test", lambda plugin=plugin: (plugin, "1"))
    assert not any(plugin.error for plugin in manager.plugins)
    return manager


def test_a_drop_in_classifies_fields_before_the_built_ins() -> None:
    def cosmetic(owner: str, path: str) -> FieldClass | None:
        return FieldClass.COSMETIC if path == "timeout_sec" else None

    manager = with_plugins(mine=Asked(classify_field=cosmetic))
    assert manager.classify("step", "timeout_sec") is FieldClass.COSMETIC
    assert manager.classify("step", "command") is FieldClass.SEMANTIC
    assert manager.classify("step", "description") is FieldClass.COSMETIC
    assert manager.classify("step", "of another version") is FieldClass.SEMANTIC


def test_a_class_is_asked_for_once() -> None:
    asked: list[str] = []

    def note(owner: str, path: str) -> None:
        asked.append(path)

    manager = with_plugins(mine=Asked(classify_field=note))
    for _ in range(3):
        manager.classify("step", "command")
    assert asked == ["command"]


def test_a_drop_in_adds_a_finding_to_a_plan(folder: Path) -> None:
    drop(
        folder,
        "freeze.py",
        """
        from dagfs.hooks import hookimpl
        from dagfs.model.edit import Finding, Severity
        from dagfs.model.rule import Rule

        @hookimpl
        def rules():
            return [Rule("freeze.all", "Nothing may be retried.")]

        @hookimpl
        def check_edit(edit):
            return [Finding("freeze.all", Severity.REJECT, f"{edit.new.name} is frozen")]
        """,
    )
    manager = loaded(folder)
    plan = plan_retry(Scene(SPEC).edit(), request(SPEC), manager.check_edit)
    assert plan.verdict is Verdict.REFUSED
    assert [finding.rule for finding in plan.rejections] == ["freeze.all"]


def failing(error: BaseException):
    def check_edit(edit: object) -> None:
        raise error

    return Asked(check_edit=check_edit)


@pytest.mark.parametrize(
    ("plugin", "what"),
    [
        (failing(ValueError("no\nway")), "plugin bad failed in check_edit: ValueError: no way"),
        (failing(SystemExit(3)), "plugin bad failed in check_edit: SystemExit: 3"),
        (
            Asked(check_edit=lambda edit: "text"),
            "plugin bad failed in check_edit: 'text' is no list of Findings",
        ),
        (Asked(check_edit=lambda edit: [1]), "plugin bad failed in check_edit: [1] is no list of Findings"),
    ],
)
def test_a_plugin_that_fails_in_a_decision_stops_the_plan_by_its_name(plugin: Asked, what: str) -> None:
    manager = with_plugins(fine=Asked(check_edit=lambda edit: []), bad=plugin)
    with pytest.raises(PluginFailed) as caught:
        manager.check_edit(Scene(SPEC).edit())
    assert caught.value.message == what
    assert "--no-plugins" in (caught.value.hint or "")


def test_a_plugin_may_say_nothing_or_use_an_error_of_ours() -> None:
    assert with_plugins(a=Asked(check_edit=lambda edit: None)).check_edit(Scene(SPEC).edit()) == []
    ours = UsageError("set limits: in dagfs.yaml")
    with pytest.raises(UsageError):
        with_plugins(a=failing(ours)).check_edit(Scene(SPEC).edit())


def test_a_class_that_is_none_stops_the_plan() -> None:
    manager = with_plugins(bad=Asked(classify_field=lambda path: "cosmetic"))
    with pytest.raises(
        PluginFailed, match="plugin bad failed in classify_field: 'cosmetic' is no FieldClass"
    ):
        manager.classify("step", "command")


def test_findings_of_all_plugins_count() -> None:
    def gives(rule: str):
        return Asked(check_edit=lambda edit: (Finding(rule, Severity.NOTE, "x"),))

    found = with_plugins(a=gives("a.x"), b=gives("b.x")).check_edit(Scene(SPEC).edit())
    assert {finding.rule for finding in found} == {"a.x", "b.x"}


def test_an_observer_that_fails_is_reported_and_the_others_are_told() -> None:
    told: list[object] = []

    def broken(event: Event) -> None:
        raise SystemExit(event.n)

    manager = with_plugins(
        first=Asked(on_event=lambda run, event: told.append((run.id, event.n))),
        bad=Asked(on_event=broken),
        last=Asked(on_event=lambda event: told.append(event.name)),
        silent=Asked(on_event=lambda: told.append(None)),
    )
    assert manager.has_observers
    complaints = manager.observe(RunHeader(id="r1"), Event(7, "", "notice"))
    assert complaints == ["plugin bad: on_event: SystemExit: 7"]
    assert told == [("r1", 7), "notice", None]


def test_every_hook_is_listed_and_documented() -> None:
    documented = [name for name, each in vars(specs).items() if hasattr(each, "dagfs_spec")]
    assert documented == list(HOOKS)
    assert all(len(getattr(specs, name).__doc__ or "") > 60 for name in documented)
