from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dagfs.errors import StoreError
from dagfs.store.files import Disk, open_regular, read_bytes

from .disks import CountingDisk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_and_leaves_nothing_behind(tmp_path: Path) -> None:
    Disk().put_new(tmp_path / "a", b"x")
    Disk().put_new(tmp_path / "b", b"y", immutable=True)
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {"a": 0o600, "b": 0o400}
    with pytest.raises(FileExistsError):
        Disk().put_new(tmp_path / "a", b"z")
    assert (tmp_path / "a").read_bytes() == b"x"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_group_may_share_whatever_the_umask_is(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        disk = Disk(group=True)
        disk.make_dir(tmp_path / "d")
        disk.put_new(tmp_path / "d/a", b"")
        disk.put_new(tmp_path / "d/b", b"", immutable=True)
        disk.open_append(tmp_path / "d/c").close()
    finally:
        os.umask(old)
    assert mode(tmp_path / "d") == 0o2770
    assert [mode(tmp_path / "d" / name) for name in "abc"] == [0o660, 0o440, 0o660]


def test_replacing_never_shows_a_part(tmp_path: Path) -> None:
    disk = CountingDisk()
    disk.replace(tmp_path / "a", b"1")
    disk.replace(tmp_path / "a", b"2", durable=True)
    assert (tmp_path / "a").read_bytes() == b"2"
    assert [op for op, _ in disk.ops] == [
        "create",
        "write",
        "rename",
        "create",
        "write",
        "fsync",
        "rename",
        "fsync_dir",
    ]


def test_everything_is_synced_before_a_file_or_folder_appears(tmp_path: Path) -> None:
    disk = CountingDisk()
    disk.put_new(tmp_path / "a", b"1")
    assert [op for op, _ in disk.ops] == ["create", "write", "fsync", "link", "unlink", "fsync_dir"]
    disk.make_dir(tmp_path / "s")
    disk.make_dir(tmp_path / "s/t")
    disk.put_staged(tmp_path / "s/t/x", b"1")
    disk.ops.clear()
    disk.publish_dir(tmp_path / "s", tmp_path / "d")
    assert [(op, os.path.basename(path)) for op, path in disk.ops[:4]] == [
        ("fsync", "x"),
        ("fsync_dir", "t"),
        ("fsync_dir", "s"),
        ("rename", "s"),
    ]
    assert disk.ops[4:] == [("fsync_dir", str(tmp_path))]


def test_a_folder_is_never_published_over_another(tmp_path: Path) -> None:
    disk = Disk()
    for name in "sd":
        disk.make_dir(tmp_path / name)
        disk.put_staged(tmp_path / name / "x", name.encode())
    with pytest.raises(FileExistsError):
        disk.publish_dir(tmp_path / "s", tmp_path / "d")
    assert (tmp_path / "d/x").read_bytes() == b"d"


def test_a_link_changes_its_target_at_once(tmp_path: Path) -> None:
    for target in ("1/s", "2/s"):
        Disk().replace_link(tmp_path / "l", target)
        assert os.readlink(tmp_path / "l") == target
    assert os.listdir(tmp_path) == ["l"]


def test_short_writes_are_carried_on(tmp_path: Path) -> None:
    class Short(Disk):
        def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:
            return os.write(fd, data[:3])

    Short().put_new(tmp_path / "a", b"0123456789")
    appender = Short().open_append(tmp_path / "a", reserve=4096)
    appender.write(b"0123456789")
    appender.sync()
    assert appender.size == 20
    appender.close()
    assert read_bytes(tmp_path / "a") == b"0123456789" * 2
    with pytest.raises(StoreError, match="closed"):
        appender.write(b"x")


def test_appending_survives_a_disk_that_cannot_reserve(tmp_path: Path) -> None:
    class Plain(CountingDisk):
        def reached(self, op: str, path: str) -> bool:
            return op == "reserve"

        def refuse(self) -> None:
            raise OSError(95, "Operation not supported")

    appender = Plain().open_append(tmp_path / "a", reserve=4096, exclusive=True)
    appender.write(b"x" * 10_000)
    appender.close()
    with pytest.raises(FileExistsError):
        Disk().open_append(tmp_path / "a", exclusive=True)


@pytest.mark.parametrize("number", [13, 28, 30, 122])
def test_an_error_names_path_cause_and_remedy(number: int, tmp_path: Path) -> None:
    class Refusing(CountingDisk):
        def reached(self, op: str, path: str) -> bool:
            return op == "link"

        def refuse(self) -> None:
            raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError) as caught:
        Refusing().put_new(tmp_path / "a", b"x")
    assert str(tmp_path / "a") in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert caught.value.hint
    assert os.listdir(tmp_path) == []


def test_removing_a_tree_follows_no_link(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/c").write_text("x")
    (tree / "a/link").symlink_to(keep)
    os.mkfifo(tree / "a/fifo")
    Disk().remove_tree(tree)
    Disk().remove_tree(tree)
    assert not tree.exists()
    assert (keep / "file").exists()
    (tmp_path / "l").symlink_to(keep)
    with pytest.raises(StoreError):
        Disk().remove_tree(tmp_path / "l")


def test_only_regular_files_are_read_and_none_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("x")
    for name in ("fifo", "link", "."):
        with pytest.raises(StoreError, match=str(tmp_path)):
            open_regular(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")


def test_planted_links_are_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(StoreError):
        Disk().open_append(tmp_path / "link")
    with pytest.raises(FileExistsError):
        Disk().put_new(tmp_path / "link", b"y")
    Disk().replace(tmp_path / "link", b"y")
    assert (tmp_path / "target").read_text() == "x"
