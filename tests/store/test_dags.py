from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dagfs.errors import NotFound, StoreError, UsageError
from dagfs.store import dags
from dagfs.store.layout import HomePaths


@pytest.fixture
def home(tmp_path: Path) -> HomePaths:
    for name in ("a.yaml", "sub/b.yml", "sub/deep/c.yaml", "x/same.yaml", "y/same.yaml"):
        path = tmp_path / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("steps: []")
    return HomePaths(tmp_path)


def relative(home: HomePaths) -> list[str]:
    return [str(path.relative_to(home.dags)) for path in dags.names(home)]


def test_only_dag_files_are_listed(home: HomePaths, tmp_path: Path) -> None:
    for name in (
        ".a.yaml.swp",
        ".hidden.yaml",
        "a.yaml~",
        "#a.yaml#",
        ".#a.yaml",
        "4913",
        "notes.txt",
        "a.yaml.bak",
    ):
        (home.dags / name).touch()
    (home.dags / "folder.yaml").mkdir()
    (home.dags / ".git").mkdir()
    (home.dags / ".git/x.yaml").touch()
    (tmp_path / "out.yaml").touch()
    (home.dags / "link.yaml").symlink_to(tmp_path / "out.yaml")
    (home.dags / "loop.yaml").symlink_to("loop.yaml")
    (home.dags / "inner.yaml").symlink_to("a.yaml")
    assert relative(home) == [
        "a.yaml",
        "inner.yaml",
        "sub/b.yml",
        "sub/deep/c.yaml",
        "x/same.yaml",
        "y/same.yaml",
    ]


def test_a_home_without_dags_has_none(tmp_path: Path) -> None:
    assert dags.names(HomePaths(tmp_path)) == []


def test_folders_that_cannot_be_listed_are_named(home: HomePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, scandir = {str(home.dags / "sub")}, os.scandir

    def listed(path: str) -> object:
        if str(path) in closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", listed)
    unread = dags.Unread()
    assert len(dags.names(home, unread)) == 3
    assert {key: error.message for key, error in unread.items()} == {
        "sub/": f"cannot list {home.dags / 'sub'}: Permission denied"
    }
    assert dags.is_unread("sub/deep/c.yaml", unread)
    assert not dags.is_unread("sub.yaml", unread)
    closed.add(str(home.dags))
    with pytest.raises(StoreError, match="cannot list"):
        dags.names(home)
    with pytest.raises(StoreError, match="cannot list"):
        dags.find(home, "nothing")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a", "a.yaml"),
        ("a.yaml", "a.yaml"),
        ("sub/b", "sub/b.yml"),
        ("b", "sub/b.yml"),
        ("c", "sub/deep/c.yaml"),
    ],
)
def test_a_dag_is_found_by_name(name: str, found: str, home: HomePaths) -> None:
    assert dags.find(home, name) == home.dags / found


def test_a_dag_is_found_by_its_path(home: HomePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.dags / "sub")
    assert dags.find(home, "./b.yml") == Path("b.yml")
    assert dags.find(home, str(home.dags / "a.yaml")) == home.dags / "a.yaml"


def test_a_name_that_is_several_or_none(home: HomePaths) -> None:
    with pytest.raises(UsageError, match=r"x/same\.yaml, y/same\.yaml"):
        dags.find(home, "same")
    (home.dags / "nightly.yaml").touch()
    with pytest.raises(NotFound) as caught:
        dags.find(home, "nigthly")
    assert caught.value.hint == "did you mean nightly?"
    for name in ("", "a\0b", "sub", "../../etc/none"):
        with pytest.raises(NotFound):
            dags.find(home, name)


@pytest.mark.parametrize("name", ["a", "a.yaml", "sub/b", "b", "c", "x/same"])
def test_whoever_may_not_name_other_files_finds_those_of_the_home(name: str, home: HomePaths) -> None:
    assert dags.find_inside(home, name) == dags.find(home, name)


@pytest.mark.parametrize(
    "name", ["out", "../out", "sub/../../out", "link", "", "sub", "a\0b", "..", "a" * 5000]
)
def test_and_no_others(name: str, home: HomePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.yaml").touch()
    (home.dags / "link.yaml").symlink_to(tmp_path / "out.yaml")
    monkeypatch.chdir(tmp_path)
    for each in (name, f"{name}.yaml", str(tmp_path / f"{name}.yaml")):
        with pytest.raises(NotFound):
            dags.find_inside(home, each)
