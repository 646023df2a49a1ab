"""DAG files kept in memory: each in its last good version, and read again only once it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagfs.engine.home import read_home
from dagfs.web.shelf import DagShelf
from tests.web.test_register import Clock

GOOD = "description: {said}\nschedule: '0 2 * * *'\nsteps:\n  - name: a\n    command: echo a\n"
BAD = "steps:\n  - name: a\n    comand: echo a\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shelf(root: Path, clock: Clock) -> DagShelf:
    (root / "dags/team").mkdir(parents=True, exist_ok=True)
    return DagShelf(read_home(root), clock)


def look(dags: DagShelf, clock: Clock) -> None:
    clock.later()
    dags.refresh()
    if dags._keeper is not None:
        dags._keeper.join(30)


def write(root: Path, name: str, text: str) -> None:
    """As an editor does: a new file in its place."""
    path = root / "dags" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(".new")
    new.write_text(text)
    new.replace(path)


def test_files_are_found_by_path_word_and_name(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "team/etl.yaml", "name: orders\n" + GOOD.format(said="x"))
    write(tmp_path, "etl.yaml", GOOD.format(said="y"))
    look(dags, clock)
    assert [dags.find(word).key for word in ("team/etl", "team/etl.yaml", "orders", "etl")] == [  # type: ignore[union-attr]
        "team/etl.yaml",
        "team/etl.yaml",
        "team/etl.yaml",
        "etl.yaml",
    ]
    assert dags.find("nobody") is None
    assert dags.find("../etl") is None


def test_a_broken_version_keeps_the_last_good_one(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "etl.yaml", GOOD.format(said="good"))
    look(dags, clock)
    write(tmp_path, "etl.yaml", BAD)
    look(dags, clock)
    [found] = dags.all()
    assert (found.description, found.is_known) == ("good", True)
    assert found.problems[0].line == 3
    write(tmp_path, "etl.yaml", GOOD.format(said="better"))
    look(dags, clock)
    [found] = dags.all()
    assert (found.description, found.problems) == ("better", ())


def test_a_file_that_never_was_good_is_known_by_its_name(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "bad.yaml", BAD)
    (tmp_path / "dags/binary.yaml").write_bytes(b"\xff\x00")
    look(dags, clock)
    assert [(each.name, each.is_known, bool(each.problems)) for each in dags.all()] == [
        ("bad", False, True),
        ("binary", False, True),
    ]


def test_nothing_is_read_twice_and_what_goes_is_forgotten(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "etl.yaml", GOOD.format(said="x"))
    look(dags, clock)
    version = dags.version
    look(dags, clock)
    assert dags.version == version
    (tmp_path / "dags/etl.yaml").unlink()
    look(dags, clock)
    assert dags.version > version
    assert list(dags.all()) == []


def test_what_base_yaml_says_is_for_all(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "etl.yaml", "steps:\n  - name: a\n    command: echo a\n")
    look(dags, clock)
    (tmp_path / "base.yaml").write_text("tags: [everywhere]\n")
    look(dags, clock)
    assert dags.all()[0].tags == ("everywhere",)


def test_many_files_are_read_a_part_at_a_time_and_one_that_is_asked_for_at_once(
    tmp_path: Path, clock: Clock
) -> None:
    dags = shelf(tmp_path, clock)
    for number in range(30):
        write(tmp_path, f"d{number:02}.yaml", GOOD.format(said=number))
    # So slow a clock that the first file takes all the time there is.
    dags._clock = lambda: clock.later(1.0) or clock.now  # type: ignore[func-returns-value]
    dags._scan()
    dags._work(0.0)
    assert dags.unread == 29
    found = dags.find("d17")
    assert found is not None
    assert found.description == "17"
    assert dags.unread == 28


def test_the_next_start_is_that_of_the_schedule(tmp_path: Path, clock: Clock) -> None:
    dags = shelf(tmp_path, clock)
    write(tmp_path, "etl.yaml", GOOD.format(said="x"))
    write(tmp_path, "hand.yaml", "steps:\n  - name: a\n    command: echo a\n")
    look(dags, clock)
    etl, hand = dags.all()
    following = dags.next_start(etl)
    assert following is not None
    assert (following.hour, following.minute) == (2, 0)
    assert dags.next_start(hand) is None
