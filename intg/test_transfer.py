"""A run goes to another machine, is mended there, and comes back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from intg.conftest import new_home
from intg.home import Home

DAG = """
name: job
steps:
  - name: extract
    run: |
      echo data > "$DAGFS_ARTIFACTS_DIR/data.txt"
      echo shared > "$DAGFS_WORK_DIR/file"
      echo extract >> "$DAG_DESK/count"
  - name: load
    depends: extract
    run: cat ${extract.artifacts}/data.txt "$DAGFS_WORK_DIR/file" && test -e "$DAG_DESK/go"
"""


@pytest.fixture
def archive(home: Home) -> Path:
    """A failed run as a file."""
    home.dag("job", DAG)
    home.dagfs("run", "job", "--id", "first").exits(1)
    path = home.file("run.tar.gz")
    home.dagfs("export", "first", "-o", str(path)).exits(0)
    return path


def test_it_is_mended_elsewhere_and_brought_back(home: Home, archive: Path, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    with new_home(desk) as there:
        there.dagfs("import", str(archive)).exits(0).says("first")
        there.dagfs("fsck").exits(0)
        there.dagfs("plan", "first").exits(0).never_says("work.changed", "outputs.verify").says(
            "keep extract"
        )
        there.file("go").touch()
        there.dagfs("retry", "first").exits(0)
        assert there.log("load", 2) == "data\nshared\n"
        assert there.lines("count") == []
        there.dagfs("export", "first", "-o", str(tmp_path / "back.tar.gz")).exits(0)
    home.dagfs("import", str(tmp_path / "back.tar.gz")).exits(0)
    assert home.status()["state"] == "succeeded"
    assert home.log("load", 2) == "data\nshared\n"
    home.dagfs("fsck").exits(0)
    home.dagfs("import", str(tmp_path / "back.tar.gz")).exits(7).in_one_line()
    home.dagfs("import", str(archive)).exits(7).in_one_line()


def test_where_both_sides_went_on_nothing_is_lost(home: Home, archive: Path, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    with new_home(desk) as there:
        there.dagfs("import", str(archive)).exits(0)
        there.dagfs("retry", "first").exits(1)
        there.dagfs("export", "first", "-o", str(tmp_path / "back.tar.gz")).exits(0)
    home.dagfs("retry", "first").exits(1)
    before = home.listing("runs/first/attempts")
    back = str(tmp_path / "back.tar.gz")
    home.dagfs("import", back).exits(5).in_one_line().says("went on here, and elsewhere too")
    home.dagfs("import", back, "--as", "second").exits(0)
    assert home.listing("runs/first/attempts") == before
    found = home.dagfs("show", "second", "--json").json
    assert (found["parent"], len(found["attempts"])) == ("first", 2)
    home.dagfs("fsck").exits(0)


def test_through_a_pipe(home: Home, archive: Path) -> None:
    home.shell("dagfs export first | dagfs import - --as piped")
    assert home.dagfs("status", "piped", "--json").json["state"] == "failed"
    home.dagfs("export", "first", "-o", str(archive)).exits(5).in_one_line().says("exists already")


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for each, type_ in (("bad", tarfile.DIRTYPE), (name, kind)):
            info = tarfile.TarInfo(each)
            info.type, info.linkname = type_, link if each == name else ""
            archive.addfile(info, io.BytesIO(b""))
        if kind == tarfile.SYMTYPE:
            archive.addfile(tarfile.TarInfo(f"{name}/inside"), io.BytesIO(b""))
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        evil("../../escaped"),
        evil("/tmp/escaped"),
        evil("bad/../../escaped"),
        evil("bad/link", tarfile.SYMTYPE, "/tmp"),
        evil("bad/device", tarfile.CHRTYPE),
        evil("other/file"),
        evil("bad/run.json"),
        evil("bad/file"),
    ],
)
def test_what_is_no_archive_of_a_run_leaves_nothing(home: Home, data: bytes) -> None:
    home.dagfs("import", "-", stdin=data).exits(74).in_one_line()
    assert home.runs() == []
    assert not list((home.path / "runs").glob(".stage-*"))


def test_an_archive_cut_short_leaves_nothing(home: Home, archive: Path) -> None:
    data = archive.read_bytes()
    home.dagfs("import", "-", "--as", "cut", stdin=data[: len(data) // 2]).exits(74).in_one_line()
    home.dagfs("import", "nowhere.tar.gz").exits(4).in_one_line()
    home.dagfs("import", str(archive), "--as", "../x").exits(2).in_one_line()
    assert [path.name for path in home.runs()] == ["first"]
