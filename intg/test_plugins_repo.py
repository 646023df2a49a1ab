"""The plugins of this repository, dropped into a home as their users would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from intg.home import REPOSITORY, Home
from tests.executors.servers import web
from tests.patience import eventually

PROD = """
    name: prod
    tags: prod
    type: graph
    env:
      - TARGET: db1
    steps:
      - name: load
        run: test "$TARGET" = db2
"""


def drop_in(home: Home, name: str) -> None:
    folder = home.path / "plugins"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{name}.py").write_bytes((REPOSITORY / "plugins" / f"{name}.py").read_bytes())
    (folder / f"{name}.py").chmod(0o600)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "plugins").glob("*.py")), ids=lambda path: path.stem)
def test_each_is_short_and_loads_without_complaint(path: Path, home: Home) -> None:
    assert len(path.read_text().splitlines()) < 80
    drop_in(home, path.stem)
    (found,) = [each for each in home.dagfs("plugins", "--json").exits(0).json if each["name"] == path.stem]
    assert not found["error"]
    assert found["version"].startswith("1+sha256:")


def test_the_environment_of_a_prod_dag_is_edited_only_with_a_reason(home: Home) -> None:
    drop_in(home, "prod_env_needs_reason")
    home.dag("prod", PROD)
    home.dagfs("run", "prod").exits(1)
    home.edit(("TARGET: db1", "TARGET: db2"))
    home.dagfs("plan", "@").exits(5).says("refused [prod.env]", "say why: --allow prod.env")
    home.dagfs("retry", "@").exits(5)
    home.dagfs("retry", "@", "--allow", "prod.env").exits(2).says("needs a reason")
    assert home.dagfs("show", "@", "--json").json["state"] == "failed"
    home.dagfs("retry", "@", "--allow", "prod.env", "--reason", "db1 is gone").exits(0)
    home.dagfs("show", "@").says("allowed prod.env", "db1 is gone")
    newest = home.dagfs("show", "@", "--json").json["attempts"][-1]
    assert newest["allowed"] == ["prod.env"]
    assert "prod_env_needs_reason" in newest["plugins"]


def test_taking_the_tag_off_is_no_way_round(home: Home) -> None:
    drop_in(home, "prod_env_needs_reason")
    home.dag("prod", PROD)
    home.dagfs("run", "prod").exits(1)
    home.edit(("TARGET: db1", "TARGET: db2"), ("tags: prod", "tags: dev"))
    home.dagfs("plan", "@").exits(5).says("prod.env")
    home.edit(('test "$TARGET" = db2', "'true'"))
    home.dagfs("retry", "@").exits(0)


def notify(home: Home, text: str) -> None:
    path = home.path / "notify"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def test_a_program_is_told_how_each_attempt_ended(home: Home) -> None:
    drop_in(home, "notify_command")
    notify(home, f'cat >> "{home.file("told")}"; echo >> "{home.file("told")}"; echo noise')
    home.dag("job", f"steps: [{{name: a, run: 'test -e {home.file('go')}'}}]\n")
    events = home.dagfs("run", "job", "--json").exits(1).events
    assert events[-1]["event"] == "attempt_finished"
    home.file("go").touch()
    home.dagfs("retry", "@").exits(0)
    told = [json.loads(line) for line in home.lines("told") if line]
    assert [each["state"] for each in told] == ["failed", "succeeded"]
    assert {each["run"] for each in told} == {home.run.name}
    assert told[0]["reason"].startswith("failed at a")


def test_a_program_that_fails_or_hangs_harms_no_run(home: Home) -> None:
    drop_in(home, "notify_command")
    home.dag("job", "steps: [{name: a, run: 'true'}]\n")
    home.dagfs("run", "job", "--id", "r1").exits(0)
    notify(home, "exit 3")
    home.dagfs("run", "job", "--id", "r2").exits(0)
    plugin = home.path / "plugins/notify_command.py"
    plugin.write_text(plugin.read_text().replace("LIMIT_SEC = 10.0", "LIMIT_SEC = 0.2"))
    notify(home, "sleep 600 & sleep 600")
    home.dagfs("run", "job", "--id", "r3").exits(0)
    assert eventually(lambda: not home.pids("sleep"), "the end of what hung")
    assert [run["state"] for run in home.dagfs("runs", "--json").json] == ["succeeded"] * 3
    for run, complaint in (("r2", "notify ended with 3"), ("r3", "took longer than 0.2 s")):
        assert complaint in (home.path / "runs" / run / "attempts/1/journal.jsonl").read_text()
    home.dagfs("fsck").exits(0)


def test_a_step_runs_at_a_lower_priority(home: Home) -> None:
    drop_in(home, "nice")
    home.dag(
        "job",
        """
        type: graph
        steps:
          - name: crunch
            type: nice
            with: {by: 7}
            run: |
              X=$(nice)
              echo "$X"
            output: BY
          - name: after
            depends: crunch
            run: test "$BY" = 7
        """,
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("crunch") == "7\n"


def test_an_address_hears_how_each_attempt_ended(home: Home) -> None:
    drop_in(home, "webhook")
    home.dag("job", f"steps: [{{name: a, run: 'test -e {home.file('go')}'}}]\n")
    with web() as site:
        home.settings(f"plugins:\n  webhook:\n    url: {site.url('/hook')}\n    when: [failure]\n")
        home.dagfs("run", "job").exits(1)
        home.file("go").touch()
        home.dagfs("retry", "@").exits(0)
    (heard,) = site.heard
    assert (heard["method"], heard["path"]) == ("POST", "/hook")
    said = json.loads(heard["body"])
    assert (said["what"], said["dag"], said["run"]) == ("failure", "job", home.run.name)
    assert said["reason"].startswith("failed at a")


def test_an_address_that_is_none_is_told_with_its_place(home: Home) -> None:
    drop_in(home, "webhook")
    home.dag("job", "steps: [{name: a, run: 'true'}]\n")
    home.settings("plugins:\n  webhook:\n    when: [failure]\n    url: chat.example\n")
    home.dagfs("run", "job").exits(3).says("dagfs.yaml:4:5", "plugins.webhook.url")
    home.settings("plugins:\n  webhook:\n    url: http://127.0.0.1:1/\n")
    home.dagfs("run", "job").exits(0)
    notices = [each["message"] for each in home.journal() if each["event"] == "notice"]
    assert len(notices) == 1
    assert notices[0].startswith("plugin webhook: notify: ")
    assert "refused" in notices[0]


@pytest.mark.skipif(not shutil.which("ionice"), reason="there is no ionice here")
def test_the_disk_can_be_left_to_others_too(home: Home) -> None:
    drop_in(home, "nice")
    home.dag("job", "steps: [{name: a, type: nice, with: {io: idle}, run: ionice}]\n")
    home.dagfs("run", "job").exits(0)
    assert home.log("a") == "idle\n"


def test_a_failing_line_ends_a_nice_step_and_settings_are_checked_before(home: Home) -> None:
    drop_in(home, "nice")
    home.dag("job", "steps: [{name: a, type: nice, run: ['false', 'echo no']}]\n")
    home.dagfs("run", "job").exits(1)
    assert home.log("a") == ""
    home.dag("bad", "steps: [{name: a, type: nice, with: {by: 20, of: 1}, run: 'true'}]\n")
    home.dagfs("validate", "bad").exits(3).says("0 to 19", "no setting 'of'")
