"""DAG files and watched files: what changes, what settles, what is bad."""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from dagfs.scheduler.inbox import Inbox
from dagfs.scheduler.job import Job
from dagfs.scheduler.shelf import Shelf, Shelved
from dagfs.scheduler.watch import Watcher, remote_kind
from dagfs.spec.parse import Options
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.ledger import Ledger
from tests.scheduler.world import cron, dag, utc

GOOD = "schedule: '0 * * * *'\nsteps: [echo a]\n"


class Clock:
    def __init__(self, now: float = 2e9) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def home(tmp_path: Path) -> HomePaths:
    (tmp_path / "dags").mkdir()
    (tmp_path / "runs").mkdir()
    return HomePaths(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(home: HomePaths, clock: Clock) -> Shelf:
    return Shelf(home, Options(), clock)


def write(home: HomePaths, name: str, text: str, age: float = 100, clock: float = 2e9) -> Path:
    path = home.dags / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (clock - age, clock - age))
    return path


def test_files_come_change_and_go(home: HomePaths, shelf: Shelf) -> None:
    write(home, "a.yaml", GOOD)
    write(home, "deep/b.yml", "steps: [x]")
    assert shelf.rescan() == {"a.yaml", "deep/b.yml"}
    assert shelf.rescan() == set()
    assert shelf.dags["a.yaml"].text
    assert not shelf.dags["deep/b.yml"].text
    write(home, "a.yaml", GOOD + "name: other\n", age=50)
    (home.dags / "deep/b.yml").unlink()
    assert shelf.rescan() == {"a.yaml", "deep/b.yml"}
    assert [each.name for each in shelf.dags.values()] == ["other"]


def test_a_bad_version_leaves_the_last_good_one(home: HomePaths, shelf: Shelf) -> None:
    write(home, "a.yaml", GOOD)
    shelf.rescan()
    path = write(home, "a.yaml", GOOD + "nonsense: 1\n", age=50)
    assert shelf.rescan() == {"a.yaml"}
    assert shelf.dags["a.yaml"].text == GOOD.encode()
    assert shelf.errors == {"a.yaml": f"{path}:3:1: error: unknown key 'nonsense' in the DAG"}
    write(home, "a.yaml", GOOD, age=10)
    shelf.rescan()
    assert not shelf.errors


def test_what_was_bad_from_the_first_is_never_known(home: HomePaths, shelf: Shelf) -> None:
    write(home, "a.yaml", "steps: [")
    shelf.rescan()
    assert shelf.errors
    assert not shelf.dags["a.yaml"].is_known
    assert shelf.dags["a.yaml"].schedule.is_empty


def test_a_young_file_is_left_alone_unless_it_was_closed(home: HomePaths, shelf: Shelf, clock: Clock) -> None:
    write(home, "old.yaml", GOOD)
    shelf.rescan()
    path = write(home, "a.yaml", GOOD, age=0.5)
    assert shelf.rescan() == set()
    assert shelf.has_unsettled
    assert shelf.look([path]) == {"a.yaml"}
    assert not shelf.has_unsettled
    write(home, "b.yaml", GOOD, age=0.5)
    shelf.rescan()
    clock.now += 5
    assert shelf.rescan() == {"b.yaml"}


def test_at_a_start_only_old_files_are_taken_at_once(home: HomePaths, shelf: Shelf, clock: Clock) -> None:
    write(home, "a.yaml", GOOD, age=0.5)
    assert shelf.rescan() == set()
    assert shelf.has_unsettled
    write(home, "old.yaml", GOOD, age=3)
    assert shelf.rescan() == {"old.yaml"}
    clock.now += 5
    assert shelf.rescan() == {"a.yaml"}
    assert not shelf.has_unsettled


def test_one_look_alone_takes_files_as_they_are(home: HomePaths, clock: Clock) -> None:
    for name in ("a.yaml", "b.yaml"):
        write(home, name, GOOD, age=0)
    assert Shelf(home, Options(), clock, settle_sec=0).rescan() == {"a.yaml", "b.yaml"}


