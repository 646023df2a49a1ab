"""A stranger's code harms only its own call: whatever it does to its process."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagfs.errors import UsageError
from dagfs.hooks import cage
from dagfs.hooks.cage import Escaped
from dagfs.hooks.listener import Listener
from tests.patience import eventually

PATIENCE = 30.0


def state() -> tuple[Any, ...]:
    mask = os.umask(0o077)
    os.umask(mask)
    return os.getcwd(), mask, signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), sys.stdout


def wreck(_: object = None) -> str:
    os.chdir("/")
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.write("noise from print\n")
    os.write(1, b"noise from write\n")
    sys.stdout = sys.stderr
    return "done"


def raises(_: object = None) -> None:
    raise ValueError("no\nway")


def exits(_: object = None) -> None:
    sys.exit(3)


def leaves(_: object = None) -> None:
    os._exit(3)


def dies(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(_: object = None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def test_a_value_comes_back() -> None:
    assert cage.call(lambda a, b: {"sum": a + b}, 1, 2, limit_sec=PATIENCE) == {"sum": 3}
    assert len(cage.call(lambda: "x" * 3_000_000, limit_sec=PATIENCE)) == 3_000_000


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (raises, "ValueError: no way"),
        (exits, "SystemExit: 3"),
        (leaves, "it ended its process with 3"),
        (dies, "its process was ended by SIGSEGV"),
    ],
)
def test_what_goes_wrong_is_one_line(function: Callable[[], None], says: str) -> None:
    with pytest.raises(Escaped) as caught:
        cage.call(function, limit_sec=PATIENCE)
    assert str(caught.value) == says


def test_what_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    def starts_and_hangs() -> None:
        child = os.fork()
        if child == 0:
            time.sleep(600)
        (tmp_path / "pid").write_text(str(child))
        time.sleep(600)

    with pytest.raises(Escaped, match="longer than 1 s and was killed"):
        cage.call(starts_and_hangs, limit_sec=1)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not _is_alive(pid))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_this_process_stays_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    before = state()
    assert cage.call(wreck, limit_sec=PATIENCE) == "done"
    assert state() == before
    out, err = capfd.readouterr()
    assert out == ""
    assert "noise from print" in err
    assert "noise from write" in err


def test_errors_of_ours_survive_the_way_and_odd_ones_are_told() -> None:
    class Odd(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__("odd")

    def ours() -> None:
        raise UsageError("set it", hint="there")

    def odd() -> None:
        raise Odd(1, 2)

    with pytest.raises(Escaped) as caught:
        cage.call(ours, limit_sec=PATIENCE)
    assert isinstance(caught.value.error, UsageError)
    with pytest.raises(Escaped, match="Odd: odd"):
        cage.call(odd, limit_sec=PATIENCE)
    with pytest.raises(Escaped, match="pickle"):
        cage.call(lambda: lambda: None, limit_sec=PATIENCE)


def test_locks_and_pipes_of_this_process_are_not_kept_open_there(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        fd = file.fileno()
        open_there = cage.call(lambda: sorted(os.listdir("/proc/self/fd")), limit_sec=PATIENCE)
    assert str(fd) not in open_there or len(open_there) <= 5


def test_code_loaded_here_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    before = state()
    with cage.unchanged():
        wreck()
    sys.stdout.write("after\n")
    assert state() == before
    out, err = capfd.readouterr()
    assert out == "after\n"
    assert "noise" in err


# -- observers -------------------------------------------------------------------------------------


def test_an_observer_is_told_in_order_and_remembers(tmp_path: Path) -> None:
    told: list[int] = []

    def on_event(run: str, event: int) -> None:
        told.append(event)
        (tmp_path / "told").write_text(f"{run} {told}")

    listener = Listener("mine", on_event, PATIENCE)
    for n in range(200):
        listener.tell("r1", n)
    listener.finish()
    assert (tmp_path / "told").read_text() == f"r1 {list(range(200))}"
    assert told == []
    assert listener.complaints() == []


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (raises, "ValueError: no way"),
        (exits, "SystemExit: 3"),
        (leaves, "it ended its process with 3"),
        (dies, "its process was ended by SIGSEGV"),
        (wreck, ""),
    ],
)
def test_only_the_event_itself_is_lost(tmp_path: Path, harm: Callable[[], Any], says: str) -> None:
    def on_event(_: str, event: int) -> None:
        if event == 1:
            harm()
        with (tmp_path / "told").open("a") as file:
            file.write(f"{event}\n")

    before = state()
    listener = Listener("mine", on_event, PATIENCE)
    for n in range(4):
        listener.tell("r1", n)
    listener.finish()
    lost = "0\n2\n3\n" if says else "0\n1\n2\n3\n"
    assert (tmp_path / "told").read_text() == lost
    assert listener.complaints() == ([f"plugin mine: on_event: {says}"] if says else [])
    assert state() == before


def test_nobody_waits_for_an_observer_that_hangs_but_at_the_end(tmp_path: Path) -> None:
    def on_event(_: str, event: int) -> None:
        if event == 0:
            hangs()
        (tmp_path / "told").write_text(str(event))

    listener = Listener("mine", on_event, 1.0)
    for n in range(3):
        listener.tell("r1", n)
    listener.finish()
    assert listener.complaints() == ["plugin mine: on_event: it took longer than 1 s and was killed"]
    assert (tmp_path / "told").read_text() == "2"


def leaves_somebody_behind(_: object = None) -> str:
    """A child that keeps every descriptor, the pipe for the answer too."""
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    return "done"


def test_an_answer_counts_although_something_holds_the_pipe_open() -> None:
    assert cage.call(leaves_somebody_behind, limit_sec=0) == "done"


@pytest.fixture
def crowded() -> Iterator[None]:
    """A process that has so many open files that `select` could not name another one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for fd in opened:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("crowded")
