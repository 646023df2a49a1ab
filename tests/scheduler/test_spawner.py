"""The process that commands are forked from: what it inherits, what it tells, what becomes of it."""

from __future__ import annotations

import os
import resource
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagfs.errors import ExitCode
from dagfs.scheduler.launch import Processes
from dagfs.scheduler.spawner import Ended, Spawner
from tests.patience import eventually


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    found = Spawner()
    yield found
    found.close()
    assert not found.pid


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for two thousand files, as far as this machine has it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def told(spawner: Spawner, count: int = 1) -> list[Ended]:
    """What comes back, in the order it was asked for."""
    found: list[Ended] = []
    while len(found) < count:
        poller = select.poll()
        poller.register(spawner.fileno(), select.POLLIN)
        assert poller.poll(60_000)
        found += spawner.ended()
    return sorted(found, key=lambda each: each.ticket)


def test_commands_end_with_their_code_and_their_complaint(spawner: Spawner, tmp_path: Path) -> None:
    home = str(tmp_path)
    first = spawner.ask(["-C", home, "version"])
    second = spawner.ask(["-C", home, "status", "nothing-\udcff"])
    third = spawner.ask(["no-such-verb"])
    ended = told(spawner, 3)
    assert [each.ticket for each in ended] == [first, second, third]
    assert [each.code for each in ended] == [0, ExitCode.NOT_FOUND, ExitCode.USAGE]
    assert not ended[0].error
    assert "no-such-verb" in ended[2].error


def test_it_inherits_no_descriptor_and_nothing_of_systemd(
    spawner: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    path = tmp_path / "lock"
    with path.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        spawner.ask(["version"])
        told(spawner)
        folder = Path(f"/proc/{spawner.pid}/fd")
        assert str(path) not in [os.readlink(each) for each in folder.iterdir() if each.is_symlink()]
        assert b"NOTIFY_SOCKET" not in Path(f"/proc/{spawner.pid}/environ").read_bytes()
        assert len(list(Path(f"/proc/{spawner.pid}/task").iterdir())) == 1


def test_one_that_is_killed_is_replaced_and_what_it_was_asked_is_known_to_be_lost(spawner: Spawner) -> None:
    spawner.ask(["version"])
    told(spawner)
    first = spawner.pid
    os.kill(first, signal.SIGSTOP)
    lost = spawner.ask(["version"])
    os.kill(first, signal.SIGKILL)
    (ended,) = told(spawner)
    assert (ended.ticket, ended.code) == (lost, ExitCode.IO_ERROR)
    assert "was ended" in ended.error
    spawner.ask(["version"])
    assert told(spawner)[0].code == 0
    assert spawner.pid != first


def test_a_renewed_one_is_another_process_and_loses_nothing(spawner: Spawner) -> None:
    spawner.ask(["version"])
    first = spawner.pid
    spawner.renew()
    spawner.keep_ready()
    assert spawner.pid == first
    assert told(spawner)[0].code == 0
    spawner.keep_ready()
    assert spawner.pid not in (0, first)


def test_more_than_the_wire_holds_is_asked_for_while_answers_are_heard(
    spawner: Spawner, many_descriptors: None
) -> None:
    asked = [spawner.ask(["version"]) for _ in range(700)]
    ended = told(spawner, len(asked))
    assert [each.ticket for each in ended] == asked
    assert {each.code for each in ended} == {0}


def test_commands_are_asked_for_a_few_at_a_time_and_none_is_lost_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "dagfs.yaml").touch()
    processes = Processes(tmp_path)
    for number in range(100):
        processes.command("queue", "pause", f"q{number}")
    processes.close(patience=60)
    paused = tmp_path / "runs/.scheduler/paused"
    eventually(lambda: paused.is_dir() and len(list(paused.iterdir())) == 100)
    assert processes.failed() == []
