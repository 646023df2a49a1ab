"""What a step leaves behind: outputs, artifacts, files in the work folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.engine import capture
from dagfs.engine.capture import (
    LARGEST_OUTPUT,
    Leavings,
    OutputRefused,
    collect_outputs,
    parse_output_file,
    read_manifest,
    write_manifest,
    write_outputs,
)
from dagfs.model.dag import Output, Step
from dagfs.store.files import Disk
from dagfs.store.layout import StepPaths

STEP = Step(name="s", output=Output("OUT"))


@pytest.fixture
def paths(tmp_path: Path) -> StepPaths:
    found = StepPaths(tmp_path / "s")
    found.artifacts.mkdir(parents=True)
    return found


def test_captured_output_is_that_of_the_newest_try_without_surrounding_space(paths: StepPaths) -> None:
    paths.stdout.write_text("first try\n  second\ntry  \n")
    assert collect_outputs(STEP, Leavings(paths, paths.output_file(1), (10, 0))) == {"OUT": "second\ntry"}


def test_a_step_without_output_has_none(paths: StepPaths) -> None:
    assert collect_outputs(Step(), Leavings(paths, paths.output_file(1))) == {}


def test_output_that_is_too_large_is_refused_with_a_way_round(paths: StepPaths) -> None:
    paths.stdout.write_bytes(b"x" * (LARGEST_OUTPUT + 1))
    with pytest.raises(OutputRefused, match="OUT is larger") as caught:
        collect_outputs(STEP, Leavings(paths, paths.output_file(1)))
    assert "DAGFS_ARTIFACTS_DIR" in (caught.value.hint or "")


def test_the_output_file_takes_lines_and_blocks() -> None:
    text = "A=1\nB=x=y\n\nC<<END\nline 1\n\nD=no\nEND\nE=\n"
    assert parse_output_file(text) == {"A": "1", "B": "x=y", "C": "line 1\n\nD=no", "E": ""}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no equals sign\n", "line 1: expected NAME=VALUE"),
        ("A=1\n1x=2\n", "line 2: expected NAME=VALUE"),
        ("A<<END\nnever closed\n", "line 1: A<<END is never closed"),
    ],
)
def test_a_wrong_output_file_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(OutputRefused, match=words):
        parse_output_file(text)


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\n")))
def test_any_value_of_one_line_comes_through(value: str) -> None:
    assert parse_output_file(f"A={value}\n") == {"A": value}


def test_outputs_on_disk_answer_to_their_digest(paths: StepPaths) -> None:
    digest = write_outputs(Disk(), paths, {"A": "1"})
    assert len(digest) == 64
    assert '"A": "1"' in paths.outputs.read_text()
    assert write_outputs(Disk(), paths, {}) == ""


def test_the_manifest_lists_artifacts_and_new_work_files_and_follows_no_link(
    paths: StepPaths, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "old").write_text("before")
    began = (work / "old").stat().st_mtime_ns + 1
    for name in ("new", "sub/deep"):
        (work / name).write_text("after")
        os.utime(work / name, ns=(began, began))
    (paths.artifacts / "sum.csv").write_text("1,2\n")
    (paths.artifacts / "link").symlink_to("/etc/passwd")
    os.mkfifo(paths.artifacts / "pipe")
    write_manifest(Disk(), paths, paths.artifacts, work, began, strict=False)
    manifest = read_manifest(paths)
    assert set(manifest["artifacts"]) == {"sum.csv"}
    assert manifest["artifacts"]["sum.csv"]["size"] == 4
    assert set(manifest["work"]) == {"new", "sub/deep"}


def test_a_step_that_left_nothing_has_no_manifest(paths: StepPaths, tmp_path: Path) -> None:
    write_manifest(Disk(), paths, paths.artifacts, tmp_path / "none", 0, strict=False)
    assert not paths.manifest.exists()
    assert read_manifest(paths) == {"artifacts": {}, "work": {}}


def test_what_is_too_large_to_read_or_not_to_be_read_has_a_time_instead_of_a_digest(
    paths: StepPaths, tmp_path: Path
) -> None:
    with (paths.artifacts / "huge").open("wb") as file:
        file.truncate(1 << 40)
    (paths.artifacts / "small").write_text("1")
    write_manifest(Disk(), paths, paths.artifacts, tmp_path / "none", 0, strict=False)
    artifacts = read_manifest(paths)["artifacts"]
    assert artifacts["huge"].keys() == {"size", "mtime_ns"}
    assert artifacts["small"].keys() == {"size", "sha256"}


def test_a_full_work_folder_is_looked_through_only_so_far_and_the_manifest_says_so(
    paths: StepPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_MOST_LOOKED_AT", 20)
    work = tmp_path / "work"
    work.mkdir()
    for number in range(10):
        (work / f"old{number}").touch()
        os.utime(work / f"old{number}", ns=(1, 1))
    write_manifest(Disk(), paths, paths.artifacts, work, 2, strict=False)
    assert not paths.manifest.exists()
    for number in range(20):
        (work / f"new{number}").touch()
    write_manifest(Disk(), paths, paths.artifacts, work, 2, strict=False)
    manifest = read_manifest(paths)
    assert manifest["truncated"] == ["work"]
    assert len(manifest["work"]) == 20
