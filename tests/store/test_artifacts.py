"""What steps leave, listed and opened without following anything out of its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dagfs.errors import NotFound
from dagfs.store.artifacts import listed, open_artifact


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_files_are_listed_by_name_and_folders_gone_through(tmp_path: Path) -> None:
    made(tmp_path, "b", "a/two", "a/one", "c")
    (tmp_path / "link").symlink_to("b")
    os.mkfifo(tmp_path / "pipe")
    found, is_cut = listed(tmp_path, 10)
    assert [each.name for each in found] == ["b", "c", "a/one", "a/two"]
    assert found[0].size == 1
    assert not is_cut


def test_only_so_many_are_listed(tmp_path: Path) -> None:
    made(tmp_path, *(f"file {n:03}" for n in range(50)))
    found, is_cut = listed(tmp_path, 20)
    assert (len(found), is_cut) == (20, True)
    assert listed(tmp_path / "gone", 20) == ([], False)


def test_a_file_is_opened_by_its_path_below_the_folder(tmp_path: Path) -> None:
    made(tmp_path, "a/b/c")
    with open(open_artifact(tmp_path, "a/b/c"), "rb") as file:
        assert file.read() == b"a/b/c"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../x",
        "/etc/passwd",
        "a//b",
        "a\0",
        "gone",
        "a",
        "x/y",
        "link",
        "out/passwd",
        "pipe",
    ],
)
def test_no_other_name_is_opened(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path / "artifacts", "a/b", "x")
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to("../outside")
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    with pytest.raises(NotFound):
        open_artifact(folder, name)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    made(tmp_path, "a/b")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a", "gone", "a/gone", "a/b/c"):
        with pytest.raises(NotFound):
            open_artifact(tmp_path, name)
    assert len(os.listdir("/proc/self/fd")) == before