def test_odd_things_in_the_folder_hurt_nobody(home: HomePaths, shelf: Shelf, tmp_path: Path) -> None:
    os.mkfifo(home.dags / "fifo.yaml")
    (home.dags / "folder.yaml").mkdir()
    (home.dags / "dangling.yaml").symlink_to("nowhere")
    outside = tmp_path / "outside.yaml"
    outside.write_text(GOOD)
    (home.dags / "outside.yaml").symlink_to(outside)
    (home.dags / "loop").symlink_to(home.dags)
    for name in (".hidden.yaml", "#edit.yaml", "~x.yaml", "a.yaml~", "a.yaml.swp"):
        write(home, name, GOOD)
    write(home, "bytes.yaml", "x")
    (home.dags / "bytes.yaml").write_bytes(b"\xff\xfe\0\1")
    write(home, "fine.yaml", GOOD)
    shelf.rescan()
    assert set(shelf.dags) == {"bytes.yaml", "fine.yaml"}
    assert set(shelf.errors) == {"bytes.yaml"}
    assert shelf.look([home.dags / "outside.yaml", outside, home.dags / "fifo.yaml"]) == set()


def closed(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Let these be refused, as modes cannot for root."""
    names, scandir, opened = {str(path) for path in paths}, os.scandir, os.open

    def refuse(path: Any) -> None:
        if str(path) in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", lambda path: refuse(path) or scandir(path))
    monkeypatch.setattr("os.open", lambda path, *more, **other: refuse(path) or opened(path, *more, **other))


def test_what_cannot_be_listed_stays_as_it_was_and_is_told(
    home: HomePaths, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.yaml", "sub/b.yaml", "sub.yaml"):
        write(home, name, GOOD)
    shelf.rescan()
    for folder, left in ((home.dags / "sub", "dags/sub/"), (home.dags, "dags/")):
        with monkeypatch.context() as patch:
            closed(patch, folder)
            assert shelf.rescan() == set()
            assert shelf.errors == {left: f"cannot list {folder}: Permission denied"}
            assert set(shelf.dags) == {"a.yaml", "sub/b.yaml", "sub.yaml"}
        assert shelf.rescan() == set()
        assert not shelf.errors
    (home.dags / "a.yaml").unlink()
    with monkeypatch.context() as patch:
        closed(patch, home.dags / "sub")
        assert shelf.rescan() == {"a.yaml"}


def test_a_file_that_may_not_be_read_is_tried_again(
    home: HomePaths, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(home, "a.yaml", GOOD)
    with monkeypatch.context() as patch:
        closed(patch, path)
        assert shelf.rescan() == {"a.yaml"}
        assert shelf.errors == {"a.yaml": f"cannot read {path}: Permission denied"}
        # What is known is no news.
        assert shelf.rescan() == set()
    assert shelf.rescan() == {"a.yaml"}
    assert not shelf.errors
    path.chmod(0o600)
    with monkeypatch.context() as patch:
        closed(patch, path)
        shelf.rescan()
    assert shelf.errors
    assert shelf.dags["a.yaml"].text == GOOD.encode()


# -- events --------------------------------------------------------------------------------------


def test_events_settle_when_a_file_is_closed_or_stands_still(tmp_path: Path) -> None:
    clock, woken = Clock(100), []
    watcher = Watcher(tmp_path, lambda: woken.append(1), clock)
    path = tmp_path / "a.yaml"
    watcher.noticed("created", str(path), False)
    watcher.noticed("modified", str(path), False)
    clock.now += 10
    assert watcher.settled() == ([], False)
    watcher.noticed("closed", str(path), False)
    assert watcher.settled() == ([], False)
    assert watcher.next_settled() == pytest.approx(0.2)
    clock.now += 0.3
    assert watcher.settled() == ([path], False)
    assert watcher.next_settled() is None
    watcher.noticed("closed", str(tmp_path / ".a.yaml.swp"), False)
    assert watcher.next_settled() is None
    assert len(woken) == 3
    watcher.noticed("moved", str(tmp_path / "folder"), True)
    assert watcher.settled() == ([], True)


def test_a_folder_that_is_not_there_is_a_problem_and_is_watched_once_it_is(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path / "dags", lambda: None)
    watcher.start()
    assert "cannot be watched" in watcher.problem
    (tmp_path / "dags").mkdir()
    assert watcher.check()
    assert not watcher.problem
    assert not watcher.check()
    (tmp_path / "dags").rename(tmp_path / "before")
    (tmp_path / "dags").mkdir()
    assert watcher.check()
    watcher.stop()


# -- files that start runs -----------------------------------------------------------------------


def test_a_folder_that_cannot_be_read_for_a_while_makes_no_file_new(
    home: HomePaths, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(Disk(), home.scheduler, lambda: utc("2026-01-01"))
    ledger.prepare()
    each = dag("load", cron(watch=("in/**/*.csv",)))
    (tmp_path / "in/deep").mkdir(parents=True)
    write_in(tmp_path, "a.csv", 1000)
    write_in(tmp_path, "deep/b.csv", 1000)
    inbox = Inbox(home, ledger, clock, Pace())
    assert not new_files(inbox, each)
    with monkeypatch.context() as patch:
        closed(patch, tmp_path / "in/deep")
        (tmp_path / "in/a.csv").unlink()
        assert not new_files(inbox, each)
    write_in(tmp_path, "a.csv", 900)
    assert not new_files(inbox, each)
    assert [job.params[0][1] for job in new_files(inbox, each)] == [str(tmp_path / "in/a.csv")]


def test_a_file_counts_once_it_stands_still(home: HomePaths, tmp_path: Path, clock: Clock) -> None:
    ledger = Ledger(Disk(), home.scheduler, lambda: utc("2026-01-01"))
    ledger.prepare()
    each = dag("load", cron(watch=("in/*.csv",)))
    (tmp_path / "in").mkdir()
    write_in(tmp_path, "old.csv", 1000)
    inbox = Inbox(home, ledger, clock, Pace())
    assert not new_files(inbox, each)
    path = write_in(tmp_path, "new.csv", 100)
    write_in(tmp_path, "new.txt", 100)
    assert not new_files(inbox, each)
    (job,) = new_files(inbox, each, had=True)
    assert job.params == (("file", str(path)),)
    assert not new_files(inbox, each)
    assert not new_files(Inbox(home, ledger, clock, Pace()), each)
    write_in(tmp_path, "new.csv", 50)
    new_files(inbox, each)
    (again,) = new_files(inbox, each)
    assert again.run != job.run
    write_in(tmp_path, "young.csv", 0.2)
    new_files(inbox, each)
    assert [found.params[0][1] for found in new_files(inbox, each)] == [str(path)]


@pytest.mark.parametrize("pattern", ["**/*.csv", "runs/in/*.csv", "link/**", "{home}/**/*.csv"])
def test_what_lies_with_the_runs_starts_none(
    home: HomePaths, tmp_path: Path, clock: Clock, pattern: str
) -> None:
    ledger = Ledger(Disk(), home.scheduler, lambda: utc("2026-01-01"))
    ledger.prepare()
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-runs")
    home.runs.rename(elsewhere)
    home.runs.symlink_to(elsewhere)
    (tmp_path / "link").symlink_to(home.runs)
    (tmp_path / "in").mkdir()
    (elsewhere / "in").mkdir()
    each = dag("load", cron(watch=(pattern.format(home=tmp_path),)))
    inbox = Inbox(home, ledger, clock, Pace())
    new_files(inbox, each)
    mine = write_in(tmp_path, "new.csv", 100)
    write_in(elsewhere, "log.csv", 100)
    new_files(inbox, each)
    found = {job.params[0][1] for job in new_files(inbox, each)}
    assert found <= {str(mine)}
    assert bool(found) == ("**/*" in pattern)


def test_a_look_is_broken_off_and_goes_on_where_it_was(home: HomePaths, tmp_path: Path, clock: Clock) -> None:
    inbox, ledger, pace = patient(home, clock)
    large, small = dag("large", cron(watch=("in/**/*.csv",))), dag("small", cron(watch=("small/*.csv",)))
    for place in range(200):
        (tmp_path / f"in/{place}").mkdir(parents=True)
    (tmp_path / "small").mkdir()
    pace.step = 0.001
    list(inbox.new_files([large, small]))
    # The one is not through, and kept the other waiting for its turn alone.
    assert inbox.is_behind
    assert ledger.files_seen(large.key) is None
    assert ledger.files_seen(small.key) == {}
    assert inbox.rest_sec > 0.4
    while inbox.is_behind:
        list(inbox.new_files([large, small]))
    assert ledger.files_seen(large.key) == {}
    pace.step = 0
    path = write_in(tmp_path, "199/new.csv", 100)
    new_files(inbox, large)
    assert [job.params for job in new_files(inbox, large)] == [(("file", str(path)),)]
    assert inbox.rest_sec == 0


def test_what_comes_while_a_first_pass_goes_on_is_new(home: HomePaths, tmp_path: Path) -> None:
    inbox, _, pace = patient(home, Clock(time.time() - 60))
    each = dag("large", cron(watch=("in/**/*.csv",)))
    for place in range(200):
        (tmp_path / f"in/{place}").mkdir(parents=True)
    pace.step = 0.001
    new_files(inbox, each)
    assert inbox.is_behind
    inbox._clock = time.time
    paths = {str(write_in(tmp_path, f"{place}/new.csv", 100)) for place in range(200)}
    found: set[str] = set()
    for _ in range(400):
        found |= {job.params[0][1] for job in new_files(inbox, each, had=True)}
    assert found == paths


def test_starts_that_take_long_are_spread_over_looks(home: HomePaths, tmp_path: Path, clock: Clock) -> None:
    inbox, ledger, pace = patient(home, clock)
    (tmp_path / "in").mkdir()
    each = dag("load", cron(watch=("in/*.csv",)))
    new_files(inbox, each)
    paths = [str(write_in(tmp_path, f"{place}.csv", 100)) for place in range(9)]
    new_files(inbox, each)
    found: list[str] = []
    for count in (3, 6, 9):
        for dag_of_it, job in inbox.new_files([each]):
            pace.now += 0.02
            inbox.had(dag_of_it, job)
            found.append(job.params[0][1])
        assert len(ledger.files_seen(each.key) or ()) == count
    assert found == paths
    assert not inbox.is_behind


def test_a_pass_that_takes_long_is_told_of_once(home: HomePaths, tmp_path: Path, clock: Clock) -> None:
    inbox, ledger, pace = patient(home, clock)
    each = dag("large", cron(watch=("in/**/*.csv",)))
    for place in range(100):
        (tmp_path / f"in/{place}").mkdir(parents=True)
    pace.step = 1
    for _ in range(300):
        new_files(inbox, each)
    (note,) = ledger.notes()
    assert note["event"] == "slow_watch"
    assert note["dag"] == "large"
    assert note["watch"] == "in/**/*.csv"
    assert 0 < note["folders"] < 100


def test_other_patterns_are_another_pass(home: HomePaths, tmp_path: Path, clock: Clock) -> None:
    inbox, _, _ = patient(home, clock)
    (tmp_path / "in").mkdir()
    new_files(inbox, dag("load", cron(watch=("in/*.csv",))))
    path = write_in(tmp_path, "new.txt", 100)
    other = dag("load", cron(watch=("in/*.txt",)))
    new_files(inbox, other)
    assert [job.params[0][1] for job in new_files(inbox, other)] == [str(path)]


class Pace:
    """A clock that goes on by a step with each look at it."""

    def __init__(self) -> None:
        self.now = self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def patient(home: HomePaths, clock: Clock) -> tuple[Inbox, Ledger, Pace]:
    ledger, pace = Ledger(Disk(), home.scheduler, lambda: utc("2026-01-01")), Pace()
    ledger.prepare()
    return Inbox(home, ledger, clock, pace), ledger, pace


def new_files(inbox: Inbox, each: Shelved, *, had: bool = False) -> list[Job]:
    found = []
    for dag_of_it, job in inbox.new_files([each]):
        found.append(job)
        if had:
            inbox.had(dag_of_it, job)
    return found


def write_in(folder: Path, name: str, age: float) -> Path:
    path = folder / "in" / name
    path.write_text(name)
    os.utime(path, (2e9 - age, 2e9 - age))
    return path


# -- many files, and file systems of others ------------------------------------------------------


def test_a_look_at_many_files_can_be_broken_off(home: HomePaths, shelf: Shelf) -> None:
    for place in range(5):
        write(home, f"{place}.yaml", GOOD)
    found: set[str] = set()
    for _ in range(5):
        (one,) = shelf.rescan(enough=lambda: True)
        found.add(one)
    assert len(found) == 5
    assert shelf.rescan(enough=lambda: True) == set()
    assert not shelf.is_unfinished
    (home.dags / "3.yaml").unlink()
    assert shelf.rescan(enough=lambda: True) == {"3.yaml"}


def test_a_file_of_any_size_is_refused_before_it_is_read(home: HomePaths, shelf: Shelf) -> None:
    path = write(home, "huge.yaml", "steps: [")
    os.truncate(path, 1 << 40)
    os.utime(path, (1e9, 1e9))
    shelf.rescan()
    assert "larger than" in shelf.errors["huge.yaml"]


def test_a_file_that_goes_away_takes_its_schedule_along(home: HomePaths, shelf: Shelf) -> None:
    path = write(home, "a.yaml", GOOD)
    shelf.rescan()
    path.rename(home.dags / "b.yaml")
    assert shelf.rescan() == {"a.yaml", "b.yaml"}
    assert set(shelf.dags) == {"b.yaml"}


def test_names_that_differ_in_case_are_two_files(home: HomePaths, shelf: Shelf) -> None:
    write(home, "A.yaml", GOOD)
    write(home, "a.yaml", GOOD)
    assert shelf.rescan() == {"A.yaml", "a.yaml"}
    assert len({each.digest + key for key, each in shelf.dags.items()}) == 2


def test_what_watchdog_says_in_its_log_has_all_files_looked_at(tmp_path: Path) -> None:
    woken: list[int] = []
    watcher = Watcher(tmp_path, lambda: woken.append(1))
    watcher.start()
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
    assert watcher.settled() == ([], True)
    assert woken
    watcher.stop()
    assert not logging.getLogger("watchdog").handlers


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/net/home/dags", "nfs4"),
        ("/net/home", "nfs4"),
        ("/net/homework", ""),
        ("/with space/x", "cifs"),
        ("/ours/over", ""),
        ("/sshfs/x", "fuse.sshfs"),
        ("/usr", ""),
    ],
)
def test_file_systems_that_others_write_to_are_known(folder: str, kind: str) -> None:
    table = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:50 / /net/home rw shared:1 - nfs4 server:/home rw
31 22 0:51 / /with\\040space rw - cifs //server/x rw
32 22 0:52 / /ours/over rw - nfs server:/o rw
33 32 0:53 / /ours/over rw - tmpfs tmpfs rw
34 22 0:54 / /sshfs rw - fuse.sshfs me@there: rw
a line of another kind
"""
    assert remote_kind(Path(folder), table) == kind


def test_another_base_yaml_is_another_reading_of_every_file(home: HomePaths, shelf: Shelf) -> None:
    write(home, "a.yaml", GOOD)
    write(home, "b.yaml", GOOD)
    shelf.rescan()
    shelf.renew(Options(base=b"queue: slow\n", base_file="base.yaml"))
    assert shelf.rescan(enough=lambda: True) == {"a.yaml"} or shelf.is_unfinished
    shelf.rescan()
    assert {each.queue for each in shelf.dags.values()} == {"slow"}
    assert shelf.rescan() == set()


def test_what_is_known_to_be_written_is_left_however_old_it_looks(home: HomePaths, shelf: Shelf) -> None:
    write(home, "a.yaml", GOOD)
    shelf.rescan()
    path = write(home, "a.yaml", GOOD + "name: half\n", age=50)
    write(home, "b.yaml", GOOD)
    assert shelf.rescan(being_written={str(path)}) == {"b.yaml"}
    assert shelf.dags["a.yaml"].name == "a"
    assert not shelf.has_unsettled
    assert shelf.rescan() == {"a.yaml"}


def test_a_file_is_being_written_from_its_first_event_until_it_settles(home: HomePaths, clock: Clock) -> None:
    watcher = Watcher(home.dags, lambda: None, clock)
    path = str(home.dags / "a.yaml")
    watcher.noticed("modified", path, False)
    assert watcher.being_written() == {path}
    watcher.noticed("closed", path, False)
    clock.now += 1
    assert watcher.settled()[0] == [Path(path)]
    assert watcher.being_written() == set()
