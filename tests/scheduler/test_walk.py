"""What matches a pattern of `watch:`: as glob has it, but for links that lead in circles."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from dagfs.scheduler.walk import Walk

FILES = (
    "x.csv",
    "in/x.csv",
    "in/y.txt",
    "in/.hidden.csv",
    "in/b/x.csv",
    "in/b/b/x.csv",
    "in/.deep/x.csv",
    "in2/c/in/d/x.csv",
    "in2/c/z.csv",
    "[odd]/x.csv",
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(top: Path, *patterns: str) -> list[str]:
    """What matches and is a file, below the top."""
    paths = (path for path in Walk(top, patterns, str(top / "runs")).steps() if path)
    return sorted(os.path.relpath(path, top) for path in paths if os.path.isfile(path))


@pytest.mark.parametrize(
    "pattern",
    [
        "*.csv",
        "*",
        "**",
        "**/",
        "**/*.csv",
        "**/**/*.csv",
        "**/x.csv",
        "**/b/b/*",
        "**/b/**/*.csv",
        "**/in*/**",
        "**/.*/*",
        "in/x.csv",
        "in/",
        "in/nothing",
        "./in/*.csv",
        "in//*.csv",
        "in/.*",
        "in/**/*.csv",
        "in?/*/*",
        "*/../in/*.csv",
        "**/../x.csv",
        "in2/*/in/d/x.csv",
        "[[]odd]/*",
        "{top}/**/*.csv",
        "{top}/x.csv",
    ],
)
def test_it_finds_what_glob_finds(top: Path, pattern: str) -> None:
    said = pattern.format(top=top)
    steps = Walk(top, [said], str(top / "runs")).steps()
    mine = {path for path in steps if path and os.path.isfile(path)}
    known = {os.path.join(top, each) for each in glob.iglob(said, root_dir=top, recursive=True)}
    assert mine == {path for path in known if os.path.isfile(path)}


def test_links_that_lead_back_end(top: Path) -> None:
    for name in "klm":
        (top / "in" / name).symlink_to(".")
    (top / "in/up").symlink_to(top)
    assert found(top, "in/**/*.csv") == ["in/b/b/x.csv", "in/b/x.csv", "in/x.csv"]
    assert found(top, "in/**/k/**/x.csv") == ["in/k/b/b/x.csv", "in/k/b/x.csv", "in/k/x.csv"]


def test_a_link_that_is_named_is_followed_and_so_is_one_that_a_star_meets(top: Path) -> None:
    (top / "link").symlink_to("in2")
    (top / "one.csv").symlink_to("in/x.csv")
    assert found(top, "link/c/*.csv") == ["link/c/z.csv"]
    assert found(top, "link/**/*.csv") == ["link/c/in/d/x.csv", "link/c/z.csv"]
    assert found(top, "l*/c/*.csv") == ["link/c/z.csv"]
    assert found(top, "o*.csv", "no*") == ["one.csv"]


def test_many_stars_meet_a_folder_once(top: Path) -> None:
    walk = Walk(top, ["/".join(["**"] * 30) + "/*.nothing"], str(top / "runs"))
    assert not any(walk.steps())
    assert walk.folders == len([folder for folder, _, _ in os.walk(top) if ".deep" not in folder])


def test_folders_on_a_plain_way_are_not_listed(top: Path) -> None:
    walk = Walk(top, [f"{top}/in/b/*.csv"], str(top / "runs"))
    assert [path for path in walk.steps() if path] == [f"{top}/in/b/x.csv"]
    assert walk.folders == 1


def test_what_is_to_be_spared_is_not_even_listed(top: Path) -> None:
    for place in range(20):
        (top / f"runs/{place}").mkdir(parents=True)
        (top / f"runs/{place}/x.csv").touch()
    (top / "link").symlink_to("runs")
    (top / "one.csv").symlink_to("runs/1/x.csv")
    walk = Walk(top, ["**/*.csv", "link/*/x.csv", "*/1/x.csv", "runs/2/x.csv", "one.csv"], str(top / "runs"))
    assert not [path for path in walk.steps() if path and os.path.realpath(path).startswith(f"{top}/runs/")]
    assert walk.folders < 20
