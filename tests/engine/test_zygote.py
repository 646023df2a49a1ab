from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dagfs.engine.launch import Launch
from dagfs.engine.pool import Pool
from dagfs.engine.zygote import LaunchFailed, Zygote, ZygoteDied
from dagfs.store.process import identity
from tests.patience import eventually


def descriptors(pid: int) -> dict[str, str]:
    folder = Path(f"/proc/{pid}/fd")
    return {each.name: os.readlink(each) for each in folder.iterdir()}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_a_launch_survives_the_wire() -> None:
    launch = Launch(
        argv=("a", "\udcff", "ü"),
        env={"X": "\n\0", "\udcfe": ""},
        cwd="/x",
        stdout="/o",
        stderr="/e",
        record="/r",
        token="t",
        tee_stdout="/t",
        timeout_sec=1.5,
        stop_signal=signal.SIGINT,
        keep_leftovers=True,
        umask=0o077,
        group=True,
    )
    assert Launch.from_bytes(launch.as_bytes()) == launch


def test_the_zygote_keeps_nothing_of_the_engine(bench: Any) -> None:
    read_end, write_end = os.pipe()
    zygote = Zygote.start()
    try:
        eventually(lambda: status_of(zygote.pid)["Name"] == "dagfs-zygote")
        open_files = descriptors(zygote.pid)
        assert {open_files.pop(fd) for fd in ("0", "1", "2")} == {"/dev/null"}
        assert len(open_files) == 1
        assert next(iter(open_files.values())).startswith("socket:")
        assert os.getsid(zygote.pid) == zygote.pid
    finally:
        zygote.close()
        os.close(read_end)
        os.close(write_end)


def test_signals_do_not_end_the_zygote(bench: Any) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(bench.pool.zygote.pid, number)
    assert bench.run("exit 3").exit_code == 3


def test_closing_ends_the_zygote_and_leaves_steps_alone(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 5")
    eventually(bench.printed("ready"))
    pid = bench.pool.zygote.pid
    bench.pool.close()
    assert identity(pid) is None
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 5


def test_closing_twice_is_fine_and_asking_afterwards_is_an_error(bench: Any) -> None:
    with closing(Zygote.start()) as zygote:
        zygote.close()
        with pytest.raises(ZygoteDied):
            zygote.hire()


def test_a_suspended_zygote_can_be_closed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.zygote._PATIENCE_MS", 50)
    zygote = Zygote.start()
    pid = zygote.pid
    os.kill(pid, signal.SIGSTOP)
    zygote.close()
    assert identity(pid) is None


def test_a_killed_zygote_is_a_clear_error(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 5")
    eventually(bench.printed("ready"))
    os.kill(bench.pool.zygote.pid, signal.SIGKILL)
    eventually(lambda: identity(bench.pool.zygote.pid) is None)
    for _ in range(2):
        with pytest.raises(ZygoteDied, match="is gone"):
            bench.pool.launch(bench.order("true"))
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 5


@pytest.mark.parametrize("call", ["os.fork", "os.pidfd_open", "socket.socketpair"])
def test_a_machine_without_processes_or_descriptors_is_told_to_the_engine(
    bench: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    Zygote.start().close()
    flag = bench.folder / "flag"
    real = {"os.fork": os.fork, "os.pidfd_open": os.pidfd_open, "socket.socketpair": socket.socketpair}[call]

    def refuse(*args: Any) -> Any:
        if flag.exists():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(*args)

    monkeypatch.setattr(call, refuse)
    with Pool(Zygote.start()) as pool:
        flag.touch()
        order = bench.order("exit 3")
        with pytest.raises(LaunchFailed, match="Resource temporarily unavailable"):
            pool.launch(order)
        assert not Path(order.record).exists()
        flag.unlink()
        child = pool.launch(order)
        assert bench.end(order, child).exit_code == 3
        child.close()


def test_an_engine_with_a_full_descriptor_table_starts_nothing(bench: Any) -> None:
    pool = bench.pool
    order = bench.order("exit 3")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(LaunchFailed, match="Too many open files"):
            pool.launch(order)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not Path(order.record).exists()
    child = bench.launch(order)
    assert bench.end(order, child).exit_code == 3


def test_two_hundred_shims_leak_neither_descriptors_nor_zombies(bench: Any) -> None:
    with closing(Zygote.start()) as zygote:
        zygote.ask()
        pid, *ends = zygote.hire()
        shims = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children")
        assert shims.read_text().split() == [str(pid)]
        before = len(os.listdir("/proc/self/fd")), len(descriptors(zygote.pid))
        for _ in range(20):
            found = [zygote.hire() for _ in range(10)]
            for _, pidfd, wire in found:
                os.close(pidfd)
                os.close(wire)
        eventually(lambda: len(shims.read_text().split()) == 1)
        eventually(lambda: len(descriptors(zygote.pid)) <= before[1])
        assert len(os.listdir("/proc/self/fd")) == before[0]
        for end in ends:
            os.close(end)


def test_two_zygotes_of_one_engine_do_not_hold_each_other(bench: Any) -> None:
    first, second = Zygote.start(), Zygote.start()
    first.close()
    assert identity(first.pid) is None
    second.close()


def test_a_zygote_ends_with_its_engine(bench: Any) -> None:
    def work() -> Iterator[list[int]]:
        zygote = Zygote.start()
        yield [zygote.pid]

    (zygote,) = bench.from_killed_engine(work)
    eventually(lambda: identity(zygote) is None)
