"""A run is read once for as long as nothing of it changes on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dagfs.engine.home import read_home
from dagfs.web.looks import Looks

EXAMPLE = Path(__file__).parent.parent.parent / "runs_example"
RUN = "20261121-021500-nightly-import-k3f9"


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    shutil.copytree(EXAMPLE, tmp_path / "runs", symlinks=True)
    return Looks(read_home(tmp_path).store)


def test_what_has_not_changed_is_not_read_again(looks: Looks) -> None:
    first = looks.at(RUN)
    assert looks.at(RUN).view is first.view
    assert looks.dag(RUN, 1) is looks.dag(RUN, 1)
    assert looks.course(RUN, 1) is looks.course(RUN, 1)
    assert looks.course(RUN, 1) is not looks.course(RUN, 2)


def test_what_has_changed_is(looks: Looks, tmp_path: Path) -> None:
    first = looks.at(RUN)
    folder = tmp_path / "runs" / RUN
    (folder / "spec.next.yaml").write_text("x")
    second = looks.at(RUN)
    assert second.stamp != first.stamp
    journal = folder / "attempts" / "2" / "journal.jsonl"
    data = journal.read_bytes()
    journal.unlink()
    journal.write_bytes(data)
    third = looks.at(RUN)
    assert third.stamp != second.stamp
    assert third.view is not second.view


def test_only_so_many_are_remembered(looks: Looks) -> None:
    kept = looks.course(RUN, 1)
    for _ in range(30):
        assert looks.course(RUN, 1) is kept
