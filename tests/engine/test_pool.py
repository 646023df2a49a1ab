from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagfs.engine.pool import Pool
from dagfs.engine.zygote import ZygoteDied
from dagfs.store.process import identity
from tests.patience import eventually

SHOWS_ITSELF = "umask; pwd; echo $MARK; grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd"


def shim_of(bench: Any, *argv: str, **settings: object) -> int:
    """The shim that carries out a step, which is given back at its end."""
    order, child = bench.start(*argv, **settings)
    bench.end(order, child)
    bench.release(child)
    return int(child.pid)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- who has the next step


@pytest.mark.parametrize(
    "text", ["true", "exit 3", "kill -KILL $$", "sleep 600 & exit 5", "setsid sleep 600 &"]
)
def test_a_shim_that_a_step_left_as_it_was_has_the_next_one(bench: Any, text: str) -> None:
    first = shim_of(bench, text)
    assert shim_of(bench, "true") == first


def test_steps_at_the_same_time_have_shims_of_their_own(bench: Any) -> None:
    text = "echo ready; until [ -e stop ]; do sleep 0.01; done"
    started = [bench.start(text) for _ in range(3)]
    assert len({child.pid for _, child in started}) == 3
    (bench.folder / "stop").touch()
    for order, child in started:
        assert bench.end(order, child).exit_code == 0
        bench.release(child)
    assert shim_of(bench, "true") in {child.pid for _, child in started}


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout_sec": 0.05, "argv": ("sleep", "600")},
        {"secrets": ("hunter22",)},
        {"tee_stdout": "/dev/null"},
        {"cwd": "/nowhere"},
        {"argv": ("no-such-command", "x")},
        {"argv": ("/bin/sh", "-c", "sleep 600 &"), "keep_leftovers": True},
    ],
    ids=["timeout", "secret", "pipe", "folder", "command", "leftovers"],
)
def test_a_shim_that_a_step_may_have_left_otherwise_ends(bench: Any, settings: dict[str, Any]) -> None:
    first = shim_of(bench, "true", **settings)
    assert identity(first) is None
    order, child = bench.start("exit 3")
    assert bench.end(order, child).exit_code == 3
    assert child.pid != first