def test_any_number_of_files_may_be_open() -> None:
    assert cage.call(lambda: "done", limit_sec=PATIENCE) == "done"
    listener = Listener("many", lambda _run, _event: None, PATIENCE)
    listener.tell(None, 1)
    listener.finish()
    assert not listener.complaints()


def test_a_place_that_cannot_be_made_is_no_second_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: int) -> None:
        raise OSError("no place")

    monkeypatch.setattr(cage, "enter", broken)
    with pytest.raises(Escaped, match="ended its process with 1"):
        cage.call(lambda: "done", limit_sec=PATIENCE)


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_closed_streams_are_no_fault_of_a_plugin(closed: tuple[int, ...]) -> None:
    program = (
        "import os, sys\n"
        "from dagfs.hooks import cage\n"
        "def wreck():\n    print('noise')\n    os.write(1, b'noise')\n    return 'done'\n"
        "with cage.unchanged():\n    print('loading')\n"
        "os._exit(7 if cage.call(wreck, limit_sec=30) == 'done' else 1)\n"
    )
    shell = "exec " + shlex.join([sys.executable, "-c", program]) + "".join(f" {n}>&-" for n in closed)
    done = subprocess.run(["/bin/sh", "-c", shell], check=False, timeout=PATIENCE, capture_output=True)
    assert (done.returncode, done.stdout) == (7, b"")


def test_nobody_who_reads_is_no_fault_of_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", closefd=False) as stream:
        stream.write("said to nobody")
        monkeypatch.setattr(sys, "stdout", stream)
        assert cage.call(lambda: "done", limit_sec=PATIENCE) == "done"
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)
    os.close(writer)


def test_a_listener_that_ends_between_two_events_misses_none(tmp_path: Path) -> None:
    def hear(_run: object, event: int) -> None:
        with (tmp_path / "heard").open("a") as file:
            file.write(f"{event} {os.getpid()}\n")

    listener = Listener("frail", hear, PATIENCE)
    listener.tell(None, 1)
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "heard").exists() or listener._busy:
        assert time.monotonic() < deadline
        listener.turn()
        time.sleep(0.01)
    os.kill(int((tmp_path / "heard").read_text().split()[1]), signal.SIGKILL)
    while listener._link is not None:
        assert time.monotonic() < deadline
        listener.turn()
        time.sleep(0.01)
    listener.tell(None, 2)
    listener.finish()
    assert [line.split()[0] for line in (tmp_path / "heard").read_text().splitlines()] == ["1", "2"]
    assert not listener.complaints()
