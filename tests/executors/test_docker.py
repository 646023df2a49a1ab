"""What the docker executor says is to be run, by its settings; containers themselves are stories."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dagfs.executors import docker
from dagfs.executors.container_options import create_words, entrypoint, named, settings
from dagfs.executors.docker import Docker
from dagfs.hooks.executor import Process, StepRequest
from dagfs.hooks.testing import SECRET
from dagfs.model.dag import Executor as Settings
from dagfs.model.dag import Step

REQUEST = StepRequest(
    run="r1",
    attempt=2,
    step="odd step/ü",
    try_=1,
    command=("echo $TOKEN",),
    env={"PATH": "/own", "DAGFS_HOME": "/h", "TOKEN": SECRET, "DAGFS_OUTPUT": "/out"},
    cwd="/work",
    folder="/h/runs/r1/attempts/2/steps/odd",
    config={"image": "a:1"},
)


@pytest.fixture(autouse=True)
def _there_is_a_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))


def prepared(**changes: object) -> Process:
    return Docker("docker").prepare(replace(REQUEST, **changes))


def task(**changes: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prepared(**changes).env["DAGFS_TASK_1"])
    return found


def said(**config: object) -> list[str]:
    step = Step(name="a", command=("x",), executor=Settings("docker", {"image": "a", **config}))
    return list(Docker("docker").check(step))


def test_no_value_is_an_argument_or_on_disk() -> None:
    process = prepared(
        config={"image": "a:1", "env": {"KEY": SECRET}, "registry_auths": {"r": {"password": SECRET}}}
    )
    assert SECRET not in " ".join((*process.argv, *process.cleanup, *process.at_end, *process.files.values()))


def test_a_container_is_known_by_its_step_and_named_for_people() -> None:
    made = task()
    assert made["name"].startswith("dagfs-r1-odd-step-")
    assert made["name"].isascii()
    assert {"dagfs.job", "dagfs.run", "dagfs.step", "dagfs.attempt", "dagfs.try"} <= made["labels"].keys()
    later = task(attempt=3, folder="/h/runs/r1/attempts/3/steps/odd")
    assert made["labels"]["dagfs.job"] == later["labels"]["dagfs.job"]
    assert made["labels"]["dagfs.definition"] == later["labels"]["dagfs.definition"]


@pytest.mark.parametrize(
    "change", [{"command": ("x",)}, {"config": {"image": "b"}}, {"env": {"TOKEN": "other"}}]
)
def test_whatever_decides_the_work_is_in_its_definition(change: dict[str, object]) -> None:
    assert task(**change)["labels"]["dagfs.definition"] != task()["labels"]["dagfs.definition"]


def test_what_is_wrong_is_said() -> None:
    assert said() == []
    assert said(pull="sometimes") == ["pull must be missing, always or never, not 'sometimes'"]
    assert said(host={"Binds": ["/a:/b"], "Odd": 1}) == [
        "host has no setting 'Odd'; it knows binds, network_mode, privileged, auto_remove, memory"
    ]
    assert said(image="--privileged") == ["image '--privileged' cannot be one"]
    assert said(env=7) == ["env must be a map or a list, not 7"]
    assert said(imaeg="b") == ["the docker executor has no setting 'imaeg'; did you mean 'image'?"]
    with pytest.raises(ValueError, match="needs an image"):
        prepared(config={})


def test_dagus_maps_are_read() -> None:
    found = settings(
        {
            "image": "a",
            "container": {"Env": ["A=1"], "WorkingDir": "/w", "User": "u"},
            "host": {"Binds": ["./a:/b"], "autoRemove": False, "NetworkMode": "host"},
        }
    )
    assert (found["env"], found["working_dir"], found["user"]) == ({"A": "1"}, "/w", "u")
    assert (found["volumes"], found["network"], found["keep"]) == (["./a:/b"], "host", True)


@pytest.mark.parametrize(
    ("config", "into"),
    [
        ({"exec": "there"}, "there"),
        ({"container_name": "there"}, "there"),
        ({"container_name": "new", "image": "a"}, ""),
        ({"container_name": "there", "exec": {"user": "u"}}, "there"),
    ],
)
def test_a_step_goes_into_a_container_that_is_there(config: dict[str, object], into: str) -> None:
    assert settings(config)["into"] == into


def test_options_of_a_container() -> None:
    words = create_words(
        settings(
            {
                "image": "a",
                "volumes": ["./x:/x:ro", "name:/y", "/z:/z"],
                "ports": ["80:8080"],
                "platform": "linux/arm64",
                "healthcheck": {"test": ["CMD", "is ok", "now"], "retries": 3},
            }
        ),
        "/work",
    )
    assert words == [
        "--platform=linux/arm64",
        "--volume=/work/x:/x:ro",
        "--volume=name:/y",
        "--volume=/z:/z",
        "--publish=80:8080",
        "--health-cmd='is ok' now",
        "--health-retries=3",
    ]


def test_variables_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "own")
    assert named(["A=1", {"B": 2, "C": True}, "MINE", "D=x=y"]) == {
        "A": "1", "B": "2", "C": "true", "MINE": "own", "D": "x=y",
    }  # fmt: skip
    assert named(None) == {}


def test_an_entrypoint_is_words_or_nothing_or_the_images_own() -> None:
    assert entrypoint({"entrypoint": "a 'b c'"}) == ["a", "b c"]
    assert entrypoint({"entrypoint": []}) == []
    assert entrypoint({"entrypoint": None}) is None


def test_a_shared_container_is_removed_at_the_end_unless_it_is_kept() -> None:
    shared = {"container": {"image": "a"}}
    assert prepared(config={}, dag_settings=shared).at_end
    assert not prepared(config={}, dag_settings={"container": {"image": "a", "keep_container": True}}).at_end
    assert not prepared(dag_settings=shared).at_end


def test_both_names_are_executors() -> None:
    assert [each.name for each in docker.executors()] == ["docker", "container"]
