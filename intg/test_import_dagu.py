"""Somebody who has a home of Dagu brings it to dagfs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from intg.home import Home

NIGHTLY = """
schedule: "30 2 * * *"
maxActiveRuns: 1
steps:
  - name: extract
    command: ./extract.sh $REGION
  - name: load
    command: cat rows.csv
"""


@pytest.fixture
def dagu(home: Home) -> Path:
    """A home of Dagu 1 with five DAGs, one of which is broken, and some past runs."""
    root = home.file("dagu")
    dags = root / "dags"
    (dags / "team").mkdir(parents=True)
    (root / "suspend").mkdir()
    (root / "base.yaml").write_text("env:\n  - REGION: eu\nlogDir: /var/log/dagu\n")
    (dags / "nightly.yaml").write_text(NIGHTLY)
    (dags / "paused.yaml").write_text(
        "schedule: '@daily'\nsteps:\n  - command: echo paused\n".replace("@daily", "0 1 * * *")
    )
    (dags / "team" / "parent.yml").write_text("steps:\n  - name: a\n    call: nightly\n")
    (dags / "broken.yaml").write_text("step:\n  - echo hi\n")
    (dags / "chat.yaml").write_text("steps:\n  - name: ask\n    type: chat\n")
    (dags / ".hidden.yaml").write_text("nonsense: true\n")
    (dags / "extract.sh").write_text('#!/bin/sh\necho "extracting $1"\n')
    (dags / "extract.sh").chmod(0o755)
    (dags / "rows.csv").write_text("a,b\n")
    (root / "suspend" / "paused.suspend").write_text("")
    record(root, "nightly", "2026-01-02", "r1", [1, 2])
    record(root, "nightly", "2026-01-03", "r2", [4])
    return root


def record(root: Path, dag: str, day: str, run: str, states: list[int]) -> Path:
    """A run as Dagu writes it: a line for each state it had, and a torn one at the end."""
    year, month, date = day.split("-")
    stamp = f"{year}{month}{date}_023000"
    folder = root / "data/dag-runs" / dag / "dag-runs" / year / month / date / f"dag-run_{stamp}Z_{run}"
    attempt = folder / f"attempt_{stamp}_000Z_abc"
    attempt.mkdir(parents=True)
    common = {
        "name": dag,
        "dagRunId": run,
        "startedAt": f"{day}T02:30:00+01:00",
        "finishedAt": f"{day}T02:31:10+01:00",
    }
    lines = [json.dumps({**common, "status": state, "params": "a=1"}) for state in states]
    path = attempt / "status.jsonl"
    path.write_text("\n".join(lines) + '\n{"status": 4, "na')
    return path


def test_a_dry_run_says_what_would_become_of_each_file_and_writes_nothing(home: Home, dagu: Path) -> None:
    before = home.listing()
    said = home.dagfs("import", "dagu", str(dagu), "--dry-run").exits(3)
    said.says("nightly, read as dagu1, schedule 30 2 * * *", "suspended: paused here", "nothing was written")
    said.says("broken.yaml not brought in", "unknown key 'step' in the DAG", "did you mean 'steps'?")
    said.says("key 'logDir' is not used", "dagfs has no executor 'chat'", "1 refused")
    said.never_says("hidden", "there is no sub-DAG")
    assert home.listing() == before


def test_files_that_are_links_are_copied_as_kubernetes_mounts_them(home: Home) -> None:
    dags = home.file("mounted") / "dags"
    (dags / "..2026").mkdir(parents=True)
    (dags / "..data").symlink_to("..2026")
    files = {"etl.yaml": "steps: [{run: ./load.sh}]\n", "load.sh": "echo hi\n"}
    for name, text in files.items():
        (dags / "..2026" / name).write_text(text)
        (dags / name).symlink_to(f"..data/{name}")
    (dags / "zz.yaml").write_text("steps: [{run: x}]\n")
    (dags.parent / "..base").write_text("env: [A: 1]\n")
    (dags.parent / "base.yaml").symlink_to("..base")
    home.dagfs("import", "dagu", str(dags.parent)).exits(0).says("3 read").never_says("symbolic")
    assert {name: (home.path / "dags" / name).read_text() for name in files} == files
    assert not (home.path / "dags/etl.yaml").is_symlink()
    assert (home.path / "base.yaml").read_text() == "env: [A: 1]\n"
    home.dagfs("import", "dagu", str(dags.parent)).exits(0).says("here already")


def test_a_file_that_cannot_be_read_is_refused_and_the_others_come(home: Home) -> None:
    dags = home.file("broken") / "dags"
    dags.mkdir(parents=True)
    # Regular files by their mode, which nobody can read from their beginning.
    (dags / "a.yaml").symlink_to("/proc/self/mem")
    (dags / "b.yaml").write_text("steps: [{run: x}]\n")
    os.mkfifo(dags / "pipe.txt")
    (dags / "loop").symlink_to("loop")
    home.dagfs("import", "dagu", str(dags.parent)).exits(3).says(
        "a.yaml not brought in", "cannot read", "1 refused"
    )
    assert sorted(path.name for path in (home.path / "dags").iterdir()) == ["b.yaml"]


def test_a_home_is_copied_with_what_its_dags_use(home: Home, dagu: Path) -> None:
    before = {path: path.read_bytes() for path in dagu.rglob("*") if path.is_file()}
    found = home.dagfs("import", "dagu", str(dagu), "--json").exits(3).json
    assert {Path(each["file"]).name: each["result"] for each in found["dags"]} == {
        "broken.yaml": "refused",
        "chat.yaml": "warned",
        "nightly.yaml": "read",
        "paused.yaml": "read",
        "parent.yml": "read",
    }
    assert found["base"]["result"] == "warned"
    assert sorted(path.name for path in (home.path / "dags").rglob("*") if path.is_file()) == [
        "chat.yaml",
        "extract.sh",
        "nightly.yaml",
        "parent.yml",
        "paused.yaml",
        "rows.csv",
    ]
    assert {path: path.read_bytes() for path in dagu.rglob("*") if path.is_file()} == before
    home.dagfs("run", "parent").exits(0)
    logs = sorted(path.read_text() for path in home.run.glob("children/*/attempts/1/steps/*/stdout.log"))
    assert logs == ["a,b\n", "extracting eu\n"]
    home.dagfs("next").exits(0).says("nightly")
    home.dagfs("ls").exits(0).says("paused")
    home.dagfs("resume", "paused").exits(0).says("paused")
    home.dagfs("resume", "nightly").says("not paused")


def test_importing_again_changes_nothing_and_writes_over_nothing(home: Home, dagu: Path) -> None:
    home.dagfs("import", "dagu", str(dagu)).exits(3)
    (home.path / "dags" / "nightly.yaml").write_text("steps:\n  - name: mine\n    command: echo mine\n")
    (dagu / "dags" / "broken.yaml").write_text("steps:\n  - echo mended\n")
    found = home.dagfs("import", "dagu", str(dagu)).exits(3)
    found.says("nightly.yaml not brought in", "is there already, with another text", "here already")
    assert "mine" in (home.path / "dags" / "nightly.yaml").read_text()
    home.dagfs("run", "broken").exits(0)


def test_a_linked_folder_is_one_for_both(home: Home, dagu: Path) -> None:
    (dagu / "dags" / "broken.yaml").unlink()
    home.dagfs("import", "dagu", str(dagu), "--link").exits(0)
    assert (home.path / "dags").is_symlink()
    (dagu / "dags" / "new.yaml").write_text("steps:\n  - echo new\n")
    home.dagfs("ls").exits(0).says("nightly", "new")
    home.dagfs("run", "nightly").exits(0)
    assert home.log("extract") == "extracting eu\n"
    home.dagfs("import", "dagu", str(dagu), "--link").exits(0)


def test_a_folder_with_dags_is_not_made_a_link(home: Home, dagu: Path) -> None:
    home.dag("own", "steps: [echo own]\n")
    home.dagfs("import", "dagu", str(dagu), "--link").exits(5).in_one_line().says("there is something in it")
    home.dagfs("run", "own").exits(0)


def test_a_folder_of_dags_alone_is_enough(home: Home, dagu: Path) -> None:
    (dagu / "dags" / "broken.yaml").unlink()
    home.dagfs("import", "dagu", str(dagu / "dags")).exits(0)
    assert (home.path / "base.yaml").exists()
    home.dagfs("run", "nightly").exits(0)


def test_past_runs_can_be_listed_and_stay_as_they_are(home: Home, dagu: Path) -> None:
    bad = record(dagu, "nightly", "2026-01-04", "r3\x1b[31m", [99])
    bad.write_bytes(b"\xff\x00 not json")
    before = {path: path.read_bytes() for path in dagu.rglob("*") if path.is_file()}
    found = home.dagfs("import", "dagu", str(dagu), "--history", "--json").exits(0).json
    assert [(each["run"], each["state"], each["started"]) for each in found[:2]] == [
        ("r2", "succeeded", "2026-01-03T01:30:00Z"),
        ("r1", "failed", "2026-01-02T01:30:00Z"),
    ]
    assert found[2]["state"] == "unreadable"
    said = home.dagfs("import", "dagu", str(dagu), "--history").exits(0)
    said.says("nightly r2 succeeded", "70 s", "a=1").never_says("\x1b")
    assert {path: path.read_bytes() for path in dagu.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("what", ["nowhere", "empty", "file"])
def test_what_is_no_home_of_dagu_is_refused_in_one_line(home: Home, what: str) -> None:
    home.file("empty").mkdir()
    home.file("file").write_text("x")
    home.dagfs("import", "dagu", str(home.file(what))).exits(4).in_one_line()
    home.dagfs("import", "dagu", str(home.path / "dags")).exits(4).in_one_line()


def test_a_broken_base_yaml_is_told_once_and_left_behind(home: Home, dagu: Path) -> None:
    (dagu / "base.yaml").write_text("evn: [A: b]\n")
    said = home.dagfs("import", "dagu", str(dagu)).exits(3)
    said.says("base.yaml not brought in", "unknown key 'evn'")
    assert said.err.count("unknown key 'evn'") == 1
    assert not (home.path / "base.yaml").exists()
    home.dagfs("run", "paused").exits(0)
