"""The same step in another place: profiles of a home, and files of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from intg.home import Home
from intg.sshd import Sshd, sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A machine to log in to."""
    folder = tmp_path / "machine"
    folder.mkdir(mode=0o700)
    with sshd(folder) as server:
        yield server


TRAIN = """
type: graph
steps:
  - name: load
    run: echo 7 > "$DAGFS_ARTIFACTS_DIR/rows"; echo loaded
    output: WORD
  - name: train
    depends: load
    type: ssh
    config: {settings}
    run: |
      echo "with $WORD in $PLACE" >> "{desk}/said"
      test "$PLACE" = here
"""


def test_a_step_that_failed_there_is_run_again_here_and_the_spec_stays_as_it_is(
    home: Home, server: Sshd
) -> None:
    home.dag("train", TRAIN.format(settings=server.settings(), desk=home.file("")))
    home.settings("profiles:\n  local:\n    tr*: {executor: shell, env: {PLACE: here}}\n")
    home.dagfs("run", "train").exits(1)
    assert home.states()["train"] == "failed"

    plan = home.dagfs("plan", "@", "--profile", "local").exits(0)
    plan.says("keep load", "in shell instead of ssh", "--profile local")
    steps = {
        each["step"]: each for each in home.dagfs("plan", "@", "--profile", "local", "--json").json["steps"]
    }
    assert (steps["train"]["executor"], steps["train"]["before"]) == ("shell", "ssh")
    home.dagfs("retry", "@", "--profile", "local").exits(0)
    assert home.lines("said") == ["with loaded in ", "with loaded in here"]

    status = home.dagfs("status", "@", "--json").json
    assert (status["profile"], status["steps"]["train"]["executor"]) == ("local", "shell")
    assert "executor" not in status["steps"]["load"]
    first, second = home.dagfs("show", "@", "--json").json["attempts"]
    assert (first["profile"], first["executors"]) == ("", {})
    assert (second["profile"], second["executors"]) == ("local", {"train": "shell"})
    assert first["spec"] == second["spec"] == "spec.v1.yaml"
    home.dagfs("show", "@").says("profile local", "train: shell")
    home.dagfs("status", "@").says("profile: local", "in shell")
    # What succeeded elsewhere answers to the spec as anything else does.
    home.dagfs("plan", "@").exits(7).says("keep train")


def test_a_retry_without_a_profile_goes_back_to_where_the_spec_says(home: Home) -> None:
    home.dag("job", 'steps:\n  - name: a\n    run: test -n "$HERE" && exit 3; exit 4\n')
    home.settings("profiles:\n  other:\n    '*': {env: {HERE: 'yes'}}\n")
    home.dagfs("run", "job", "--profile", "other").exits(1).says("exit 3")
    home.dagfs("retry", "@").exits(1).says("exit 4")
    home.dagfs("retry", "@", "--profile", "other").exits(1).says("exit 3")


REACH = """
type: graph
env: [DATA: "${load.artifacts}/rows"]
steps:
  - name: load
    run: echo 7 > "$DAGFS_ARTIFACTS_DIR/rows"
  - name: sum
    depends: load
    run: cat "$DATA"; ls "${DAGFS_WORK_DIR}"; exit 1
"""


def test_files_that_cannot_be_reached_from_the_new_place_are_named_before_anything_starts(
    home: Home,
) -> None:
    home.dag("job", REACH)
    home.settings(
        "profiles:\n  far:\n    sum: {executor: ssh, with: {host: far.example}}\n"
        "  shared:\n    sum: {executor: shell, sees_files: true}\n"
    )
    home.dagfs("run", "job", "--profile", "far").exits(5).says(
        "'sum'", "ssh", "${load.artifacts}", "made by 'load'"
    )
    assert not home.runs()
    home.dagfs("run", "job").exits(1)
    plan = home.dagfs("retry", "@", "--profile", "far").exits(5)
    plan.says("[executor.reach]", "'sum'", "${load.artifacts}", "made by 'load'", "${DAGFS_WORK_DIR}")
    assert len(list(home.run.glob("attempts/*"))) == 1
    home.dagfs("plan", "@", "--profile", "shared").exits(0)
    allowed = home.dagfs("plan", "@", "--profile", "far", "--allow", "executor.reach", "--reason", "nfs")
    allowed.exits(0).says("in ssh instead of shell")
    home.dagfs("explain", "executor.reach").exits(0).says("sees_files")


