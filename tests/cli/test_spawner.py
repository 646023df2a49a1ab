"""The program that commands are forked from: who waits for a command, who gets it, what is told of it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dagfs.cli.detach import detach, is_in_background
from dagfs.cli.output import Output
from dagfs.engine.zygote import fork
from dagfs.errors import ExitCode
from dagfs.scheduler.spawner import REQUEST, Spawner
from dagfs.store.process import identity
from tests.patience import eventually
from tests.scheduler.test_spawner import told

_WAITS = "steps:\n  - name: wait\n    command: until [ -e %s ]; do sleep 0.01; done\n"


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    found = Spawner()
    yield found
    found.close()


def children(spawner: Spawner) -> dict[int, str]:
    """What was forked from it and is not reaped, each with its name."""
    pids = Path(f"/proc/{spawner.pid}/task/{spawner.pid}/children").read_text().split()
    found = {}
    for pid in map(int, pids):
        # It may be reaped meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def ready(spawner: Spawner) -> list[int]:
    return [pid for pid, name in children(spawner).items() if name == "dagfs-ready"]


def begin(spawner: Spawner, home: Path, run: str, text: str) -> None:
    """Ask for a run that goes on in the background."""
    words = ["-C", str(home), "run", "--detach", "--captured", "--id", run, str(home / "dags/some.yaml")]
    spawner.ask(words, text.encode())


def test_more_than_is_held_back_is_done_all_the_same(spawner: Spawner) -> None:
    asked = [spawner.ask(["version"]) for _ in range(80)]
    ended = told(spawner, len(asked))
    assert [each.ticket for each in ended] == asked
    assert {each.code for each in ended} == {0}


def test_what_is_expected_finds_a_process_that_waits(spawner: Spawner) -> None:
    spawner.keep_ready()
    spawner.expect(3)
    eventually(lambda: len(ready(spawner)) == 3)
    spawner.expect(2)
    before = set(ready(spawner))
    asked = [spawner.ask(["version"]), spawner.ask(["no-such-verb"])]
    ended = told(spawner, 2)
    assert [(each.ticket, each.code) for each in ended] == [(asked[0], 0), (asked[1], ExitCode.USAGE)]
    # One is left over, unless this machine is so slow that it has gone by now.
    eventually(lambda: len(children(spawner)) <= 1)
    assert set(ready(spawner)) < before


def test_who_waits_in_vain_goes(spawner: Spawner) -> None:
    spawner.keep_ready()
    spawner.expect(2)
    eventually(lambda: len(ready(spawner)) == 2)
    eventually(lambda: not children(spawner))
    spawner.ask(["version"])
    assert told(spawner)[0].code == 0


def test_one_that_is_killed_while_it_waits_is_given_nothing(spawner: Spawner) -> None:
    spawner.keep_ready()
    spawner.expect(1)
    eventually(lambda: ready(spawner))
    (pid,) = ready(spawner)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not children(spawner))
    spawner.ask(["version"])
    assert told(spawner)[0].code == 0


def test_one_that_is_killed_over_its_command_is_told_of(spawner: Spawner) -> None:
    spawner.keep_ready()
    spawner.expect(1)
    eventually(lambda: ready(spawner))
    (pid,) = ready(spawner)
    os.kill(pid, signal.SIGSTOP)
    asked = spawner.ask(["version"])
    spawner.ask(["version"])
    # The other one, who had its command at the same time, has answered.
    assert told(spawner)[0].ticket != asked
    os.kill(pid, signal.SIGKILL)
    assert told(spawner)[0].code == -signal.SIGKILL


def test_who_waits_goes_with_the_spawner(spawner: Spawner) -> None:
    spawner.keep_ready()
    spawner.expect(2)
    eventually(lambda: len(ready(spawner)) == 2)
    pids = ready(spawner)
    os.kill(spawner.pid, signal.SIGKILL)
    eventually(lambda: not any(map(identity, pids)))


def test_a_run_in_the_background_is_told_of_at_once_and_leaves_no_zombie(
    spawner: Spawner, tmp_path: Path
) -> None:
    begin(spawner, tmp_path, "some-run", _WAITS % (tmp_path / "go"))
    (ended,) = told(spawner)
    assert (ended.code, ended.output, ended.said) == (0, b"some-run\n", "")
    assert (tmp_path / "runs/some-run/run.json").exists()
    assert list(children(spawner).values()) == ["dagfs"]
    (tmp_path / "go").touch()
    eventually(lambda: not children(spawner))
    assert not spawner.ended()


def test_a_run_in_the_background_outlives_the_spawner(spawner: Spawner, tmp_path: Path) -> None:
    begin(spawner, tmp_path, "some-run", _WAITS % (tmp_path / "go"))
    told(spawner)
    (engine,) = children(spawner)
    spawner.close()
    assert identity(engine) is not None
    (tmp_path / "go").touch()
    eventually(lambda: identity(engine) is None)
    assert '"succeeded"' in (tmp_path / "runs/some-run/status.json").read_text()


def test_a_run_that_cannot_be_made_is_told_of_with_its_reason(spawner: Spawner, tmp_path: Path) -> None:
    begin(spawner, tmp_path, "some-run", "steps: 3\n")
    (ended,) = told(spawner)
    assert ended.code == ExitCode.SPEC_INVALID
    assert "some.yaml:1:8" in ended.error


def test_a_request_without_its_descriptors_is_refused(spawner: Spawner) -> None:
    spawner.ask(["version"])
    told(spawner)
    wire = socket.socket(fileno=os.dup(spawner.fileno()))
    wire.send(REQUEST.pack(77, 0))
    wire.close()
    spawner._asked[77] = os.memfd_create("output"), os.memfd_create("errors")
    (ended,) = told(spawner)
    assert (ended.ticket, ended.code) == (77, ExitCode.IO_ERROR)


def test_a_process_in_the_background_reports_without_a_fork(tmp_path: Path) -> None:
    heard, tell = os.pipe()

    def act() -> None:
        for number in (1, 2):
            os.dup2(os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT), number)
        is_in_background(lambda: os.write(tell, b"%d" % os.getpid()))  # type: ignore[arg-type, return-value]
        report = detach(Output(out=open(1, "w", closefd=False)))  # noqa: SIM115
        assert not isinstance(report, int)
        report("some-run")
        os.write(1, b"nowhere")

    child = fork(act)
    assert os.waitpid(child, 0)[1] == 0
    assert int(os.read(heard, 9)) == child
    assert (tmp_path / "1").read_text() == "some-run\n"
