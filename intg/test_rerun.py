"""A new run like an earlier one, and the families that come of it."""

from __future__ import annotations

import pytest

from intg.home import Home
from tests.patience import eventually

DAG = """
    name: job
    params:
      - date: today
      - file: in-${date}.csv
    steps:
      - name: a
        run: echo "${date} ${file}"
"""


@pytest.fixture
def done(home: Home) -> Home:
    home.dag("job", DAG)
    home.dagfs("run", "job", "-p", "date=monday", "--id", "first").exits(0)
    return home


def said(home: Home, run: str, attempt: int = 1) -> str:
    return (home.path / f"runs/{run}/attempts/{attempt}/steps/a/stdout.log").read_text()


def test_it_is_a_new_run_with_the_same_spec_and_parameters(done: Home) -> None:
    done.dag("job", DAG.replace("echo", "echo edited"))
    done.dagfs("rerun", "first", "--id", "second", "--reason", "once more").exits(0)
    assert said(done, "second") == said(done, "first") == "monday in-monday.csv\n"
    assert (done.path / "runs/second/spec.v1.yaml").read_bytes() == (
        done.path / "runs/first/spec.v1.yaml"
    ).read_bytes()
    found = done.dagfs("show", "second", "--json").json
    assert (found["root"], found["parent"], found["trigger"]) == ("first", "first", "rerun")
    assert found["attempts"][0]["why"] == "once more"
    assert done.dagfs("show", "first", "--json").json["attempts"][1:] == []
    done.dagfs("fsck").exits(0)


def test_a_parameter_can_be_another_and_what_is_made_from_it_follows(done: Home) -> None:
    done.dagfs("rerun", "first", "-p", "date=friday", "--id", "second").exits(0)
    assert said(done, "second") == "friday in-friday.csv\n"
    done.dagfs("rerun", "second", "--id", "third").exits(0)
    assert said(done, "third") == "friday in-friday.csv\n"
    done.dagfs("rerun", "first", "-p", "friday").exits(2).in_one_line().says("NAME=VALUE")


def test_latest_takes_the_file_as_it_is_now(done: Home) -> None:
    done.dag("job", DAG.replace("echo", "echo edited"))
    done.dagfs("rerun", "first", "--latest", "--id", "second").exits(0)
    assert said(done, "second") == "edited monday in-monday.csv\n"
    (done.path / "dags/job.yaml").unlink()
    done.dagfs("rerun", "first", "--latest").exits(4).in_one_line().says("not there any more")
    done.dagfs("rerun", "first", "--id", "third").exits(0)


def test_latest_finds_a_file_that_was_given_by_a_relative_path(home: Home) -> None:
    path = home.dag("job", DAG)
    home.dagfs("run", "job.yaml", "--id", "first", cwd=path.parent).exits(0)
    home.dagfs("rerun", "first", "--latest").exits(0)


def test_the_newest_spec_counts_not_the_first(home: Home) -> None:
    home.dag("job", "steps: [{name: a, run: 'false'}]\n")
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.edit(("'false'", "echo mended"))
    home.dagfs("retry", "first").exits(0)
    home.dagfs("rerun", "first", "--id", "second").exits(0)
    assert said(home, "second") == "mended\n"


def test_a_name_given_from_outside_stays(home: Home) -> None:
    home.dag("job", DAG)
    home.dagfs("run", "job", "--name", "other", "--id", "first").exits(0)
    home.dagfs("rerun", "first", "--id", "second").exits(0)
    home.dagfs("rerun", "first", "--latest", "--id", "third").exits(0)
    assert [run["dag"] for run in home.dagfs("runs", "--json").json] == ["other"] * 3


def test_families_are_shown_as_trees(done: Home) -> None:
    for parent, run in (("first", "a1"), ("a1", "a2"), ("first", "b1")):
        done.dagfs("rerun", parent, "--id", run).exits(0)
    done.dagfs("run", "job", "--id", "alone").exits(0)
    lines = done.dagfs("runs", "--tree").exits(0).out.splitlines()
    assert [line.split("  ✓")[0].rstrip() for line in lines] == [
        "alone",
        "first",
        "├─ a1",
        "│  └─ a2",
        "└─ b1",
    ]
    assert done.dagfs("runs", "--tree", "-1").out.split() == ["alone", "first", "a1", "a2", "b1"]
    done.dagfs("runs", "--tree", "--limit", "2").says("alone", "b1")
    done.dagfs("show", "a2").says("made from a1, the first of them first")


def test_it_goes_on_in_the_background_and_its_id_is_checked(done: Home) -> None:
    assert done.dagfs("rerun", "first", "-d", "--id", "second").exits(0).out == "second\n"
    eventually(lambda: done.dagfs("status", "second", "--exit-status").code == 0, "its end")
    done.dagfs("rerun", "first", "--id", "second").exits(5).in_one_line().says("exists already")
    done.dagfs("rerun", "first", "--id", "../x").exits(2).in_one_line()
    done.dagfs("rerun", "none").exits(4).in_one_line()
