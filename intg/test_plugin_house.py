"""Plugins that misbehave in every way harm only themselves; settings, lists, and a package to begin with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intg.home import Home

EXECUTOR = """
import os, signal, sys, time
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process

def harm():
    {harm}

class Odd:
    name = "odd"
    def check(self, step):
        return []
    def prepare(self, request):
        if request.step == "bad":
            harm()
        return Process(["true"], request.env, request.cwd)

@hookimpl
def executors():
    return [Odd()]
"""
OBSERVER = """
import os, signal, sys, time
from pathlib import Path
from dagfs.hooks import hookimpl

HERE = Path(__file__).resolve().parent.parent

def harm():
    {harm}

@hookimpl
def on_event(run, event):
    if event.name == "step_started":
        harm()
    with open(HERE / "heard", "a") as file:
        file.write(event.name + "\\n")
"""
HARMS = {
    "raises": ("raise ValueError('no way')", "ValueError: no way"),
    "exits": ("sys.exit(0)", "SystemExit: 0"),
    "leaves": ("os._exit(0)", "it ended its process with 0"),
    "dies": ("os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by SIGKILL"),
    "hangs": ("time.sleep(600)", "it took longer than 1 s and was killed"),
}
QUIET_HARMS = {
    "prints": "print('noise'); os.write(1, b'noise')",
    "moves": "os.chdir('/')",
    "masks": "os.umask(0o777)",
    "deafens": "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)",
}
JOB = """
    type: graph
    steps:
      - {name: bad, type: odd}
      - {name: good, type: odd}
      - {name: shell, run: umask; pwd}
"""


def drop_in(home: Home, name: str, text: str, mode: int = 0o600) -> Path:
    folder = home.path / "plugins"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name", HARMS)
def test_an_executor_that_misbehaves_fails_its_own_step_alone(home: Home, name: str) -> None:
    harm, says = HARMS[name]
    home.settings("plugin_limit_sec: 1\ngrace_sec: 2\n")
    drop_in(home, "odd", EXECUTOR.format(harm=harm))
    home.dag("job", JOB)
    home.dagfs("run", "job", "--json").exits(1)
    assert home.states() == {"bad": "failed", "good": "succeeded", "shell": "succeeded"}
    (end,) = [each for each in home.journal() if each["event"] == "step_finished" and each["step"] == "bad"]
    assert end["reason"] == f"plugin odd failed in prepare: {says}"


@pytest.mark.parametrize("name", QUIET_HARMS)
def test_what_an_executor_changes_stays_with_it(home: Home, name: str) -> None:
    drop_in(home, "odd", EXECUTOR.format(harm=QUIET_HARMS[name]))
    home.dag("job", JOB)
    assert home.dagfs("run", "job", "--json").exits(0).events[-1]["state"] == "succeeded"
    assert home.log("shell").splitlines()[-1] == str(home.path / "dags")
    assert "777" not in home.log("shell")


@pytest.mark.parametrize("name", HARMS)
def test_an_observer_that_misbehaves_loses_its_own_event_alone(home: Home, name: str) -> None:
    harm, says = HARMS[name]
    home.settings("plugin_limit_sec: 1\ngrace_sec: 2\n")
    drop_in(home, "watcher", OBSERVER.format(harm=harm))
    home.dag("job", "steps: [{name: a, run: 'true'}]\n")
    home.dagfs("run", "job", "--json").exits(0)
    notices = [each["message"] for each in home.journal() if each["event"] == "notice"]
    assert notices == [f"plugin watcher: on_event: {says}"]
    heard = (home.path / "heard").read_text().split()
    assert heard[0] == "attempt_started"
    assert "step_started" not in heard
    assert heard[-1] == "attempt_finished"


@pytest.mark.parametrize("name", QUIET_HARMS)
def test_what_an_observer_changes_stays_with_it(home: Home, name: str) -> None:
    drop_in(home, "watcher", OBSERVER.format(harm=QUIET_HARMS[name]))
    home.dag("job", "steps: [{name: a, run: umask}, {name: b, run: pwd}]\n")
    assert home.dagfs("run", "job", "--json").exits(0).events[-1]["state"] == "succeeded"
    assert home.log("a") != "0777\n"
    assert home.log("b").strip() == str(home.path / "dags")


@pytest.mark.parametrize("name", HARMS)
def test_a_plugin_that_misbehaves_when_it_is_loaded_is_named_and_left_out(home: Home, name: str) -> None:
    harm, says = HARMS[name]
    home.settings("plugin_limit_sec: 1\n")
    drop_in(home, "bad", f"import os, signal, sys, time\n{harm}\n")
    drop_in(home, "odd", EXECUTOR.format(harm="pass"))
    found = {each["name"]: each for each in home.dagfs("plugins", "--json").exits(0).json}
    assert says in found["bad"]["error"]
    assert found["odd"]["executors"] == ["odd"]
    home.dagfs("plugins", "--check").exits(1).says("broken:", says)
    home.dag("job", JOB)
    home.dagfs("run", "job").exits(0)


@pytest.mark.parametrize("name", QUIET_HARMS)
def test_what_loading_changes_is_put_back(home: Home, name: str) -> None:
    drop_in(home, "bad", f"import os, signal, sys, time\n{QUIET_HARMS[name]}\n")
    home.dag("job", "steps: [{name: a, run: umask; pwd}]\n")
    assert home.dagfs("run", "job", "--json").exits(0).events[-1]["state"] == "succeeded"
    assert "777" not in home.log("a")


@pytest.mark.parametrize("name", HARMS)
def test_a_rule_that_misbehaves_stops_the_plan_by_its_name(home: Home, name: str) -> None:
    harm, says = HARMS[name]
    home.settings("plugin_limit_sec: 1\n")
    home.dag("job", "steps: [{name: a, run: 'false'}]\n")
    home.dagfs("run", "job").exits(1)
    imports = "import os, signal, sys, time\nfrom dagfs.hooks import hookimpl\n"
    text = f"{imports}@hookimpl\ndef check_edit(edit):\n    {harm}\n"
    drop_in(home, "ruler", text)
    outcome = home.dagfs("plan", "@")
    assert outcome.code not in (0, 70)
    outcome.says(f"plugin ruler failed in check_edit: {says}", "--no-plugins").in_one_line()
    home.dagfs("--no-plugins", "plan", "@").exits(0)


# -- settings and lists ----------------------------------------------------------------------------

SETTINGS = """
from dagfs.hooks import hookimpl

