"""A DAG is found by the name that lists show, where no file has that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagfs.engine import finding
from dagfs.engine.finding import files_named, find_dag, find_dag_inside
from dagfs.engine.home import Home, read_home
from dagfs.errors import NotFound, UsageError

STEPS = "steps: [{name: work, run: 'true'}]\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    texts = {
        "t.yaml": f"name: topname\n{STEPS}",
        "file.yaml": f"name: other\n{STEPS}",
        "quoted.yaml": f'"name": &n "spoken"\n{STEPS}',
        "x/1.yaml": f"name: dup\n{STEPS}",
        "y/2.yaml": f"name: dup\n{STEPS}",
        "wrong.yaml": f"name: mistaken\nnonsense: 1\n{STEPS}",
        "step.yaml": "steps: [{name: inner, run: 'echo topname spoken'}]\n",
        "hidden.yaml": f"name: file\n{STEPS}",
    }
    for name, text in texts.items():
        path = tmp_path / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "dagfs.yaml").touch()
    return read_home(tmp_path)


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("t", "t.yaml"),
        ("topname", "t.yaml"),
        ("spoken", "quoted.yaml"),
        ("file", "file.yaml"),
        ("mistaken", "wrong.yaml"),
        ("x/1", "x/1.yaml"),
    ],
)
def test_a_name_means_a_file_and_else_the_dag_of_that_name(home: Home, word: str, file: str) -> None:
    assert find_dag(home, word) == home.paths.dags / file
    assert find_dag_inside(home, word) == home.paths.dags / file


@pytest.mark.parametrize("word", ["topnam", "inner", "TOPNAME", "", "true", "name", "@"])
def test_what_is_no_dags_name_is_not_found(home: Home, word: str) -> None:
    with pytest.raises(NotFound):
        find_dag(home, word)


def test_a_name_of_two_files_is_refused_with_both(home: Home) -> None:
    with pytest.raises(UsageError, match=r"'dup' is the name of 2 files: x/1\.yaml, y/2\.yaml; say which"):
        find_dag(home, "dup")
    assert len(list(files_named(home, "dup"))) == 2


def test_files_are_looked_into_only_for_what_is_not_found(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "files_named", lambda *_: pytest.fail("it read files"))
    assert find_dag(home, "t").name == "t.yaml"
