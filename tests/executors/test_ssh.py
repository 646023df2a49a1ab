"""The ssh executor keeps the contract; a program that is no ssh stands for the other machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dagfs.executors.ssh import Ssh
from dagfs.hooks.executor import Process, StepRequest
from dagfs.hooks.testing import ExecutorContract, Outcome
from dagfs.hooks.testing.place import run
from dagfs.model.dag import Executor as Settings
from dagfs.model.dag import Step


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that takes ssh's arguments and is a shell on this machine."""
    program = tmp_path_factory.mktemp("machine") / "fake-ssh"
    program.write_text("#!/bin/sh\nexec /bin/sh -s\n")
    program.chmod(0o700)
    return program


class TestSsh(ExecutorContract):
    executor = Ssh()
    step = Step(name="far", command=('printf "<%s>" "$TOKEN"; echo K=v >"$DAGFS_OUTPUT"; exit 3',))
    code = 3
    refused = (
        {"host": "-oProxyCommand=x"},
        {"host": "a b"},
        {"host": "a", "user": "-l"},
        {"host": "a", "port": 70000},
        {"host": "a", "strict_host_key": "perhaps"},
        {"host": "a", "jump": "-oProxyCommand=x"},
    )

    @pytest.fixture(autouse=True)
    def _reach(self, machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        jobs = tmp_path_factory.mktemp("jobs")
        common = {"host": "far", "binary": str(machine), "remote_dir": str(jobs)}
        self.accepted = (common, {**common, "password": "p", "strict_host_key": "accept-new"})
        yield
        assert not list(jobs.iterdir()), "a job was left"

    def after(self, outcome: Outcome) -> None:
        assert outcome.out == "<dagfs-contract-secret-0b7e>"


REQUEST = StepRequest(
    run="r1",
    attempt=2,
    step="far",
    try_=1,
    command=("echo hi",),
    env={"PATH": "/nowhere", "DAGFS_HOME": "/h", "DAGFS_ATTEMPT": "2", "X": "value", "PWD": "/here"},
    cwd="/",
    folder="/h/runs/r1/attempts/2/steps/far",
    config={"host": "far"},
)


def prepared(**changes: object) -> Process:
    return Ssh().prepare(replace(REQUEST, **changes))


def task(process: Process) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(process.env["DAGFS_TASK_1"])
    return found


def test_the_steps_own_variables_go_there_and_do_not_steer_the_client() -> None:
    process = prepared()
    assert task(process)["job"]["env"]["X"] == "value"  # type: ignore[index]
    assert "PWD" not in task(process)["job"]["env"]  # type: ignore[operator]
    assert process.env["PATH"] != "/nowhere"


def test_a_job_is_known_by_its_step_and_not_by_its_attempt() -> None:
    later = {
        "attempt": 3,
        "folder": "/h/runs/r1/attempts/3/steps/far",
        "env": {**REQUEST.env, "DAGFS_ATTEMPT": "3"},
    }
    first, second = task(prepared())["job"], task(prepared(**later))["job"]
    assert (first["key"], first["definition"]) == (second["key"], second["definition"])
    other = task(prepared(folder="/h/runs/r1/attempts/2/steps/else"))["job"]
    assert other["key"] != first["key"]


@pytest.mark.parametrize(
    "change",
    [{"command": ("echo ho",)}, {"config": {"host": "elsewhere"}}, {"env": {**REQUEST.env, "X": "other"}}],
)
def test_whatever_decides_the_work_is_in_its_definition(change: dict[str, object]) -> None:
    assert task(prepared(**change))["job"]["definition"] != task(prepared())["job"]["definition"]


def test_a_steps_settings_go_before_those_of_the_dag() -> None:
    said = {"ssh": {"host": "common", "user": "me", "strict_host_key": False}}
    process = prepared(dag_settings=said, config={"host": "own", "strict_host_key": True})
    words = task(process)["link"]["words"]
    assert task(process)["link"]["host"] == "own"
    assert "-oStrictHostKeyChecking=yes" in words  # type: ignore[operator]
    assert words[:2] == ["-l", "me"]  # type: ignore[index]


def test_keys_are_checked_unless_it_is_said_otherwise() -> None:
    def words(**config: object) -> object:
        return task(prepared(config={"host": "a", **config}))["link"]["words"]

    assert "-oStrictHostKeyChecking=yes" in words()  # type: ignore[operator]
    assert "-oStrictHostKeyChecking=accept-new" in words(strict_host_key="accept-new")  # type: ignore[operator]
    assert "-oUserKnownHostsFile=/dev/null" in words(strict_host_key=False)  # type: ignore[operator]


def test_a_step_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a host"):
        prepared(config={})


def test_a_host_that_a_value_makes_an_option_is_refused() -> None:
    assert Ssh().check(Step(name="a", executor=Settings("ssh", {"host": "${HOST}"}))) == []
    with pytest.raises(ValueError, match="cannot be one"):
        prepared(config={"host": "-oProxyCommand=id"})


def test_the_same_step_is_run_anew_after_it_ended(machine: Path, tmp_path: Path) -> None:
    config = {"host": "far", "binary": str(machine), "remote_dir": str(tmp_path / "jobs")}
    # Nothing is found in the PATH of this step, which is its own affair.
    request = replace(REQUEST, config=config, cwd=str(tmp_path), folder=str(tmp_path))
    assert [run(Ssh().prepare(request), tmp_path).out for _ in range(2)] == ["hi\n", "hi\n"]
