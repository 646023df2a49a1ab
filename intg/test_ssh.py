"""Steps on another machine: a real sshd, real connections, and everything that happens to those."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from intg.home import Engine, Home
from intg.small_disk import needs_root
from intg.sshd import Sshd, sshd
from tests.patience import eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A machine to log in to. Its jobs are gone when the story ends."""
    folder = tmp_path / "machine"
    folder.mkdir(mode=0o700)
    with sshd(folder) as server:
        yield server
    left = list((folder / "jobs").glob("*"))
    assert not left, f"jobs left on the other machine: {left}"


def job(home: Home, server: Sshd, run: str, more: str = "", **config: str) -> None:
    """A DAG of one ssh step; `run` is its command, `more` further keys."""
    lines = "\n".join(f"      {line}" for line in run.strip("\n").split("\n"))
    home.dag(
        "job",
        "steps:\n  - name: far\n    type: ssh\n"
        f"    config: {server.settings(**config)}\n    run: |\n{lines}\n{more}",
    )


WAITING = """
echo began >> "$DESK/count"
echo "far begins"
until test -e "$DESK/go"; do sleep 0.05; done
echo "far ends"
exit "$(cat "$DESK/go")"
"""


def waiting(home: Home, server: Sshd, run: str = WAITING, **config: str) -> None:
    """A step that waits over there until the story says how it ends."""
    job(home, server, run, f"    env:\n      - DESK: {home.file('')}\n", **config)


