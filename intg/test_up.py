"""`dagfs up`: the scheduler and the web page, kept at work together."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx

from intg.home import Engine, Home
from tests.patience import eventually

HELLO = """
    name: hello
    steps:
      - name: hello
        command: echo hello; {more}
    """


def up(home: Home, *options: str, env: dict[str, str] | None = None) -> tuple[Engine, dict[str, Any]]:
    """Both, once they are ready, and what was said then."""
    engine = home.start("up", "--port", "0", "--json", *options, env=env)
    said: dict[str, Any] = json.loads(engine.line())
    return engine, said


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=5).text == "ok\n"
    except httpx.TransportError:
        return False


def member(engine: Engine, word: str) -> int:
    """The process of `dagfs up` that has a word in its command line; 0 where there is none."""
    for pid in Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split():
        try:
            if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                return int(pid)
        except OSError:
            continue
    return 0


def end(engine: Engine) -> None:
    engine.signal(signal.SIGTERM)
    engine.wait().exits(0)


def test_both_are_at_work_and_end_together_while_runs_go_on(home: Home) -> None:
    home.dag("hello", HELLO.format(more="while ! [ -e $DAG_DESK/go ]; do sleep 0.02; done"))
    engine, said = up(home)
    assert "#token=" in said["link"]
    eventually(lambda: answers(said["url"]), "the web page")
    assert home.dagfs("scheduler", "--status", "--json").json["alive"]
    home.dagfs("enqueue", "hello").exits(0)
    eventually(lambda: home.log("hello") == "hello\n", "the queued run")
    end(engine)
    assert not answers(said["url"])
    assert home.dagfs("scheduler", "--status", "--json").json["stopped"]
    home.file("go").touch()
    eventually(lambda: home.status()["state"] == "succeeded", "the run that went on")


def test_the_one_that_dies_is_started_again_at_the_same_address(home: Home) -> None:
    engine, said = up(home, "--no-token")
    assert said["link"] is None
    first = {word: member(engine, word) for word in ("serve", "scheduler")}
    for pid in first.values():
        os.kill(pid, signal.SIGKILL)
    for word, pid in first.items():
        eventually(lambda w=word, p=pid: member(engine, w) not in (0, p), f"another {word}")  # type: ignore[misc]
    eventually(lambda: answers(said["url"]), "the web page at its address")
    engine.signal(signal.SIGTERM)
    told = engine.wait().exits(0)
    told.says("the scheduler was killed by signal 9; it is started again in 0.5 s", "the web was killed")


def test_they_end_when_what_keeps_them_is_killed(home: Home) -> None:
    engine, said = up(home, "--no-token")
    engine.kill()
    eventually(lambda: not answers(said["url"]) and not home.processes(), "the end of both")


def test_a_hangup_has_both_read_their_settings_again(home: Home) -> None:
    engine, said = up(home, "--no-token")
    before = member(engine, "serve")
    home.settings("scheduler: {timezone: Europe/Berlin}\n")
    engine.signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in home.dagfs("scheduler", "--log", "50").out, "the scheduler's reload")
    eventually(
        lambda: member(engine, "serve") not in (0, before) and answers(said["url"]), "another web page"
    )
    end(engine)


def test_systemd_is_told_once_both_are_ready(home: Home) -> None:
    address = str(home.file("notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address)
        heard.settimeout(30)
        engine, said = up(home, "--no-token", env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"})
        lines = []
        while "READY=1" not in lines:
            lines += heard.recv(4096).decode().splitlines()
        assert answers(said["url"])
        while "WATCHDOG=1" not in lines:
            lines += heard.recv(4096).decode().splitlines()
        end(engine)
        while "STOPPING=1" not in lines:
            lines += heard.recv(4096).decode().splitlines()
    assert lines.count("READY=1") == 1


def test_what_cannot_begin_ends_it_at_once(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        home.dagfs("up", "--port", port).exits(74).says("another server has it")
    home.dagfs("up", "--host", "0.0.0.0", "--port", "0", "--no-token").exits(2).says("it needs a token")
    assert not home.dagfs("scheduler", "--status", "--json").json["alive"]


def test_a_taken_address_keeps_the_scheduler_from_beginning_too(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        home.dagfs("up", "--port", str(taken.getsockname()[1])).exits(74).says("cannot listen")
    assert not (home.path / "runs/.scheduler/log.jsonl").exists()