def test_an_executor_or_settings_that_are_wrong_are_found_before_anything_starts(home: Home) -> None:
    home.dag("job", "steps:\n  - name: a\n    run: exit 1\n")
    home.file("no.yaml").write_text("a: dockr\n")
    home.file("bad.yaml").write_text("a: {executor: ssh, with: {hots: x}}\n")
    home.file("typo.yaml").write_text("a:\n  executor: shell\n  evn: {A: b}\n")
    no, bad, typo = (str(home.file(f"{name}.yaml")) for name in ("no", "bad", "typo"))
    home.dagfs("run", "job", "--profile", no).exits(5).says("no plugin brings the executor 'dockr'")
    home.dagfs("run", "job", "--profile", bad).exits(5).says("hots")
    home.dagfs("run", "job", "--profile", typo).exits(3).says("typo.yaml:3:3", "did you mean 'env'")
    home.dagfs("run", "job", "--profile", "locl").exits(4).in_one_line().says("'locl'")
    assert not home.runs()
    home.dagfs("run", "job").exits(1)
    home.dagfs("plan", "@", "--profile", no).exits(5).says("[executor.place]", "'dockr'")
    assert home.states() == {"a": "failed"}


def test_a_sub_dag_runs_where_the_profile_of_its_parent_says(home: Home) -> None:
    home.dag(
        "parent",
        """
        steps:
          - name: below
            call: child
        ---
        name: child
        steps:
          - name: work
            run: echo "$PLACE" >> "$DAG_DESK/said"; test -e "$DAG_DESK/go"
        """,
    )
    profile = home.file("elsewhere.yaml")
    profile.write_text("work: {shell: [/bin/sh, -eu], env: [PLACE: there]}\n")
    home.dagfs("run", "parent", "--profile", str(profile)).exits(1)
    home.file("go").touch()
    home.dagfs("retry", "@", "--profile", str(profile)).exits(0)
    assert home.lines("said") == ["there", "there"]


def test_a_plan_that_was_made_for_a_profile_is_carried_out_with_it(home: Home) -> None:
    home.dag("job", 'steps:\n  - name: a\n    run: test "$HERE" = yes\n')
    (home.path / "profiles").mkdir()
    profile = home.path / "profiles" / "other.yaml"
    profile.write_text("a: {env: {HERE: 'yes'}}\n")
    home.dagfs("run", "job").exits(1)
    plan = home.dagfs("plan", "@", "--profile", "other", "--json").exits(0).json
    home.file("plan.json").write_text(json.dumps(plan))
    home.dagfs("retry", "@", "--plan", plan["plan"]).exits(8)
    profile.write_text("a: {env: {HERE: 'no'}}\n")
    home.dagfs("retry", "@", "--plan", str(home.file("plan.json"))).exits(8)
    profile.write_text("a: {env: {HERE: 'yes'}}\n")
    home.dagfs("retry", "@", "--plan", str(home.file("plan.json"))).exits(0)


def test_a_profile_that_fits_nothing_is_said(home: Home) -> None:
    home.dag("job", "steps:\n  - name: a\n    run: 'true'\n")
    home.settings("profiles:\n  local: {trian: shell}\n")
    home.dagfs("run", "job", "--profile", "local").exits(0).says("places no step of this DAG")
    home.settings("profiles:\n  local: {a: {executer: shell}}\n")
    home.dagfs("run", "job").exits(3).says("dagfs.yaml:", "executer", "did you mean 'executor'")