@hookimpl
def settings_schema():
    return {"type": "object", "properties": {"level": {"type": "integer", "minimum": 1},
            "deep": {"type": "object", "properties": {"x": {"enum": ["a", "b"]}}}},
            "additionalProperties": False}

@hookimpl
def configure(settings):
    if settings.get("level") == 13:
        raise ValueError("not that one")
"""


def test_settings_of_a_plugin_are_checked_with_file_line_and_column(home: Home) -> None:
    drop_in(home, "mine", SETTINGS)
    home.settings("plugins:\n  mine:\n    level: 0\n    deep:\n      x: c\n    more: 1\n")
    outcome = home.dagfs("plugins").exits(3)
    outcome.says("dagfs.yaml:3:5", "plugins.mine.level", "dagfs.yaml:5:7", "plugins.mine.deep.x", "'more'")
    home.settings("plugins: {mine: {level: 3}}\n")
    home.dagfs("plugins", "--check").exits(0)
    home.settings("plugins: {mien: {level: 3}}\n")
    home.dagfs("plugins").exits(3).says("there is no plugin 'mien'", "did you mean 'mine'?")
    home.settings("plugins: {noop: {level: 3}}\n")
    home.dagfs("plugins").exits(3).says("the plugin 'noop' has no settings")
    home.settings("plugins: {mine: {level: 13}}\n")
    home.dagfs("plugins").says("plugin mine failed in configure: ValueError: not that one").in_one_line()
    home.settings("plugins: 3\n")
    home.dagfs("plugins").exits(3).says("dagfs.yaml:1:1", "plugins must be a map")


def test_a_home_says_which_plugins_it_loads(home: Home) -> None:
    for name in ("one", "two", "three"):
        drop_in(home, name, "")
    home.settings("load_plugins: [one, two]\ndeny_plugins: two\n")
    found = {each["name"]: each["skipped"] for each in home.dagfs("plugins", "--json").json}
    assert (found["one"], found["two"], found["three"]) == (
        "",
        "named in deny_plugins",
        "not named in load_plugins",
    )
    home.dagfs("plugins", "--check").exits(0).says("left out: named in deny_plugins")
    assert "one" not in home.dagfs("--no-plugins", "plugins").out


def test_a_plugin_for_another_version_or_that_others_can_write_is_left_out(home: Home) -> None:
    drop_in(home, "future", "DAGFS_API = '2'\n")
    drop_in(home, "shared", "", 0o666)
    home.dagfs("plugins", "--check").exits(1).says(
        "it is written for version 2 of the plugin API; this dagfs has 1", "can be written by others"
    )


def test_a_built_in_takes_settings_too(home: Home) -> None:
    home.settings("plugins: {http: {private_addresses: deny}}\n")
    home.dag("job", "steps: [{name: a, type: http, run: 'GET http://127.0.0.1:1/'}]\n")
    home.dagfs("run", "job").exits(1)
    assert "which dagfs.yaml denies" in home.log("a", stream="stderr")


# -- a package to begin with -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["executor", "rule", "notifier", "command"])
def test_a_new_package_installs_and_passes_its_test(home: Home, kind: str) -> None:
    name = f"my-{kind}"
    home.dagfs("plugins", "new", name, f"--{kind}").exits(0).says(f"made dagfs-{name}/pyproject.toml")
    home.dagfs("plugins", "new", name).exits(2).says("is there already")
    target = home.path / "site"
    words = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    _python("pip", *words, f"./dagfs-{name}", cwd=home.path)
    env = {"PYTHONPATH": str(target)}
    found = {each["name"]: each for each in home.dagfs("plugins", "--json", env=env).json}
    assert found[name]["origin"] == f"entry point dagfs-{name} 0.1.0"
    assert not found[name]["error"]
    _python("pytest", "-q", "-p", "no:cacheprovider", cwd=home.path / f"dagfs-{name}", env=env)


def _python(*words: str, cwd: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Nice", "a b", "../x", "-x", ""])
def test_a_name_that_is_none_is_refused(home: Home, name: str) -> None:
    home.dagfs("plugins", "new", "--", name).exits(2).says("cannot name a plugin").in_one_line()


@pytest.mark.parametrize(("name", "kind"), [("runs", "command"), ("shell", "executor"), ("stale", "rule")])
def test_a_name_that_dagfs_has_itself_is_refused(home: Home, name: str, kind: str) -> None:
    home.dagfs("plugins", "new", name, f"--{kind}").exits(2).says(f"its own {kind} {name!r}").in_one_line()
    assert not (home.path / f"dagfs-{name}").exists()


def test_a_package_to_begin_with_is_of_one_kind(home: Home) -> None:
    home.dagfs("plugins", "new", "multi", "--rule", "--executor").exits(2).in_one_line().says(
        "not allowed with"
    )


SHARING = """
from dagfs.hooks import hookimpl
from dagfs.hooks.executor import Process

class Sharing:
    name = "sharing"
    def check(self, step):
        return []
    def prepare(self, request):
        end = 'echo over >> "$DAG_DESK/over"; test -e "$DAG_DESK/go" || { echo busy >&2; exit 1; }'
        return Process(["true"], request.env, request.cwd, at_end=["sh", "-c", end])

@hookimpl
def executors():
    return [Sharing()]
"""


def test_what_steps_share_is_ended_once_and_where_that_fails_a_notice_says_so(home: Home) -> None:
    drop_in(home, "sharing", SHARING)
    home.dag(
        "job",
        """
        type: graph
        steps:
          - {name: one, type: sharing}
          - {name: two, type: sharing}
          - {name: three, run: test -e "$DAG_DESK/go"}
        """,
    )
    home.dagfs("run", "job").exits(1).says("what steps shared could not be ended: busy")
    assert home.lines("over") == ["over"]
    notices = [each["message"] for each in home.journal() if each["event"] == "notice"]
    assert notices == ["what steps shared could not be ended: busy"]
    assert home.states()["one"] == "succeeded"
    home.file("go").touch()
    home.dagfs("retry", "@").exits(0).never_says("could not be ended")
    assert home.lines("over") == ["over", "over"]
