"""Reading a home of Dagu."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagfs.errors import NotFound
from dagfs.store.dagu import STATES, dagu_home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dags" / "sub").mkdir(parents=True)
    (tmp_path / "dags" / "a b.yaml").write_text("steps: []\n")
    (tmp_path / "dags" / "sub" / "c.yml").write_text("steps: []\n")
    (tmp_path / "dags" / ".git").mkdir()
    (tmp_path / "dags" / ".git" / "x.yaml").write_text("")
    for name in (".env", "run.sh", "run.sh~", ".swp", "#x#"):
        (tmp_path / "dags" / name).write_text("")
    return tmp_path


def record(root: Path, run: str, *lines: object, attempt: str = "1") -> Path:
    folder = root / f"data/dag-runs/job/dag-runs/2026/01/02/dag-run_20260102_030405Z_{run}/attempt_{attempt}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "status.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_dags_and_what_lies_beside_them(root: Path) -> None:
    home = dagu_home(root)
    assert [str(path.relative_to(home.dags)) for path in home.files()] == ["a b.yaml", "sub/c.yml"]
    assert [path.name for path in home.companions()] == [".env", "run.sh"]
    assert (home.base, home.flags, home.records) == (None, None, None)


@pytest.mark.parametrize("folder", ["suspend", "data/suspend"])
def test_suspensions_go_by_the_files_name(root: Path, folder: str) -> None:
    (root / folder).mkdir(parents=True)
    (root / folder / "a-b.suspend").write_text("")
    home = dagu_home(root)
    assert [home.is_suspended(path, "other") for path in home.files()] == [True, False]
    assert home.is_suspended(home.files()[1], "a b")


def test_a_folder_of_dags_finds_what_lies_around_it(root: Path) -> None:
    (root / "base.yaml").write_text("")
    home = dagu_home(root / "dags")
    assert (home.base, len(home.files())) == (root / "base.yaml", 2)


def test_the_last_whole_line_of_the_newest_attempt_counts(root: Path) -> None:
    record(root, "r1", {"status": 2, "dagRunId": "r1"}, attempt="1")
    record(
        root,
        "r1",
        {"status": 1},
        {"status": 4, "name": "job", "startedAt": "2026-01-02T03:04:05+02:00"},
        "{",
        attempt="2",
    )
    (found,) = dagu_home(root).past_runs()
    assert (found.dag, found.run, found.state, found.started) == (
        "job",
        "r1",
        "succeeded",
        "2026-01-02T01:04:05Z",
    )


@pytest.mark.parametrize("status", [*range(len(STATES)), 99, -1, True, "4", None, 4.0])
def test_states_are_dagus_own_or_unreadable(root: Path, status: object) -> None:
    record(root, "r", {"status": status})
    expected = STATES[status] if type(status) is int and 0 <= status < len(STATES) else "unreadable"
    assert [run.state for run in dagu_home(root).past_runs()] == [expected]


@pytest.mark.parametrize("line", ["", "[1]", "{", "\0", "[" * 5000, '{"startedAt": "never", "params": [1]}'])
def test_a_record_that_says_nothing_is_listed_all_the_same(root: Path, line: str) -> None:
    record(root, "odd_one", line)
    (found,) = dagu_home(root).past_runs()
    assert (found.dag, found.run, found.state, found.started) == ("job", "odd_one", "unreadable", "")


def test_what_has_no_dags_is_no_home(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotFound):
            dagu_home(path)
