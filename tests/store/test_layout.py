from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagfs.scheduler.identity import scheduled_id
from dagfs.store.layout import (
    HomePaths,
    RunPaths,
    name_in_ids,
    named_by,
    new_run_id,
    step_folder,
    valid_address,
    valid_run_id,
)

NOW = datetime(2026, 11, 21, 2, 28, 42, tzinfo=UTC)


def test_a_run_id_says_when_and_what() -> None:
    assert new_run_id(NOW, "nightly-import", "k3f9") == "20261121-022842-nightly-import-k3f9"
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert new_run_id(east, "x", "t") == "20261121-022842-x-t"


@given(dag=st.text(max_size=100), token=st.text("abc012", min_size=1, max_size=8))
def test_any_dag_name_makes_a_valid_id(dag: str, token: str) -> None:
    run_id = new_run_id(NOW, dag, token)
    assert valid_run_id(run_id)
    assert run_id.endswith(f"-{token}")


@given(dag=st.text(max_size=100))
def test_an_id_never_says_that_a_run_is_of_another_dag(dag: str) -> None:
    for run_id in (new_run_id(NOW, dag, "3f9a"), scheduled_id(dag, "key", NOW)):
        assert name_in_ids(dag).startswith(named_by(run_id))


def test_an_id_says_of_which_dag_a_run_is() -> None:
    assert named_by(new_run_id(NOW, "Nightly Import", "3f9a")) == "nightly-import"
    assert named_by(scheduled_id("mail", "key", NOW)) == "mail"
    assert named_by("release-7") == named_by("20261121-my-own") == ""


@pytest.mark.parametrize("text", ["", ".", "..", "-rf", "A", "a/b", "a" * 65, "a b", "a\n", "ä", ".hidden"])
def test_what_could_be_a_path_or_an_option_is_no_id(text: str) -> None:
    assert not valid_run_id(text)


def test_an_address_is_a_run_or_one_of_its_children() -> None:
    assert valid_address("a/b")
    assert not valid_address("a/b/c")
    assert not valid_address("a/..")
    home = HomePaths(Path("/h"))
    assert home.run("a/b").root == Path("/h/runs/a/children/b")


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_each_step_has_a_folder_of_its_own(one: str, other: str) -> None:
    folder = step_folder(one)
    assert folder not in ("", ".", "..")
    assert len(folder) <= 255
    assert folder.isascii()
    assert not set(folder) & set("/\0\n ")
    assert (folder == step_folder(other)) == (one == other)


def test_plain_names_are_kept() -> None:
    assert step_folder("extract-1.b_C") == "extract-1.b_C"
    assert step_folder("..") == "%2E."
    assert step_folder("load data/2") == "load%20data%2F2"


def test_alien_names_are_no_attempts_or_specs(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    assert paths.attempt_numbers() == []
    for name in ("1", "10", "2", "0", "x", ".stage-a", "03"):
        (tmp_path / "attempts" / name).mkdir(parents=True)
    for name in (
        "spec.v2.yaml",
        "spec.v10.yaml",
        "spec.v1.yaml",
        "spec.v.yaml",
        "spec.v01.yaml",
        "xspec.v3.yaml",
    ):
        (tmp_path / name).touch()
    assert paths.attempt_numbers() == [1, 2, 10]
    assert paths.spec_versions() == [1, 2, 10]