def test_a_command_runs_there_with_its_values_its_log_its_outputs_and_its_exit_code(
    home: Home, server: Sshd
) -> None:
    job(
        home,
        server,
        """
printf '<%s>' "$ODD" "${WORD}"
echo problem >&2
echo "ANSWER=42" >> "$DAGFS_OUTPUT"
pwd
exit 3
""",
        '    env:\n      - ODD: "it\'s $(touch /tmp/never) `x` \\"q\\" \\\\ *\\n--end"\n'
        "      - WORD: plain\n    continue_on: {exit_code: 3, mark_success: true}\n",
        working_dir="/",
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("far") == '<it\'s $(touch /tmp/never) `x` "q" \\ *\n--end><plain>/\n'
    assert home.log("far", stream="stderr") == "problem\n"
    assert home.dagfs("status", "--json").json["steps"]["far"]["exit_code"] == 3
    assert json.loads((home.run / "attempts/1/steps/far/outputs.json").read_text())["outputs"] == {
        "ANSWER": "42"
    }


def test_a_dropped_connection_is_made_anew_and_the_command_runs_once(home: Home, server: Sshd) -> None:
    waiting(home, server)
    engine = home.start("run", "job")
    engine.until(lambda: "far begins" in home.log("far"), "the first line")
    server.cut()
    engine.until(lambda: "was lost" in home.log("far", stream="stderr"), "the loss")
    engine.until(lambda: "again" in home.log("far", stream="stderr"), "the new connection")
    home.go(5)
    engine.wait().exits(1)
    assert home.lines("count") == ["began"]
    assert home.log("far") == "far begins\nfar ends\n"
    assert home.dagfs("status", "--json").json["steps"]["far"]["exit_code"] == 5


def begun(home: Home, *words: str) -> Engine:
    """The engine of a run whose step waits over there."""
    engine = home.start("run", "job", *words)
    engine.until(lambda: "far begins" in home.log("far"), "the first line")
    return engine


def client(home: Home) -> int:
    """The step's own process here."""
    record = home.run / "attempts/1/steps/far/record.1"
    started = next(
        line for line in map(json.loads, record.read_text().splitlines()) if line["event"] == "started"
    )
    return int(started["pid"])


def test_a_connection_that_is_frozen_is_noticed_and_made_anew(home: Home, server: Sshd) -> None:
    waiting(home, server, keepalive_sec="1")
    engine = begun(home)
    server.cut(signal.SIGSTOP)
    engine.until(lambda: "again" in home.log("far", stream="stderr"), "the new connection")
    home.go()
    engine.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("far") == "far begins\nfar ends\n"


def test_a_changed_host_key_is_refused_and_nothing_runs(home: Home, server: Sshd) -> None:
    server.stop()
    server.new_host_key()
    server.start()
    waiting(home, server)
    home.dagfs("run", "job").exits(1)
    assert home.dagfs("status", "--json").json["steps"]["far"]["exit_code"] == 254
    assert "the key of the host has changed" in home.log("far", stream="stderr")
    assert not home.lines("count")


def test_an_unknown_host_is_refused_unless_that_was_asked_for(home: Home, server: Sshd) -> None:
    server.known_hosts.write_text("")
    job(home, server, "echo there")
    home.dagfs("run", "job", "--id", "one").exits(1)
    log = home.path / "runs/one/attempts/1/steps/far/stderr.log"
    assert "the key of the host is not known" in log.read_text()
    job(home, server, "echo there", strict_host_key="accept-new")
    home.dagfs("run", "job", "--id", "two").exits(0)
    assert "ssh-ed25519" in server.known_hosts.read_text()


def test_a_machine_that_is_away_is_a_class_of_its_own_to_try_again(home: Home, server: Sshd) -> None:
    server.stop()
    job(
        home,
        server,
        "echo there",
        "    retry_policy: {limit: 1, interval_sec: 0, exit_code: 255}\n",
        connect_sec="0",
    )
    home.dagfs("run", "job").exits(1)
    step = home.dagfs("status", "--json").json["steps"]["far"]
    assert (step["exit_code"], step["tries"]) == (255, 2)
    server.start()
    home.dagfs("retry").exits(0)


@needs_root
def test_a_full_disk_over_there_is_said_before_and_survived_within(
    home: Home, server: Sshd, tmp_path: Path
) -> None:
    disk = tmp_path / "far-disk"
    with mounted(disk, "256k"):
        (disk / "fill").write_bytes(b"")
        fill(disk)
        waiting(home, server, remote_dir=str(disk / "jobs"))
        home.dagfs("run", "job").exits(1)
        assert home.dagfs("status", "--json").json["steps"]["far"]["exit_code"] == 255
        assert "is the disk full?" in home.log("far", stream="stderr")
        (disk / "fill").unlink()
        engine = home.start("retry")
        engine.until(lambda: "far begins" in home.log("far", 2), "the first line")
        fill(disk)
        home.go()
        engine.wait().exits(0)
        assert home.lines("count") == ["began"]
        assert not list((disk / "jobs").iterdir())


def fill(disk: Path) -> None:
    """Leave no room at all."""
    with suppress(OSError), open(disk / "fill", "ab", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[None]:
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


STUBBORN = """
trap 'echo asked >> "$DESK/count"' TERM
echo "far begins"
while :; do sleep 0.1; done
"""


def test_stopping_asks_the_command_there_first_and_then_ends_all_of_it(home: Home, server: Sshd) -> None:
    waiting(home, server, STUBBORN)
    engine = begun(home)
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert home.lines("count") == ["asked"]
    assert home.states() == {"far": "aborted"}
    eventually(lambda: not home.processes(), "the end of all over there")


def test_what_left_its_session_there_is_ended_too(home: Home, server: Sshd) -> None:
    waiting(home, server, 'setsid -f sleep 600\necho "far begins"\nsleep 600\n')
    engine = begun(home)
    engine.signal(signal.SIGTERM)
    engine.wait().exits(143)
    assert not home.pids("sleep")


def test_a_step_that_takes_too_long_is_ended_there(home: Home, server: Sshd) -> None:
    job(home, server, "sleep 600", "    timeout_sec: 1\n")
    home.dagfs("run", "job").exits(1)
    assert not home.pids("sleep")


def test_a_step_whose_engine_is_killed_goes_on_and_is_adopted(home: Home, server: Sshd) -> None:
    waiting(home, server)
    begun(home).kill()
    again = home.start("retry")
    again.until(lambda: home.has_event("step_adopted", 2), "the adoption")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("far") == "far begins\nfar ends\n"


def lose(home: Home, engine: Engine) -> None:
    """Kill the engine, the shim and the client; only the job over there is left."""
    engine.kill()
    pid = client(home)
    for shim in home.pids("dagfs-shim"):
        os.kill(shim, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def test_a_step_that_was_lost_here_is_taken_up_there(home: Home, server: Sshd) -> None:
    waiting(home, server)
    lose(home, begun(home))
    assert home.states() == {"far": "lost"}
    again = home.start("retry")
    again.until(lambda: "far begins" in home.log("far", 2), "the log from its beginning")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began"]
    assert home.log("far", 2) == "far begins\nfar ends\n"


def test_a_step_that_ended_while_nobody_looked_is_not_run_again(home: Home, server: Sshd) -> None:
    waiting(home, server)
    engine = begun(home)
    os.kill(client(home), signal.SIGKILL)
    engine.wait().exits(1)
    home.go(7)
    eventually(lambda: list((server.folder / "jobs").glob("*/exit.7")), "its end over there")
    home.dagfs("retry").exits(1)
    assert home.dagfs("status", "--json").json["steps"]["far"]["exit_code"] == 7
    assert home.lines("count") == ["began"]
    home.file("go").write_text("0")
    home.dagfs("retry").exits(0)
    assert home.lines("count") == ["began", "began"]


def test_a_lost_step_that_was_edited_is_ended_and_begun_anew(home: Home, server: Sshd) -> None:
    waiting(home, server)
    lose(home, begun(home))
    home.edit(("far begins", "far begins anew"))
    again = home.start("retry")
    again.until(lambda: "anew" in home.log("far", 2), "the new one")
    home.go()
    again.wait().exits(0)
    assert home.lines("count") == ["began", "began"]


def test_a_run_whose_step_was_lost_can_be_stopped_there(home: Home, server: Sshd) -> None:
    waiting(home, server)
    lose(home, begun(home))
    home.dagfs("stop", "@").exits(0)
    assert not home.processes()


def test_a_machine_behind_another_is_reached_by_the_users_own_configuration(
    home: Home, server: Sshd, tmp_path: Path
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host gate far\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.key}\n  UserKnownHostsFile {server.known_hosts}\n"
        "  StrictHostKeyChecking yes\n"
        "Host far\n  ProxyJump gate\n"
    )
    home.dag(
        "job",
        f"steps:\n  - name: far\n    type: ssh\n    run: echo there\n"
        f"    config: {{host: far, config_file: {config}, remote_dir: {server.folder}/jobs}}\n",
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("far") == "there\n"


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "a b", "$(x)"])
def test_a_host_that_ssh_would_take_for_something_else_is_refused(
    home: Home, server: Sshd, host: str
) -> None:
    home.dag("job", f"steps:\n  - {{name: far, type: ssh, run: 'true', config: {{host: '{host}'}}}}\n")
    outcome = home.dagfs("run", "job")
    assert outcome.code in (1, 3), outcome
    assert "cannot be one" in str(outcome) + home.dagfs("status").out


def test_all_steps_of_a_dag_run_on_the_machine_that_it_names(home: Home, server: Sshd) -> None:
    home.dag(
        "job",
        f"""
        ssh: {server.settings()}
        steps:
          - name: one
            run: echo "$PPID $DAGFS_STEP"
          - name: two
            script: |
              echo "script $0" | sed 's/.*jobs.*/there/'
          - name: lines
            command: [echo one, 'echo "$DAGFS_STEP"', "false", echo never]
            continue_on: failed
        """,
    )
    home.dagfs("run", "job").exits(1)
    assert home.log("one").endswith(" one\n")
    assert home.log("two") == "there\n"
    assert home.log("lines") == "one\nlines\n"


def test_a_key_with_a_passphrase_is_opened_by_a_secret_that_nobody_sees(
    home: Home, server: Sshd, tmp_path: Path
) -> None:
    key, phrase = tmp_path / "locked_key", "open sesame $(x) 4711"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", str(key)], check=True)
    with open(server.folder / "authorized_keys", "a") as known:
        known.write(key.with_suffix(".pub").read_text())
    home.file("phrase").write_text(phrase)
    home.dag(
        "job",
        f"""
        secrets:
          - {{name: PHRASE, provider: file, key: {home.file("phrase")}}}
        steps:
          - name: far
            type: ssh
            config: {server.settings(key=str(key), password='"${PHRASE}"')}
            run: echo there
        """,
    )
    home.dagfs("run", "job").exits(0)
    assert home.log("far") == "there\n"
    assert home.shell("grep -rl 'open sesame' runs || true") == ""
