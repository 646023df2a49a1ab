"""Each hook does what its description says: a test that bears its name, in a stranger's process and here."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dagfs.hooks.command import CommandContext
from dagfs.hooks.executor import StepRequest
from dagfs.hooks.manager import HOOKS, PluginFailed, PluginManager
from dagfs.hooks.notifier import News
from dagfs.hooks.page import PageRequest
from dagfs.hooks.secret import SecretRequest
from dagfs.hooks.testing import edit
from dagfs.model.dag import Dag
from dagfs.model.event import Event
from dagfs.model.fingerprint import FieldClass
from dagfs.model.run import RunHeader

SPEC = "steps: [{name: a, run: 'true'}]"


@pytest.fixture(params=[None, 30.0], ids=["here", "in a process of its own"])
def limit(request: pytest.FixtureRequest) -> float | None:
    return request.param


@pytest.fixture
def load(tmp_path: Path, limit: float | None) -> Any:
    def loaded(text: str) -> PluginManager:
        folder = tmp_path / "plugins"
        folder.mkdir(mode=0o700)
        path = folder / "mine.py"
        path.write_text("from dagfs.hooks import hookimpl\n" + dedent(text))
        path.chmod(0o600)
        manager = PluginManager(limit_sec=limit)
        manager.load_built_ins()
        manager.load_drop_ins(folder)
        assert manager.plugins[-1].error == ""
        return manager

    return loaded


def test_every_hook_has_a_test_of_its_name() -> None:
    assert {f"test_{hook}" for hook in HOOKS} <= globals().keys()


def test_executors(load: Any) -> None:
    manager = load(
        """
        from dagfs.hooks.executor import Process

        class Mine:
            name = "mine"
            command_is = "data"
            def check(self, step): return [step.name]
            def prepare(self, request): return Process(["true"], request.env, request.cwd)

        @hookimpl
        def executors(): return [Mine()]
        """
    )
    executor = manager.executors["mine"]
    assert (executor.name, executor.command_is) == ("mine", "data")
    assert executor.prepare(StepRequest("r", 1, "a", 1, cwd="/")).argv == ["true"]


def test_rules(load: Any) -> None:
    text = "from dagfs.model.rule import Rule\n@hookimpl\ndef rules(): return [Rule('mine.x', 'Says.')]\n"
    assert load(text).rules["mine.x"].summary == "Says."


def test_classify_field(load: Any) -> None:
    manager = load(
        """
        from dagfs.model.fingerprint import FieldClass

        @hookimpl
        def classify_field(owner, path):
            return FieldClass.COSMETIC if (owner, path) == ("step", "command") else None
        """
    )
    assert manager.classify("step", "command") is FieldClass.COSMETIC
    assert manager.classify("step", "script") is FieldClass.SEMANTIC


def test_check_edit(load: Any) -> None:
    manager = load(
        """
        from dagfs.model.edit import Finding, Severity

        @hookimpl
        def check_edit(edit): return [Finding("mine.x", Severity.NOTE, edit.new.steps[0].name)]
        """
    )
    assert [each.message for each in manager.check_edit(edit(SPEC)) if each.rule == "mine.x"] == ["a"]


def test_on_event(load: Any, tmp_path: Path) -> None:
    manager = load(
        f"""
        from pathlib import Path
        told = []

        @hookimpl
        def on_event(run, event):
            told.append(event.n)
            Path({str(tmp_path / "told")!r}).write_text(f"{{run.id}} {{told}}")
            if event.n == 2:
                raise SystemExit(3)
        """
    )
    assert manager.has_observers
    complaints = []
    for n in (1, 2, 3):
        complaints += manager.observe(RunHeader(id="r1"), Event(n, "", "notice"))
    complaints += manager.finish_observing()
    assert complaints == ["plugin mine: on_event: SystemExit: 3"]
    assert (tmp_path / "told").read_text() == "r1 [1, 2, 3]"


def test_notify(load: Any) -> None:
    manager = load(
        """
        from dagfs.hooks.executor import Process

        @hookimpl
        def notify(news):
            if news.what == "wait":
                raise ValueError("no way")
            return [Process(["echo", news.state], news.env, news.cwd)] if news.what == "failure" else None
        """
    )

    def asked(what: str) -> Any:
        return manager.notify(News(what, RunHeader(id="r"), Dag(), 1, "failed", cwd="/"))

    ((plugin, process),), complaints = asked("failure")
    assert (plugin, list(process.argv), complaints) == ("mine", ["echo", "failed"], [])
    assert asked("success") == ([], [])
    assert asked("wait") == ([], ["plugin mine: notify: ValueError: no way"])


def test_pages(load: Any) -> None:
    manager = load(
        """
        from dagfs.hooks.page import PageAnswer, PageSpec

        def show(request):
            if request.path == "end":
                raise SystemExit(3)
            if request.path == "odd":
                return {"no": "answer"}
            return PageAnswer("page.html", {"asked": request.query["q"], "role": request.role})

        @hookimpl
        def pages(): return [PageSpec("mine", "Mine", show, "/templates")]
        """
    )
    assert manager.pages["mine"].title == "Mine"
    answer = manager.show_page("mine", PageRequest("/home", "", {"q": "x"}, "run"))
    assert (answer.template, answer.values, answer.status) == (
        "page.html",
        {"asked": "x", "role": "run"},
        200,
    )
    for path, said in (("end", "SystemExit: 3"), ("odd", "is no PageAnswer")):
        with pytest.raises(PluginFailed, match="plugin mine failed in page mine: ") as failed:
            manager.show_page("mine", PageRequest("/home", path))
        assert said in failed.value.message


def test_commands(load: Any) -> None:
    manager = load(
        """
        from dagfs.hooks.command import CommandSpec

        def run(context):
            context.print(context.root)
            return 7

        @hookimpl
        def commands(): return [CommandSpec("mine", "does it", run)]
        """
    )
    said: list[str] = []
    assert manager.run_command("mine", CommandContext("/home", None, said.append)) == 7
    assert said == ["/home"]


def test_secret_providers(load: Any) -> None:
    manager = load(
        """
        class Mine:
            name = "mine"
            def resolve(self, request): return f"value of {request.key}"

        @hookimpl
        def secret_providers(): return [Mine()]
        """
    )
    assert manager.secret_providers["mine"].resolve(SecretRequest("TOKEN", "k")) == "value of k"


def test_settings_schema(load: Any) -> None:
    manager = load("@hookimpl\ndef settings_schema(): return {'type': 'object'}\n")
    assert manager.schema("mine") == {"type": "object"}
    assert manager.schema("shell") is None


def test_configure(load: Any, limit: float | None) -> None:
    manager = load(
        """
        from dagfs.model.rule import Rule
        level = []

        @hookimpl
        def configure(settings):
            if settings.get("level") == 13:
                raise ValueError("not that one")
            level.append(settings.get("level"))

        @hookimpl
        def settings_schema(): return {"const": level}
        """
    )
    manager.configure({"mine": {"level": 3}})
    manager.configure({})
    assert manager.schema("mine") == {"const": [3, None]}
    with pytest.raises(PluginFailed, match="plugin mine failed in configure: ValueError: not that one"):
        manager.configure({"mine": {"level": 13}})
