from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from typing import Any

import pytest

from dagfs.engine import tree
from dagfs.engine.tree import children, kill_by_token, open_process, stop_shim
from dagfs.errors import Refused
from dagfs.store.process import identity
from tests.patience import eventually

LOOP = "while :; do sleep 0.01; done"


def test_what_a_killed_shim_left_behind_is_found_by_its_token(bench: Any) -> None:
    text = f"setsid nohup sh -c '{LOOP}' & (sh -c 'trap \"\" TERM; {LOOP}' &) ; echo ready; {LOOP}"
    order, child = bench.start(text)
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGKILL)
    bench.wait(child)
    bench.release(child)
    record = bench.record(order)
    assert record.exit is None
    assert not record.is_running
    assert kill_by_token(order.token) >= 3
    assert bench.survivors() == []
    assert kill_by_token(order.token) == 0


def test_a_child_that_cleared_its_environment_is_found_below_its_parent(bench: Any) -> None:
    order, child = bench.start(f"env -i /bin/sh -c 'echo ready $$; {LOOP}' & wait")
    eventually(bench.printed("ready"))
    pid = int(bench.stdout.read_text().split()[1])
    bench.signal(child, signal.SIGKILL)
    bench.wait(child)
    bench.release(child)
    assert kill_by_token(order.token) >= 2
    assert identity(pid) is None


def test_another_token_is_left_alone(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 4")
    eventually(bench.printed("ready"))
    assert kill_by_token(order.token + "0") == 0
    assert kill_by_token(order.token[:-1]) == 0
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 4


def test_this_process_is_never_killed_by_its_own_token(bench: Any) -> None:
    text = "import os; from dagfs.engine.tree import kill_by_token as kill; "
    text += "print(kill(os.environ['DAGFS_TRY_TOKEN']))"
    left = bench.run(sys.executable, "-c", text)
    assert left.exit_code == 0, bench.stderr.read_text()
    assert bench.stdout.read_text() == "0\n"


def test_what_cannot_be_killed_is_said(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order, child = bench.start(f"echo ready; {LOOP}")
    eventually(bench.printed("ready"))
    monkeypatch.setattr(tree, "_PATIENCE_SEC", 0.0)
    monkeypatch.setattr(tree, "_kill", lambda pidfd: False)
    with pytest.raises(Refused, match="cannot be killed"):
        kill_by_token(order.token)
    monkeypatch.undo()
    bench.signal(child, signal.SIGUSR1)
    bench.end(order, child)


@pytest.mark.parametrize("kill", [False, True])
def test_an_orphaned_shim_is_stopped_or_killed_by_its_identity(bench: Any, kill: bool) -> None:
    order, child = bench.start(f"trap 'exit 3' TERM; echo ready; {LOOP}")
    eventually(bench.printed("ready"))
    shim = bench.record(order).shim
    assert stop_shim(shim, kill)
    left = bench.end(order, child)
    assert (left.cause, left.exit_code) == (("kill", 137) if kill else ("stop", 3))
    bench.release(child)
    assert not stop_shim(shim, kill)


def test_a_recycled_pid_and_another_boot_are_never_signalled(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 4")
    eventually(bench.printed("ready"))
    shim = bench.record(order).shim
    for other in (replace(shim, start=shim.start - 1), replace(shim, boot="other"), replace(shim, pid=0)):
        assert open_process(other) is None
        assert not stop_shim(other, True)
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 4


def test_children_are_listed_with_and_without_the_kernel_s_list(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(write_end)
            os.read(read_end, 1)
        finally:
            os._exit(0)
    os.close(read_end)
    try:
        assert pid in children()

        def missing(path: str, *args: Any, **named: Any) -> Any:
            if path.endswith("/children"):
                raise FileNotFoundError(path)
            return open(path, *args, **named)

        monkeypatch.setattr(tree, "open", missing, raising=False)
        assert pid in children()
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)
