"""Archives of every format, made, listed and unpacked; and what no archive can do."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.executors.archive import FORMATS, Archive
from dagfs.executors.child import packed
from dagfs.hooks.executor import StepRequest
from dagfs.hooks.testing import ExecutorContract, Outcome, run
from dagfs.model.dag import Step


class TestArchive(ExecutorContract):
    executor = Archive()
    accepted = (
        {"source": "data", "destination": "out.tar.gz", "format": "tar.gz"},
        {"source": ["data", "b"], "destination": "out.zip", "compressionLevel": 9, "dryRun": True},
    )
    refused = (
        {"destination": "x.zip"},
        {"source": "data"},
        {"source": "data", "destination": "x", "format": "rar"},
        {"source": "data", "destination": "x.zip", "password": "p"},
        {"source": "data", "destination": "x.zip", "overwrite": "perhaps"},
    )
    step = Step(name="pack", command=("create",))

    def request(self, folder: Path, settings: object = None, try_: int = 1) -> StepRequest:
        return super().request(folder, settings, try_)

    def test_the_step_runs_and_ends_as_said(self, tmp_path: Path) -> None:
        tree(tmp_path)
        super().test_the_step_runs_and_ends_as_said(tmp_path)
        with tarfile.open(tmp_path / "out.tar.gz") as made:
            assert sorted(made.getnames()) == ["data/a.txt", "data/link", "data/sub/b.csv"]


def tree(folder: Path) -> None:
    (folder / "data/sub").mkdir(parents=True)
    (folder / "data/a.txt").write_text("alpha\n" * 100)
    (folder / "data/a.txt").chmod(0o640)
    (folder / "data/sub/b.csv").write_bytes(b"\0\xff" * 50)
    (folder / "data/link").symlink_to("a.txt")


def do(folder: Path, verb: str, **config: object) -> Outcome:
    request = replace(TestArchive().request(folder, config), command=(verb,))
    return run(Archive().prepare(request), folder)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_packed_comes_out_the_same(tmp_path: Path, kind: str) -> None:
    tree(tmp_path)
    made = do(tmp_path, "create", source="data", destination=f"x.{kind}", verifyIntegrity=True)
    assert (made.code, made.out) == (0, f"packed 3 files: x.{kind}\n"), made
    assert do(tmp_path, "list", source=f"x.{kind}").out.splitlines() == [
        "data/a.txt",
        "data/link",
        "data/sub/b.csv",
    ]
    out = do(tmp_path, "extract", source=f"x.{kind}", destination="to/there")
    assert (out.code, out.out) == (0, "unpacked 3 files: to/there\n"), out
    there = tmp_path / "to/there/data"
    assert (there / "a.txt").read_text() == "alpha\n" * 100
    assert stat.S_IMODE((there / "a.txt").stat().st_mode) == 0o640
    assert (there / "sub/b.csv").read_bytes() == b"\0\xff" * 50
    assert os.readlink(there / "link") == "a.txt"


def test_patterns_strip_and_flat(tmp_path: Path) -> None:
    tree(tmp_path)
    do(tmp_path, "create", source=["data"], destination="x.tar", exclude="link")
    assert do(tmp_path, "list", source="x.tar", include=["*.csv"]).out == "data/sub/b.csv\n"
    assert do(tmp_path, "list", source="x.tar", include="data/sub/*").out == "data/sub/b.csv\n"
    do(tmp_path, "extract", source="x.tar", destination="s", stripComponents=1)
    assert sorted(str(p.relative_to(tmp_path / "s")) for p in (tmp_path / "s").rglob("*") if p.is_file()) == [
        "a.txt",
        "sub/b.csv",
    ]
    do(tmp_path, "extract", source="x.tar", destination="f", preservePaths=False, exclude="*.txt")
    assert os.listdir(tmp_path / "f") == ["b.csv"]
    found = do(tmp_path, "list", source="x.tar", verbose=True, include="*.csv").out
    assert {"name": "data/sub/b.csv", "size": 100, "type": "file"}.items() <= json.loads(found).items()


def test_dry_runs_write_nothing(tmp_path: Path) -> None:
    tree(tmp_path)
    assert do(tmp_path, "create", source="data", destination="x.zip", dryRun=True).out.startswith(
        "would pack data/"
    )
    assert not (tmp_path / "x.zip").exists()
    do(tmp_path, "create", source="data", destination="x.zip")
    assert (
        "would unpack data/a.txt" in do(tmp_path, "extract", source="x.zip", destination="t", dryRun=True).out
    )
    assert not (tmp_path / "t").exists()


def test_nothing_is_replaced_unasked_and_nothing_is_left_half(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "x.zip").write_text("mine")
    again = do(tmp_path, "create", source="data", destination="x.zip")
    assert again.code == 1
    assert "`overwrite: true` replaces it" in again.err
    assert (tmp_path / "x.zip").read_text() == "mine"
    os.mkfifo(tmp_path / "data/pipe")
    odd = do(tmp_path, "create", source="data", destination="x.zip", overwrite=True)
    assert (odd.code, odd.err) == (1, "archive: data/pipe is neither a file nor a link\n")
    assert (tmp_path / "x.zip").read_text() == "mine"
    assert not (tmp_path / "x.zip.part").exists()
    most = do(tmp_path, "create", source="data", destination="x.zip", overwrite=True, continueOnError=True)
    assert most.code == 1
    assert zipfile.ZipFile(tmp_path / "x.zip").testzip() is None
    assert do(tmp_path, "extract", source="x.zip", destination=".").code == 1
    assert do(tmp_path, "extract", source="x.zip", destination=".", overwrite=True).code == 0


def test_an_archive_does_not_pack_itself(tmp_path: Path) -> None:
    tree(tmp_path)
    do(tmp_path, "create", source=".", destination="data/x.tar")
    assert "x.tar" not in do(tmp_path, "list", source="data/x.tar").out


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "no archive"])
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_damage_is_one_line(tmp_path: Path, kind: str, damage: str) -> None:
    tree(tmp_path)
    do(tmp_path, "create", source="data", destination=f"x.{kind}")
    path = tmp_path / f"x.{kind}"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 0xFF
    path.write_bytes({"cut": data[:middle], "flipped": data, "empty": b"", "no archive": b"hello"}[damage])
    got = do(tmp_path, "extract", source=f"x.{kind}", destination="t", verifyIntegrity=True)
    if damage != "flipped" or got.code:
        assert got.code == 1, got
        assert got.err.startswith("archive: ")
        assert got.err.count("\n") == 1


# -- hostile archives ------------------------------------------------------------------------------


def evil_tar(path: Path, *entries: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w") as file:
        for entry in entries:
            entry.size = 5 if entry.isfile() else 0
            file.addfile(entry, io.BytesIO(b"pwned"))


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, 0o6777
    return made


HOSTILE = {
    "parent": [entry("../pwned")],
    "parent inside": [entry("a/../../pwned")],
    "absolute": [entry("/tmp/pwned")],
    "link out": [entry("x", tarfile.SYMTYPE, "../../pwned"), entry("x")],
    "absolute link": [entry("x", tarfile.SYMTYPE, "/etc/passwd")],
    "through a link": [
        entry("d", tarfile.SYMTYPE, "."),
        entry("d/e", tarfile.SYMTYPE, ".."),
        entry("d/e/pwned"),
    ],
    "device": [entry("null", tarfile.CHRTYPE)],
    "pipe": [entry("pipe", tarfile.FIFOTYPE)],
    "hard link out": [entry("x", tarfile.LNKTYPE, "/etc/passwd")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_leaves_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "box").mkdir()
    evil_tar(tmp_path / "evil.tar", *HOSTILE[name])
    got = do(tmp_path, "extract", source="evil.tar", destination="box/t", overwrite=True)
    assert got.code == 1, got
    assert got.err.count("\n") == 1
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("/tmp/pwned").exists()


def test_a_folder_that_is_a_link_already_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "t/d").symlink_to(tmp_path / "elsewhere")
    evil_tar(tmp_path / "evil.tar", entry("d/pwned"))
    assert do(tmp_path, "extract", source="evil.tar", destination="t").code == 1
    assert os.listdir(tmp_path / "elsewhere") == []


def test_special_bits_are_not_taken_over(tmp_path: Path) -> None:
    evil_tar(tmp_path / "evil.tar", entry("tool"))
    assert do(tmp_path, "extract", source="evil.tar", destination="t").code == 0
    assert stat.S_IMODE((tmp_path / "t/tool").stat().st_mode) & 0o7000 == 0


def test_zips_cannot_leave_either(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../pwned", "x")
    got = do(tmp_path, "extract", source="evil.zip", destination="t")
    assert got.code == 1
    assert "leads out of the folder" in got.err
    assert not (tmp_path / "pwned").exists()


def test_a_bomb_stops_at_its_bound(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", b"\0" * 20_000_000)
    got = do(
        tmp_path, "extract", source="bomb.zip", destination="t", maxBytes=1_000_000, continueOnError=True
    )
    assert got.code == 1
    assert "more than `max_bytes`" in got.err
    assert (tmp_path / "t/zeros").stat().st_size <= 1_000_000


@given(st.text(alphabet="ab./\\\0", max_size=12))
@settings(max_examples=300)
def test_no_name_has_a_part_that_leads_up(name: str) -> None:
    try:
        parts = packed._parts(name)
    except ValueError:
        return
    assert parts
    assert not {"..", ".", ""} & set(parts)
    assert not any("/" in part or "\0" in part for part in parts)
