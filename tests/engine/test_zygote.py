from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from dagfs.engine.launch import Launch
from dagfs.engine.zygote import LaunchFailed, Zygote, ZygoteDied
from dagfs.store.process import identity


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
    zygote = bench.zygote
    try:
        bench.until(lambda: status_of(zygote.pid)["Name"] == "dagfs-zygote")
        open_files = descriptors(zygote.pid)
        assert {open_files.pop(fd) for fd in ("0", "1", "2")} == {"/dev/null"}
        assert len(open_files) == 1
        assert next(iter(open_files.values())).startswith("socket:")
        assert os.getsid(zygote.pid) == zygote.pid
    finally:
        os.close(read_end)
        os.close(write_end)


def test_signals_do_not_end_the_zygote(bench: Any) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(bench.zygote.pid, number)
    assert bench.run("exit 3").exit_code == 3


def test_closing_ends_the_zygote_and_leaves_steps_alone(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 5")
    bench.until(bench.printed("ready"))
    pid = bench.zygote.pid
    bench.zygote.close()
    assert identity(pid) is None
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 5


def test_closing_twice_is_fine_and_launching_afterwards_is_an_error(bench: Any) -> None:
    with Zygote.start() as zygote:
        zygote.close()
        with pytest.raises(ZygoteDied):
            zygote.launch(bench.order("true"))


def test_a_suspended_zygote_can_be_closed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.zygote._PATIENCE_MS", 50)
    zygote = Zygote.start()
    pid = zygote.pid
    os.kill(pid, signal.SIGSTOP)
    zygote.close()
    assert identity(pid) is None


def test_a_killed_zygote_is_a_clear_error(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 5")
    bench.until(bench.printed("ready"))
    os.kill(bench.zygote.pid, signal.SIGKILL)
    bench.until(lambda: identity(bench.zygote.pid) is None)
    for _ in range(2):
        with pytest.raises(ZygoteDied, match="is gone"):
            bench.zygote.launch(bench.order("true"))
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 5


@pytest.mark.parametrize("call", ["os.fork", "os.pidfd_open", "os.pipe2"])
def test_a_machine_without_processes_or_descriptors_is_told_to_the_engine(
    bench: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    zygote_starts = Zygote.start()
    zygote_starts.close()
    flag = bench.folder / "flag"
    real = {"os.fork": os.fork, "os.pidfd_open": os.pidfd_open, "os.pipe2": os.pipe2}[call]

    def refuse(*args: Any) -> Any:
        if flag.exists():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(*args)

    monkeypatch.setattr(call, refuse)
    zygote = bench.zygote
    flag.touch()
    order = bench.order("exit 3")
    with pytest.raises(LaunchFailed, match="Resource temporarily unavailable"):
        zygote.launch(order)
    assert not Path(order.record).exists()
    flag.unlink()
    child = bench.launch(order)
    assert bench.end(order, child).exit_code == 3


def test_an_engine_with_a_full_descriptor_table_starts_nothing(bench: Any) -> None:
    zygote = bench.zygote
    order = bench.order("exit 3")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(LaunchFailed, match="Too many open files"):
            zygote.launch(order)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    child = bench.launch(order)
    assert bench.end(order, child).exit_code == 3


def test_two_hundred_launches_leak_neither_descriptors_nor_zombies(bench: Any) -> None:
    bench.run("true")
    zygote = bench.zygote
    shims = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children")
    # The first shim's pidfd goes once the zygote has reaped it.
    bench.until(lambda: not shims.read_text())
    before = len(os.listdir("/proc/self/fd")), len(descriptors(zygote.pid))
    for _ in range(20):
        for order, child in [bench.start("/bin/true", "x") for _ in range(10)]:
            assert bench.end(order, child).exit_code == 0
            os.close(child.pidfd)
            bench.children.remove(child)
    bench.until(lambda: not shims.read_text() and len(descriptors(zygote.pid)) <= before[1])
    assert len(os.listdir("/proc/self/fd")) == before[0]


def test_two_zygotes_of_one_engine_do_not_hold_each_other(bench: Any) -> None:
    first, second = Zygote.start(), Zygote.start()
    first.close()
    assert identity(first.pid) is None
    second.close()


def test_a_zygote_ends_with_its_engine(bench: Any) -> None:
    read_end, write_end = os.pipe()
    engine = os.fork()
    if engine == 0:
        try:
            os.write(write_end, b"%d" % Zygote.start().pid)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(engine, 0)
    os.close(write_end)
    with open(read_end) as file:
        zygote = int(file.read())
    bench.until(lambda: identity(zygote) is None)
