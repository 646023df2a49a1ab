"""The doctor: what it looks at, that it finds what is wrong, and that it leaves nothing behind."""

import os
from pathlib import Path

import pytest

from dagfs.engine.checkup import Check, Level, Patient, examine, mounted
from dagfs.engine.home import read_home
from dagfs.store import locks
from dagfs.store.layout import HomePaths

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 22 0:27 / /data rw - xfs /dev/sdb rw
32 31 0:28 / /data/my\\040runs rw - nfs4 server:/export rw
33 22 0:29 / /data rw - btrfs /dev/sdc rw
broken line
"""
ENV = {"HOME": "/nowhere", "PATH": os.defpath, "SHELL": "/bin/sh"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    for folder in (path, path / "dags", path / "plugins"):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    (path / "dagfs.yaml").write_text("")
    store = read_home(path).store.ensure()
    (path / "dagfs.yaml").write_text(f"store: {{id: {store}}}\n")
    return path


def look(home: Path, **env: str) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in examine(Patient(HomePaths(home), {**ENV, **env})):
        found.setdefault(check.name, []).append(check)
    return found


def only(found: dict[str, list[Check]], name: str) -> Check:
    assert len(found[name]) == 1, found[name]
    return found[name][0]


def test_a_sound_home_has_no_problems_and_nothing_is_left_in_it(home: Path) -> None:
    before = {str(path): path.stat().st_mode for path in home.rglob("*")}
    found = look(home)
    wrong = [check for checks in found.values() for check in checks if check.level is Level.PROBLEM]
    # Free space is the machine's own affair.
    assert [check for check in wrong if check.name != "space"] == []
    assert {str(path): path.stat().st_mode for path in home.rglob("*")} == before


def test_every_problem_says_what_to_do(home: Path) -> None:
    (home / "plugins/broken.py").write_text("import no_such_module_anywhere\n")
    (home / "plugins/broken.py").chmod(0o644)
    (home / "dags").chmod(0o777)
    (home / "runs").chmod(0o755)
    (home / "runs/.stage-0123").mkdir()
    (home / "runs/20260101-000000-x-aaaa").mkdir()
    found = look(home, SHELL="/no/such/shell")
    assert only(found, "plugins").level is Level.PROBLEM
    assert "no_such_module_anywhere" in only(found, "plugins").message
    assert "broken.py" in only(found, "plugins").hint
    assert only(found, "shell").level is Level.PROBLEM
    assert {check.level for check in found["permissions"]} == {Level.PROBLEM, Level.WARNING}
    assert any(check.hint == f"chmod o-w {home / 'dags'}" for check in found["permissions"])
    assert only(found, "leftovers").level is Level.WARNING
    assert "fsck 20260101-000000-x-aaaa" in only(found, "runs").hint
    assert all(check.hint for checks in found.values() for check in checks if check.level is not Level.OK)


def test_another_store_is_noticed(home: Path) -> None:
    (home / "dagfs.yaml").write_text("store: {id: abc}\n")
    check = only(look(home), "store")
    assert check.level is Level.PROBLEM
    assert "abc" in check.message
    (home / "runs/.dagfs-store").chmod(0o600)
    (home / "runs/.dagfs-store").unlink()
    assert "mounted" in only(look(home), "store").hint


def test_a_broken_dagfs_yaml_is_a_problem_with_its_line(home: Path) -> None:
    (home / "dagfs.yaml").write_text("dialekt: auto\n")
    check = only(look(home), "home")
    assert check.level is Level.PROBLEM
    assert "dagfs.yaml:1:1" in check.message
    assert "dialect" in check.hint


def test_a_home_without_a_store_is_fine(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert only(found, "store").level is Level.OK
    assert only(found, "home").level is Level.WARNING
    assert not (tmp_path / "runs").exists()


def test_locks_that_do_not_hold_are_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        def release(self) -> None:
            pass

    monkeypatch.setattr(locks, "_file_lock", lambda path, mode: Anything())
    check = only(look(home), "locks")
    assert check.level is Level.PROBLEM
    assert "held" in check.message
    assert sorted(path.name for path in (home / "runs").iterdir()) == [".dagfs-store"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv", ("ext4", "/")),
        ("/data/x", ("btrfs", "/data")),
        ("/data/my runs/a", ("nfs4", "/data/my runs")),
        ("/database", ("ext4", "/")),
    ],
)
def test_the_file_system_of_a_path_is_the_innermost_and_newest(path: str, expected: tuple[str, str]) -> None:
    assert mounted(TABLE, path) == expected
