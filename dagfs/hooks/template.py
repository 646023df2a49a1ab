"""The texts of a plugin package to begin with: it installs, and passes its own test."""

from __future__ import annotations

from collections.abc import Mapping

KINDS = ("executor", "rule", "notifier", "command")

_PROJECT = """\
[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "dagfs-NAME"
version = "0.1.0"
description = "A KIND for dagfs."
requires-python = ">=3.11"
dependencies = ["dagfs>=0.1,<2"]
keywords = ["dagfs-plugin"]

[project.optional-dependencies]
test = ["pytest>=8"]

# What dagfs looks for: the plugin's name, and the module that holds its hooks.
[project.entry-points.dagfs]
"NAME" = "MODULE"

[tool.hatch.build.targets.wheel]
include = ["MODULE.py"]
"""
_README = """\
# dagfs-NAME

A KIND for [dagfs](https://pypi.org/project/dagfs/).

    pip install -e '.[test]'
    dagfs plugins
    pytest
"""
_EXECUTOR = '''\
"""An executor: `type: NAME` runs a step's commands with a word of greeting before them."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.hooks.options import TEXT, Option, Options
from dagfs.model.dag import Step

DAGFS_API = "1"
OPTIONS = Options("NAME", Option("greeting", TEXT, "What is printed first.", "hello"))


class CLASS:
    name = "NAME"

    def check(self, step: Step) -> Sequence[str]:
        return OPTIONS.wrong(step.executor.config)

    def prepare(self, request: StepRequest) -> Process:
        settings = OPTIONS.read(request.config)
        # Values go through the environment or files; every user of a machine can see arguments.
        env = {**request.env, "GREETING": settings["greeting"]}
        lines = ['printf "%s\\\\n" "$GREETING"', *request.command, request.script]
        name = f"NAME.{request.try_}"
        argv = ["/bin/sh", "-e", f"{request.folder}/{name}"]
        return Process(argv, env, request.cwd, {name: "\\n".join(lines)})


@hookimpl
def executors() -> Sequence[Executor]:
    return [CLASS()]
'''
_EXECUTOR_TEST = '''\
"""The executor keeps what dagfs asks of every executor."""

from dagfs.hooks.testing import ExecutorContract, Outcome
from dagfs.model.dag import Step
from MODULE import CLASS


class TestCLASS(ExecutorContract):
    executor = CLASS()
    accepted = ({"greeting": "good day"}, {})
    refused = ({"greeting": ["two", "words"]},)
    step = Step(name="a", command=("echo done",))

    def after(self, outcome: Outcome) -> None:
        assert outcome.out == "good day\\ndone\\n"
'''
_RULE = '''\
"""A compatibility rule: steps whose name begins with `final` are edited in no run."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.model.edit import Edit, Finding, Severity
from dagfs.model.rule import Rule

DAGFS_API = "1"
RULE = "SNAKE.final"


@hookimpl
def rules() -> Sequence[Rule]:
    return [
        Rule(
            RULE,
            "The command of a step called `final…` is not edited in a run.",
            accepted="a longer `timeout_sec`",
            refused="another `run`",
        )
    ]


@hookimpl
def check_edit(edit: Edit) -> Sequence[Finding]:
    return [
        Finding(RULE, Severity.REJECT, f"the command of {change.step} changed", change.step, line=change.line)
        for change in edit.changes
        if change.step and change.step.startswith("final") and change.field == "command"
    ]
'''
_RULE_TEST = '''\
"""The rule keeps what dagfs asks of every rule."""

from collections.abc import Sequence

import MODULE as plugin
from dagfs.hooks.testing import RuleContract, edit
from dagfs.model.edit import Edit, Finding

OLD = "steps: [{name: final, run: echo a}]"


class TestFinal(RuleContract):
    rules = plugin.rules()

    def check_edit(self, edit: Edit) -> Sequence[Finding]:
        return plugin.check_edit(edit)

    def passes(self) -> Sequence[Edit]:
        return [edit(OLD), edit(OLD, OLD.replace("}", ", timeout_sec: 5}"), final="failed")]

    def stops(self) -> Sequence[Edit]:
        return [edit(OLD, OLD.replace("echo a", "echo b"), final="failed")]
'''
_NOTIFIER = '''\
"""A notifier: a line in the system's log when an attempt has failed, or the scheduler is in trouble."""

from __future__ import annotations

from collections.abc import Sequence

from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process
from dagfs.hooks.notifier import FAILURE, TROUBLE, News

DAGFS_API = "1"


@hookimpl
def notify(news: News) -> Sequence[Process]:
    if news.what not in (FAILURE, TROUBLE):
        return []
    # Values go through the environment; every user of a machine can see arguments.
    env = {**news.env, "NEWS": f"{news.what} {news.subject} {news.kind}: {news.reason}"}
    return [Process(["sh", "-c", 'printf "%s\\\\n" "$NEWS" | logger -t dagfs'], env, news.cwd)]
'''
_NOTIFIER_TEST = '''\
"""The notifier keeps what dagfs asks of every notifier."""

from collections.abc import Sequence

import MODULE as plugin
from dagfs.hooks.executor import Process
from dagfs.hooks.notifier import News
from dagfs.hooks.testing import NotifierContract
from dagfs.model.dag import Dag
from dagfs.model.run import RunHeader


def news(what: str) -> News:
    env = {"PATH": "/usr/bin:/bin"}
    return News(what, RunHeader(id="r1"), Dag(name="d"), 1, "failed", env=env, cwd="/", subject="r1")


class TestNotifier(NotifierContract):
    def notify(self, news: News) -> Sequence[Process]:
        return plugin.notify(news)

    def heard(self) -> Sequence[News]:
        return [news("failure")]

    def unheard(self) -> Sequence[News]:
        return [news("success"), news("wait")]
'''
_COMMAND = '''\
"""A command: `dagfs NAME` counts the runs of the home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagfs.hooks import hookimpl
from dagfs.hooks.command import CommandContext, CommandSpec

DAGFS_API = "1"


def run(context: CommandContext) -> int:
    count = len(list(Path(context.root, "runs").glob("*/run.json")))
    context.print(f"{count} runs")
    return 0


@hookimpl
def commands() -> Sequence[CommandSpec]:
    return [CommandSpec("NAME", "count the runs of the home", run)]
'''
_COMMAND_TEST = '''\
"""The command is there, and does what it says."""

from pathlib import Path

import MODULE
from dagfs.hooks.testing import TemporaryHome


def test_it_counts(tmp_path: Path) -> None:
    home = TemporaryHome(tmp_path / "home")
    home.plugin(Path(MODULE.__file__))
    home.dag("job", "steps: [{name: a, run: 'true'}]\\n")
    assert home.dagfs("run", "job").code == 0
    assert home.dagfs("--no-plugins", "NAME").code != 0
    assert home.dagfs("NAME").out == "1 runs\\n"
'''
_TEXTS = {
    "executor": (_EXECUTOR, _EXECUTOR_TEST),
    "rule": (_RULE, _RULE_TEST),
    "notifier": (_NOTIFIER, _NOTIFIER_TEST),
    "command": (_COMMAND, _COMMAND_TEST),
}


def package(name: str, kind: str) -> Mapping[str, str]:
    """Paths below the package's folder to texts. `name` is of a-z, 0-9 and single `-` inside."""
    snake = name.replace("-", "_")
    module = f"dagfs_{snake}"
    words = {"NAME": name, "MODULE": module, "SNAKE": snake, "KIND": kind, "CLASS": _camel(name)}
    plugin, test = _TEXTS[kind]
    texts = {"pyproject.toml": _PROJECT, "README.md": _README, f"{module}.py": plugin}
    texts[f"test_{snake}.py"] = test
    return {path: _filled(text, words) for path, text in texts.items()}


def _camel(name: str) -> str:
    made = "".join(part.capitalize() for part in name.split("-"))
    return made if made[0].isalpha() else f"Plugin{made}"


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