@pytest.mark.parametrize("kill", [False, True])
def test_a_shim_that_was_told_to_stop_has_no_other_step(bench: Any, kill: bool) -> None:
    order, child = bench.start("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    eventually(bench.printed("ready"))
    child.tell(kill=kill)
    assert bench.end(order, child).cause == ("kill" if kill else "stop")
    bench.release(child)
    assert shim_of(bench, "true") != child.pid


@pytest.mark.parametrize("kill", [False, True])
def test_a_stop_that_comes_after_the_end_hits_no_other_step(bench: Any, kill: bool) -> None:
    for _ in range(20):
        order, child = bench.start("exit 4")
        bench.wait(child)
        child.tell(kill=kill)
        assert bench.end(order, child).exit_code == 4
        bench.release(child)
        assert bench.run("sleep 0.01; exit 5").exit_code == 5


@pytest.mark.parametrize(
    "text",
    [
        "renice -n 7 -p $PPID",
        "echo 500 > /proc/$PPID/oom_score_adj",
        "prlimit --pid $PPID --nofile=50:50",
        "taskset -pc 0 $PPID",
    ],
    ids=["nice", "oom", "limit", "processor"],
)
def test_what_a_step_does_to_its_parent_is_not_handed_on(bench: Any, text: str) -> None:
    first = shim_of(bench, f"{{ {text}; }} >/dev/null")
    assert first not in (shim_of(bench, "true"), shim_of(bench, "true"))


def test_a_relative_path_and_a_file_in_the_way_leave_nothing_behind(bench: Any) -> None:
    """A shim that kept the errors of looking for its commands would grow with each step."""
    for name in ("one", "two"):
        (bench.folder / name).mkdir()
        (bench.folder / name / "cmd").write_text("no program")
    path = f"{bench.folder}/one:{bench.folder}/two:/bin"
    first = shim_of(bench, "true", "x", env={"PATH": path, "BIG": "x" * 100_000})
    before = resident(first)
    (bench.folder / "one/true").write_text("no program")
    for _ in range(100):
        assert shim_of(bench, "true", "x", env={"PATH": path, "BIG": "x" * 100_000}) == first
    assert resident(first) - before < 5_000_000


def test_a_signal_of_a_stranger_ends_a_free_shim_only(bench: Any) -> None:
    first = shim_of(bench, "true")
    os.kill(first, signal.SIGTERM)
    eventually(lambda: identity(first) is None)
    assert bench.run("exit 5").exit_code == 5


def test_asked_twice_to_stop_a_step_keeps_its_grace(bench: Any) -> None:
    order, child = bench.start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
    eventually(bench.printed("ready"))
    child.tell(kill=False)
    child.tell(kill=False)
    left = bench.end(order, child)
    assert (left.exit_code, left.cause) == (3, "stop")


def test_a_step_that_meets_a_stranger_s_signal_on_its_way_does_not_begin(bench: Any) -> None:
    first = shim_of(bench, "true")
    os.kill(first, signal.SIGSTOP)
    os.kill(first, signal.SIGTERM)
    order, child = bench.start("echo begun")
    assert child.pid == first
    os.kill(first, signal.SIGCONT)
    bench.wait(child)
    assert not child.is_free()
    assert bench.record(order) is None


def test_a_shim_that_takes_nothing_holds_up_nobody(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.pool._PATIENCE_SEC", 0.05)
    first = shim_of(bench, "true")
    os.kill(first, signal.SIGSTOP)
    env = {f"V{n}": "x" * 100_000 for n in range(8)}
    order, child = bench.start("exit 5", env=env)
    assert bench.end(order, child).exit_code == 5
    assert child.pid != first
    eventually(lambda: identity(first) is None)


def test_a_stopped_shim_that_is_free_does_not_outlive_the_pool(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagfs.engine.pool._PATIENCE_SEC", 0.05)
    first = shim_of(bench, "true")
    os.kill(first, signal.SIGSTOP)
    bench.pool.close()
    eventually(lambda: identity(first) is None)


# --- a step finds nothing of the one before


def test_the_second_step_of_a_shim_is_like_the_first(bench: Any) -> None:
    said = []
    for number, mask in enumerate((0o027, 0o022)):
        log = str(bench.folder / f"out.{number}")
        bench.run(SHOWS_ITSELF, env={"MARK": str(number)}, umask=mask, stdout=log, stderr=log)
        said.append(Path(log).read_text())
    assert said[0].replace("0027", "0022", 1).replace("\n0\n", "\n1\n", 1) == said[1]
    assert (bench.folder / "out.1").stat().st_mode & 0o777 == 0o600
    assert Path(bench.folder / "record.2").stat().st_mode & 0o777 == 0o600


def test_a_hundred_steps_leave_a_shim_with_the_descriptors_of_one(bench: Any) -> None:
    first = shim_of(bench, "true")
    before = sorted(os.listdir(f"/proc/{first}/fd"))
    for _ in range(100):
        assert shim_of(bench, "/bin/true", "x") == first
    assert sorted(os.listdir(f"/proc/{first}/fd")) == before


# --- the ends of shims


def test_a_free_shim_ends_when_there_is_nothing_more_to_do(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagfs.engine.shim._IDLE_MS", 1)
    first = shim_of(bench, "true")
    eventually(lambda: identity(first) is None)
    order, child = bench.start("exit 5")
    assert bench.end(order, child).exit_code == 5
    assert child.pid != first


def test_a_step_that_comes_as_its_shim_goes_runs_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.shim._IDLE_MS", 0)
    shims = set()
    for number in range(100):
        order, child = bench.start(f"echo {number} >> ran")
        assert bench.end(order, child).exit_code == 0
        shims.add(child.pid)
        bench.release(child)
    assert (bench.folder / "ran").read_text().split() == [str(number) for number in range(100)]
    assert len(shims) > 1


def test_a_free_shim_that_was_killed_is_not_missed(bench: Any) -> None:
    first = shim_of(bench, "true")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: identity(first) is None)
    assert bench.run("exit 5").exit_code == 5


def test_the_shims_go_on_without_their_zygote_until_a_new_one_is_needed(bench: Any) -> None:
    first = shim_of(bench, "true")
    os.kill(bench.pool.zygote.pid, signal.SIGKILL)
    eventually(lambda: identity(bench.pool.zygote.pid) is None)
    order, child = bench.start("exit 5")
    assert (bench.end(order, child).exit_code, child.pid) == (5, first)
    with pytest.raises(ZygoteDied):
        bench.launch(bench.order("true"))


def test_closing_the_pool_ends_the_free_shims_and_leaves_the_others(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 5")
    eventually(bench.printed("ready"))
    free = shim_of(bench, "true")
    bench.pool.close()
    assert identity(free) is None
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 5


def test_a_free_shim_ends_with_its_engine(bench: Any) -> None:
    order = bench.order("true")

    def work() -> Iterator[list[int]]:
        pool = Pool.start()
        child = pool.launch(order)
        bench.wait(child)
        pool.take_back(child)
        yield [child.pid]

    (shim,) = bench.from_killed_engine(work)
    eventually(lambda: identity(shim) is None)
