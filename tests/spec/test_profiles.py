"""Profiles as they are written."""

from __future__ import annotations

from typing import Any

import pytest

from dagfs.model.dag import Variable
from dagfs.model.profile import Placement
from dagfs.spec.profiles import read_profile


def test_a_text_is_an_executor_and_a_map_says_more() -> None:
    said = {
        "*": "shell",
        "train": {
            "type": "docker",
            "config": {"image": "i", "pullPolicy": "never"},
            "env": [{"A": 1}, {"B": True}, {"C": None}],
            "shell": "bash -e",
            "workingDir": "w",
            "seesFiles": True,
        },
    }
    found, wrong = read_profile("p", said, "dagfs.yaml")
    assert not wrong
    assert (found.name, found.source) == ("p", "dagfs.yaml")
    env = (Variable("A", "1"), Variable("B", "true"), Variable("C", ""))
    assert found.placements == (
        Placement("*", "shell"),
        Placement("train", "docker", {"image": "i", "pull_policy": "never"}, env, ("bash", "-e"), "w", True),
    )


def test_settings_of_others_executors_stay_as_they_are_written() -> None:
    found, _ = read_profile("p", {"a": {"executor": "mine", "with": {"someKey": 1}}})
    assert found.placements[0].config == {"someKey": 1}


@pytest.mark.parametrize(
    ("said", "where", "words"),
    [
        (None, "", "a map from steps to executors"),
        ([], "", "a map"),
        ({}, "", "a map"),
        ({"a": None}, "a", "must be an executor"),
        ({"a": {}}, "a", "must be an executor"),
        ({"a": 3}, "a", "must be an executor"),
        ({"a": {"executer": "x"}}, "a.executer", "did you mean 'executor'"),
        ({"a": {"zzz": "x"}}, "a.zzz", "there are executor, with"),
        ({"a": {"executor": ["x"]}}, "a.executor", "must be a text"),
        ({"a": {"executor": ""}}, "a.executor", "must be a text"),
        ({"a": {"with": "x"}}, "a.with", "must be a map"),
        ({"a": {"env": ["A=b"]}}, "a.env", "must be a map"),
        ({"a": {"env": {"A": [1]}}}, "a.env", "must be a map"),
        ({"a": {"shell": []}}, "a.shell", "must be a text or a list"),
        ({"a": {"shell": [1]}}, "a.shell", "must be a text or a list"),
        ({"a": {"sees_files": "yes"}}, "a.sees_files", "true or false"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(said: Any, where: str, words: str) -> None:
    _, wrong = read_profile("p", said)
    assert [place for place, _ in wrong] == [where]
    assert words in wrong[0][1]
