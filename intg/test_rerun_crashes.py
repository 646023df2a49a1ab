"""`kill -9` while a run is copied or taken in: there is a whole run or none, and the old one is as it was."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from intg.conftest import new_home
from intg.home import Home

DAG = """
name: job
steps:
  - name: extract
    run: |
      for n in $(seq 200); do echo $n > "$DAGFS_ARTIFACTS_DIR/$n"; done
      echo extract >> "$DAG_DESK/count"
    output: SAID
  - name: load
    depends: extract
    run: test -e "$DAG_DESK/go" && cat ${extract.artifacts}/200
"""


@pytest.fixture
def first(home: Home) -> Home:
    home.dag("job", DAG)
    home.dagfs("run", "job", "--id", "first").exits(1)
    home.file("go").touch()
    return home


def killed_while_building(home: Home, *words: str) -> None:
    """Start a command and kill it as soon as what it builds is begun."""
    engine = home.start(*words)
    deadline = time.monotonic() + 30
    while engine._process.poll() is None and time.monotonic() < deadline:
        if any(name.startswith(".stage-") for name in os.listdir(home.path / "runs")):
            break
    engine.signal(signal.SIGKILL)
    engine.wait()


def test_a_rerun_killed_on_its_way_leaves_nothing_and_can_be_repeated(first: Home) -> None:
    before = first.listing("runs", "first", "attempts")
    killed_while_building(first, "rerun", "first", "--from", "load", "--id", "second")
    first.dagfs("fsck").exits(0)
    assert first.listing("runs", "first", "attempts") == before
    if not (first.path / "runs/second").exists():
        first.dagfs("rerun", "first", "--from", "load", "--id", "second").exits(0)
    else:
        first.dagfs("retry", "second")
    assert first.lines("count") == ["extract"]
    assert first.dagfs("status", "second", "--json").json["state"] == "succeeded"


def test_an_import_killed_on_its_way_leaves_nothing_and_can_be_repeated(first: Home, tmp_path: Path) -> None:
    archive = first.file("run.tar.gz")
    first.dagfs("export", "first", "-o", str(archive)).exits(0)
    desk = tmp_path / "desk"
    desk.mkdir()
    with new_home(desk) as there:
        there.dag("other", "steps: [{name: a, run: 'true'}]\n")
        there.dagfs("run", "other").exits(0)
        killed_while_building(there, "import", str(archive))
        there.dagfs("fsck").exits(0)
        if not (there.path / "runs/first").exists():
            there.dagfs("import", str(archive)).exits(0)
        there.file("go").touch()
        there.dagfs("retry", "first").exits(0)
