"""A disk that runs full in the middle: exit 74 with the path, nothing lost, usable once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from intg.home import Home
from intg.small_disk import needs_root, small_disk


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Home]:
    """A home on a disk of 2 MB."""
    with small_disk(tmp_path / "disk") as home:
        yield home


def fill(home: Home) -> Path:
    """Leave not one byte free."""
    path = home.file("ballast")
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return path


DAG = """
steps:
  - name: a
    run: echo a
  - name: fill
    depends: a
    run: |
      cat /dev/zero > "$DAG_DESK/ballast" 2>/dev/null || true
      test -e "$DAG_DESK/ballast"
  - name: b
    depends: fill
    run: echo b
    output: OUT
  - name: c
    depends: b
    run: echo "c ${OUT}"
"""


@needs_root
def test_a_run_cannot_begin_on_a_full_disk_and_leaves_nothing(small: Home) -> None:
    small.dag("job", DAG)
    ballast = fill(small)
    small.dagfs("run", "job").exits(74).in_one_line().says(str(small.path), "No space left")
    assert small.runs() == []
    ballast.unlink()
    small.dag("job", "steps: [{name: a, run: echo a}]\n")
    small.dagfs("run", "job").exits(0)
    small.dagfs("fsck").exits(0)


@needs_root
def test_a_disk_that_fills_up_during_a_run_ends_it_with_the_path(small: Home) -> None:
    small.dag("job", DAG)
    run = small.dagfs("run", "job")
    assert run.code in (1, 74), run
    run.says("No space left")
    small.dagfs("status").exits(0).says("a ✓ succeeded", "fill ✓ succeeded")
    small.dagfs("plan").exits(0).says("keep a", "keep fill", "run b", "run c")
    small.file("ballast").unlink()
    small.dagfs("retry").exits(0)
    assert small.dagfs("logs", "@", "c").out == "c b\n"
    small.dagfs("fsck").exits(0)


@needs_root
def test_a_retry_on_a_full_disk_changes_nothing(small: Home) -> None:
    small.dag("job", 'steps: [{name: a, run: test -e "$DAG_DESK/go"}]\n')
    small.dagfs("run", "job").exits(1)
    small.edit(("test -e", "test ! -d"))
    before = {name: entry[-1] for name, entry in small.listing("runs").items() if "owner" not in name}
    ballast = fill(small)
    small.dagfs("retry").exits(74).says("No space left", str(small.run))
    small.dagfs("status").exits(0).says("✗ failed")
    small.dagfs("plan").exits(0)
    after = {name: entry[-1] for name, entry in small.listing("runs").items() if "owner" not in name}
    assert after == before
    ballast.unlink()
    small.dagfs("retry").exits(0)
    small.dagfs("fsck").exits(0)


@needs_root
def test_a_step_that_cannot_write_its_log_decides_by_itself(small: Home) -> None:
    small.dag("job", "steps: [{name: a, run: 'cat /dev/zero || true; true'}, {name: b, run: echo b}]\n")
    run = small.dagfs("run", "job")
    assert run.code in (0, 1, 74), run
    small.dagfs("status").exits(0)
    small.shell("for log in runs/*/attempts/1/steps/a/stdout.log; do : > $log; done")
    retry = small.dagfs("plan")
    assert retry.code in (0, 7), retry
