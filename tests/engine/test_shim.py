from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagfs.engine.pool import Pool
from dagfs.store.files import Disk
from dagfs.store.process import identity, is_alive
from tests.patience import eventually

NASTY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def sleeper(ready, setsid=False, deep=0):
    if os.fork() == 0:
        if setsid: os.setsid()
        if deep and os.fork(): os._exit(0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(ready, b".")
        time.sleep(600)
        os._exit(0)
r, w = os.pipe()
sleeper(w); sleeper(w, setsid=True); sleeper(w, deep=1); sleeper(w, setsid=True, deep=1)
if os.fork() == 0:
    sleeper(w); sleeper(w, setsid=True)
    os.write(w, b".")
    time.sleep(600)
count = 0
while count < 7: count += len(os.read(r, 7))
print("ready", flush=True)
"""
ENDLESS = NASTY + "time.sleep(600)\n"
"""A tree of eight that ignores SIGTERM: own sessions, daemons, children of children."""


def python(text: str) -> tuple[str, str, str]:
    return sys.executable, "-c", text


# --- how a step ends


@pytest.mark.parametrize("code", [0, 1, 7, 137, 255])
def test_an_exit_code_is_recorded(bench: Any, code: int) -> None:
    left = bench.run(f"exit {code}")
    assert (left.exit_code, left.signal, left.cause, left.error) == (code, None, None, None)


def test_a_death_by_signal_is_told_from_an_exit_code(bench: Any) -> None:
    left = bench.run("kill -KILL $$")
    assert (left.exit_code, left.signal, left.cause) == (137, 9, None)


def test_the_record_names_shim_and_main_process_while_they_run(bench: Any) -> None:
    order, child = bench.start("echo $$; until [ -e stop ]; do sleep 0.01; done")
    eventually(lambda: (r := bench.record(order)) and r.main and bench.stdout.read_text())
    record = bench.record(order)
    assert record.is_running
    assert record.shim == identity(child.pid)
    assert record.main == identity(int(bench.stdout.read_text()))
    (bench.folder / "stop").touch()
    bench.end(order, child)
    assert not bench.record(order).is_running


def test_a_command_that_is_not_there_ends_with_127(bench: Any) -> None:
    left = bench.run("no-such-command", "x")
    assert left.exit_code == 127
    assert left.error == "command not found in the PATH of the step: 'no-such-command'"


def test_a_file_that_may_not_be_executed_ends_with_126(bench: Any) -> None:
    (bench.folder / "plain").write_text("text")
    left = bench.run(f"{bench.folder}/plain", "x")
    assert (left.exit_code, left.error) == (126, f"cannot start {bench.folder}/plain: Permission denied")


def test_a_script_whose_interpreter_is_missing_says_so(bench: Any) -> None:
    script = bench.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    left = bench.run(str(script), "x")
    assert (left.exit_code, left.error) == (127, f"cannot start {script}: its interpreter is not there")


def test_the_command_is_looked_up_in_the_path_of_the_step_alone(bench: Any) -> None:
    tools = bench.folder / "tools"
    tools.mkdir()
    (tools / "own").write_text("#!/bin/sh\necho mine\n")
    (tools / "own").chmod(0o700)
    assert bench.run("own", "x", env={"PATH": f"/nowhere:{tools}:/bin"}).exit_code == 0
    assert bench.stdout.read_text() == "mine\n"
    assert bench.run("own", "x", env={"PATH": "/bin"}).exit_code == 127


def test_an_empty_command_is_an_error_not_a_crash(bench: Any) -> None:
    assert bench.run(argv=()).exit_code == 127
    assert bench.run("", "x").exit_code == 127


def test_a_nul_in_the_environment_is_an_error_not_a_crash(bench: Any) -> None:
    left = bench.run("true", env={"BAD": "a\0b"})
    assert left.exit_code == 126
    assert "NUL" in left.error


def test_a_missing_working_directory_is_an_error(bench: Any) -> None:
    left = bench.run("true", cwd=f"{bench.folder}/gone")
    assert (left.exit_code, left.error) == (
        126,
        f"cannot enter {bench.folder}/gone: No such file or directory",
    )


def test_a_log_that_is_a_link_is_refused(bench: Any) -> None:
    bench.stdout.symlink_to("elsewhere")
    left = bench.run("echo hello")
    assert left.exit_code == 126
    assert str(bench.stdout) in left.error
    assert not (bench.folder / "elsewhere").exists()


def test_too_large_an_environment_is_reported_with_its_size(bench: Any) -> None:
    left = bench.run("true", env={f"V{n}": "x" * 100_000 for n in range(40)})
    assert left.exit_code == 126
    assert "Argument list too long (40" in left.error


def test_a_megabyte_of_environment_arrives(bench: Any) -> None:
    env = {f"V{n}": "x" * 100_000 for n in range(10)}
    assert bench.run('printf %s "$V0$V9" | wc -c', env=env).exit_code == 0
    assert bench.stdout.read_text().strip() == "200000"


def test_bytes_that_are_no_text_pass_through(bench: Any) -> None:
    left = bench.run("/bin/sh", "-c", 'printf "%s%s" "$V" "$1"', "sh", "\udcfe", env={"V": "\udcff"})
    assert left.exit_code == 0
    assert bench.stdout.read_bytes() == b"\xff\xfe"


# --- what a step inherits


def test_a_step_gets_three_descriptors_and_no_more(bench: Any) -> None:
    bench.run("ls /proc/$$/fd")
    # dash reads its script from its arguments, so all it has is what it was given.
    assert bench.stdout.read_text().split() == ["0", "1", "2"]


def test_a_step_reads_nothing_from_its_standard_input(bench: Any) -> None:
    assert bench.run("cat; readlink /proc/self/fd/0").exit_code == 0
    assert bench.stdout.read_text() == "/dev/null\n"


def test_a_step_has_default_signals_and_none_blocked(bench: Any) -> None:
    bench.run("cat", "/proc/self/status")
    fields = dict(line.split(":\t") for line in bench.stdout.read_text().splitlines() if ":\t" in line)
    # posix_spawn leaves the two signals that the C library keeps for itself ignored; no program can use them.
    reachable = sum(1 << number - 1 for number in signal.valid_signals())
    assert int(fields["SigBlk"], 16) == int(fields["SigIgn"], 16) & reachable == 0


def test_a_broken_pipe_ends_a_step(bench: Any) -> None:
    bench.run("yes | head -n 1; (sleep 0; yes; echo $? >&2) | true")
    assert bench.stdout.read_text() == "y\n"
    assert bench.stderr.read_text().strip() == "141"


def test_a_step_leads_its_own_session(bench: Any) -> None:
    bench.run(*python("import os; print(os.getpid() == os.getsid(0) == os.getpgrp())"))
    assert bench.stdout.read_text() == "True\n"


def test_the_umask_is_that_of_the_launch(bench: Any) -> None:
    bench.run("umask; touch made", umask=0o027)
    assert bench.stdout.read_text() == "0027\n"
    assert (bench.folder / "made").stat().st_mode & 0o777 == 0o640
    assert bench.stdout.stat().st_mode & 0o777 == 0o600


def test_files_of_a_group_store_are_for_the_group(bench: Any) -> None:
    order, child = bench.start("echo hello", group=True)
    bench.end(order, child)
    for path in (order.stdout, order.stderr, order.record):
        assert Path(path).stat().st_mode & 0o777 == 0o660


# --- output


def test_every_byte_arrives(bench: Any) -> None:
    bench.run("head -c 3000000 /dev/zero; printf end; printf oops >&2")
    assert bench.stdout.read_bytes() == bytes(3_000_000) + b"end"
    assert bench.stderr.read_bytes() == b"oops"


def test_the_same_log_twice_keeps_the_order_of_both_streams(bench: Any) -> None:
    bench.run("for i in 1 2 3; do echo out; echo err >&2; done", stderr=str(bench.stdout))
    assert bench.stdout.read_text() == "out\nerr\n" * 3


def test_two_tries_append_to_one_log(bench: Any) -> None:
    bench.run("echo one")
    bench.run("echo two")
    assert bench.stdout.read_text() == "one\ntwo\n"


def test_a_copy_of_the_output_goes_beside_the_log(bench: Any) -> None:
    beside = bench.folder / "beside.txt"
    beside.write_text("before\n")
    left = bench.run("head -c 500000 /dev/zero; echo x; echo err >&2", tee_stdout=str(beside))
    assert left.truncated == 0
    assert bench.stdout.read_bytes() == bytes(500_000) + b"x\n"
    assert beside.read_bytes() == b"before\n" + bytes(500_000) + b"x\n"
    assert bench.stderr.read_text() == "err\n"


def test_merged_streams_with_one_copy_keep_their_order(bench: Any) -> None:
    beside = str(bench.folder / "beside.txt")
    log = str(bench.stdout)
    text = "for i in 1 2 3; do echo out; echo err >&2; done"
    bench.run(text, stderr=log, tee_stdout=beside, tee_stderr=beside)
    assert bench.stdout.read_text() == Path(beside).read_text() == "out\nerr\n" * 3


def test_a_full_disk_under_the_copy_harms_neither_step_nor_log(bench: Any) -> None:
    left = bench.run("head -c 300000 /dev/zero && echo x", tee_stdout="/dev/full")
    assert (left.exit_code, left.truncated) == (0, 300_002)
    assert bench.stdout.stat().st_size == 300_002


def test_a_copy_into_a_fifo_that_nobody_reads_does_not_hang(bench: Any) -> None:
    os.mkfifo(bench.folder / "fifo")
    left = bench.run("echo x", tee_stdout=f"{bench.folder}/fifo")
    assert left.exit_code == 126
    assert f"cannot write {bench.folder}/fifo" in left.error


def test_a_held_pipe_does_not_delay_the_end(bench: Any) -> None:
    left = bench.run("echo first; sleep 600 &", tee_stdout=f"{bench.folder}/beside")
    assert (left.exit_code, left.leftovers) == (0, 1)
    assert (bench.folder / "beside").read_text() == "first\n"


def test_a_held_pipe_of_a_kept_leftover_does_not_delay_the_end(bench: Any) -> None:
    text = "echo first; (while :; do echo again; done) &"
    left = bench.run(text, tee_stdout=f"{bench.folder}/beside", keep_leftovers=True)
    assert (left.exit_code, left.leftovers) == (0, 0)
    assert (bench.folder / "beside").read_text().startswith("first\n")


def test_a_step_that_closes_its_streams_is_fine(bench: Any) -> None:
    assert bench.run("exec >&- 2>&-; exit 4", tee_stdout=f"{bench.folder}/beside").exit_code == 4


# --- leftovers


def test_a_background_child_holding_the_log_does_not_delay_the_end(bench: Any) -> None:
    left = bench.run("sleep 600 & exit 5")
    assert (left.exit_code, left.leftovers) == (5, 1)
    assert bench.survivors() == []


def test_a_nasty_tree_is_gone_after_a_normal_end(bench: Any) -> None:
    left = bench.run(*python(NASTY))
    assert (left.exit_code, left.cause, left.leftovers) == (0, None, 7)
    assert bench.survivors() == []


def test_leftovers_may_be_kept(bench: Any) -> None:
    left = bench.run("sleep 600 & echo $!", keep_leftovers=True)
    assert left.leftovers == 0
    assert len(bench.survivors()) == 1


def test_orphans_are_reaped_while_the_step_runs(bench: Any) -> None:
    text = "for i in 1 2 3; do (sh -c 'echo done >> done' &); done; until [ -e stop ]; do sleep 0.01; done"
    order, child = bench.start(text)
    eventually(lambda: (bench.folder / "done").exists())
    eventually(lambda: len((bench.folder / "done").read_text().split()) == 3)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    eventually(lambda: len(children.read_text().split()) == 1)
    (bench.folder / "stop").touch()
    assert bench.end(order, child).exit_code == 0


# --- stop, kill, timeout


def test_a_stop_is_the_step_s_own_to_handle(bench: Any) -> None:
    order, child = bench.start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGTERM)
    left = bench.end(order, child)
    assert (left.exit_code, left.signal, left.cause) == (3, None, "stop")
    assert bench.stdout.read_text() == "ready\nbye\n"


def test_a_stop_sends_the_signal_that_the_step_wants(bench: Any) -> None:
    text = "trap 'exit 9' INT; echo ready; while :; do sleep 0.01; done"
    order, child = bench.start(text, stop_signal=int(signal.SIGINT))
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGTERM)
    assert bench.end(order, child).exit_code == 9


def test_a_stop_at_the_first_instant_is_not_lost(bench: Any) -> None:
    for _ in range(20):
        order, child = bench.start("sleep 600")
        bench.signal(child, signal.SIGTERM)
        left = bench.end(order, child)
        assert left.cause == "stop"
        assert left.signal in (signal.SIGTERM, signal.SIGKILL)


def test_the_group_has_its_grace_although_its_leader_is_gone(bench: Any) -> None:
    inner = "trap 'echo saved; exit' TERM; echo ready; while :; do sleep 0.01; done"
    order, child = bench.start(f'sh -c "{inner}" & wait')
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGTERM)
    left = bench.end(order, child)
    assert (left.signal, left.leftovers) == (signal.SIGTERM, 0)
    assert bench.stdout.read_text() == "ready\nsaved\n"


def test_what_ignores_a_stop_is_killed_after_its_grace(bench: Any) -> None:
    order, child = bench.start("trap '' TERM; echo ready; while :; do sleep 0.01; done", grace_sec=0.1)
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGTERM)
    left = bench.end(order, child)
    assert (left.exit_code, left.signal, left.cause) == (137, 9, "stop")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGUSR1])
def test_a_second_stop_kills_at_once(bench: Any, second: int) -> None:
    text = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"
    order, child = bench.start(text, grace_sec=100_000)
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGTERM)
    eventually(bench.printed("asked"))
    bench.signal(child, second)
    left = bench.end(order, child)
    assert (left.signal, left.cause) == (9, "kill")


def test_a_kill_asks_nobody(bench: Any) -> None:
    order, child = bench.start("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    eventually(bench.printed("ready"))
    bench.signal(child, signal.SIGUSR1)
    left = bench.end(order, child)
    assert (left.signal, left.cause) == (9, "kill")


def test_a_timeout_stops_the_step(bench: Any) -> None:
    left = bench.run("exec sleep 600", timeout_sec=0.05)
    assert (left.exit_code, left.signal, left.cause) == (143, 15, "timeout")


def test_a_timeout_that_is_ignored_kills(bench: Any) -> None:
    left = bench.run("trap '' TERM; while :; do sleep 0.01; done", timeout_sec=0.3, grace_sec=0.05)
    # On a busy machine the shell may not have come to its trap by then.
    assert left.signal in (signal.SIGKILL, signal.SIGTERM)
    assert left.cause == "timeout"


def test_a_timeout_and_a_grace_of_centuries_are_fine(bench: Any) -> None:
    assert bench.run("exit 2", timeout_sec=1e12, grace_sec=1e12).exit_code == 2


@pytest.mark.parametrize("how", ["stop", "kill", "timeout"])
def test_a_nasty_tree_is_gone_whatever_ends_it(bench: Any, how: str) -> None:
    order, child = bench.start(*python(ENDLESS), grace_sec=0.05, timeout_sec=1.5 if how == "timeout" else 0)
    if how != "timeout":
        eventually(bench.printed("ready"))
        bench.signal(child, signal.SIGTERM if how == "stop" else signal.SIGUSR1)
    left = bench.end(order, child)
    assert left.cause == how
    assert how == "timeout" or left.signal == signal.SIGKILL
    assert bench.survivors() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_suspended_step_can_be_ended(bench: Any, number: int) -> None:
    order, child = bench.start("echo ready; kill -STOP $$; sleep 600")
    eventually(bench.printed("ready"))
    bench.signal(child, number)
    assert bench.end(order, child).cause == ("stop" if number == signal.SIGTERM else "kill")


def test_signals_of_a_terminal_do_not_reach_the_shim(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done; exit 6")
    eventually(bench.printed("ready"))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE):
        bench.signal(child, number)
    (bench.folder / "stop").touch()
    left = bench.end(order, child)
    assert (left.exit_code, left.cause) == (6, None)


def test_processes_that_may_not_be_killed_are_counted_not_awaited(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.kill

    def kill(pid: int, number: int) -> None:
        if number == signal.SIGKILL:
            raise PermissionError
        real(pid, number)

    monkeypatch.setattr("os.kill", kill)
    order, child = bench.start("sleep 600 & exit 0")
    left = bench.end(order, child)
    assert (left.exit_code, left.leftovers, left.survivors) == (0, 0, 1)


# --- the record


def test_a_try_that_has_a_record_is_not_started_again(bench: Any) -> None:
    order, child = bench.start("echo once")
    bench.end(order, child)
    bench.wait(bench.launch(order))
    assert bench.stdout.read_text() == "once\n"


def test_the_record_is_locked_while_the_shim_lives(bench: Any) -> None:
    order, child = bench.start("echo ready; until [ -e stop ]; do sleep 0.01; done")
    eventually(bench.printed("ready"))
    with open(order.record) as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (bench.folder / "stop").touch()
        bench.end(order, child)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_end_is_held_until_the_disk_takes_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    full, real = bench.folder / "full", Disk._write

    def write(disk: Disk, fd: int, path: str, data: Any) -> int:
        if b"exited" in bytes(data) and full.exists():
            os.write(fd, bytes(data[:30]))
            (bench.folder / "refused").touch()
            raise OSError(28, "No space left on device")
        return real(disk, fd, path, data)

    monkeypatch.setattr(Disk, "_write", write)
    full.touch()
    order, child = bench.start("exit 8")
    eventually((bench.folder / "refused").exists)
    record = bench.record(order)
    assert record.is_running
    assert record.exit is None
    full.unlink()
    assert bench.end(order, child).exit_code == 8


def test_a_record_that_cannot_be_made_starts_nothing(bench: Any) -> None:
    order, child = bench.start("echo begun", record=f"{bench.folder}/gone/record.1")
    bench.wait(child)
    assert bench.record(order) is None
    assert not bench.stdout.exists()


def test_a_fault_in_the_shim_kills_the_step_and_says_so(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.supervisor.Supervisor._is_over", lambda self: 1 / 0)
    left = bench.run("setsid sleep 600 & sleep 600")
    assert left.exit_code is None
    assert left.error == "its shim failed: ZeroDivisionError: division by zero"
    assert bench.survivors() == []


def test_a_machine_without_room_for_a_process_is_waited_for(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, flag = os.posix_spawn, bench.folder / "tried"

    def spawn(*args: Any, **named: Any) -> int:
        if not flag.exists():
            flag.touch()
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(*args, **named)

    monkeypatch.setattr("os.posix_spawn", spawn)
    assert bench.run("exit 3").exit_code == 3
    assert flag.exists()


def test_a_stop_ends_the_wait_for_room(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def spawn(*args: Any, **named: Any) -> int:
        (bench.folder / "tried").touch()
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.posix_spawn", spawn)
    order, child = bench.start("exit 3")
    eventually((bench.folder / "tried").exists)
    bench.signal(child, signal.SIGTERM)
    left = bench.end(order, child)
    assert (left.cause, left.error) == ("stop", "stopped before it began")


# --- the engine's death


def engine_that_dies(bench: Any, order: Any, *, at_once: bool = False) -> list[int]:
    """Fork an engine that launches a step and is killed; gives the pids of its zygote and the shim."""

    def work() -> Iterator[list[int]]:
        pool = Pool.start()
        pids = [pool.zygote.pid, pool.launch(order).pid]
        if not at_once:
            eventually(bench.printed("line 0"))
        yield pids

    return bench.from_killed_engine(work)  # type: ignore[no-any-return]


def test_a_step_outlives_its_engine_and_its_end_is_kept(bench: Any) -> None:
    text = "i=0; while [ $i -le 200 ]; do echo line $i; echo err $i >&2; i=$((i+1)); done; "
    text += "until [ -e stop ]; do sleep 0.01; done; echo last; exit 42"
    order = bench.order(text)
    engine_that_dies(bench, order)
    record = bench.record(order)
    assert record.is_running
    assert record.exit is None
    (bench.folder / "stop").touch()
    eventually(lambda: not is_alive(record.shim))
    assert bench.record(order).exit.exit_code == 42
    assert bench.stdout.read_text() == "".join(f"line {i}\n" for i in range(201)) + "last\n"
    assert bench.stderr.read_text() == "".join(f"err {i}\n" for i in range(201))


def test_a_step_whose_engine_dies_at_its_start_runs_whole_or_not_at_all(bench: Any) -> None:
    for _ in range(20):
        order = bench.order("echo line 0; exit 42", stdout=str(bench.folder / f"out.{len(bench.tokens)}"))
        pids = engine_that_dies(bench, order, at_once=True)
        eventually(lambda pids=pids: not any(identity(pid) for pid in pids))
        record = bench.record(order)
        ran = Path(order.stdout).exists()
        if record is None:
            assert not ran
        elif ran:
            assert record.exit.exit_code == 42
        else:
            assert (record.exit.exit_code, record.exit.cause) == (None, "not_begun")


def test_a_shim_whose_engine_is_gone_starts_nothing(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagfs.engine.shim._is_gone", lambda engine: True)
    left = bench.run("echo begun")
    assert (left.exit_code, left.cause, left.error) == (None, "not_begun", "its engine died before it began")
    assert not bench.stdout.exists()
