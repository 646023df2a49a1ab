from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagfs.cli.spawner import title
from dagfs.engine import title as module

_SCRIPT = """
import os, sys
from dagfs.engine.title import title_process
title_process("dagfs-name-that-is-long", sys.argv[1])
print(open("/proc/self/comm").read().strip(), flush=True)
sys.stdout.buffer.write(open("/proc/self/cmdline", "rb").read())
assert os.environ["AFTER"] == "kept" and b"AFTER=kept" in open("/proc/self/environ", "rb").read()
assert sys.argv[1] == os.fsdecode(os.fsencode(sys.argv[1]))
"""


@pytest.mark.parametrize("wanted", ["dagfs run r1", "ä" * 10, "long " * 1000])
def test_a_title_takes_the_place_of_the_command_line_and_no_more(wanted: str) -> None:
    words = [sys.executable, "-c", _SCRIPT, wanted, "0" * 50]
    room = sum(len(os.fsencode(word)) + 1 for word in words)
    done = subprocess.run(words, env={**os.environ, "AFTER": "kept"}, capture_output=True, check=True)
    comm, shown = done.stdout.split(b"\n", 1)
    assert comm == b"dagfs-name-that"
    assert len(shown) == room
    assert shown.rstrip(b"\0") == wanted.encode()[: room - 1]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ["-C", "/home", "--no-plugins", "run", "--detach", "--id", "r1", "-p", "key=s", "--", "a.yaml"],
            "run r1",
        ),
        (["-C", "/home", "retry", "--detach", "--reason", "x", "r2"], "retry r2"),
        (["-C", "/home", "clean", "--yes"], "clean --yes"),
        (["version"], "version"),
        ([], ""),
        (["-C"], ""),
        (["run", "--id"], "run --id"),
    ],
)
def test_a_command_is_shown_by_what_it_is_about(words: list[str], shown: str) -> None:
    assert title(words) == f"dagfs {shown}".strip()


def test_the_system_may_not_say_where_the_command_line_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "stat"
    empty.write_text("1 (x) S 0")
    monkeypatch.setattr(module, "open", lambda *_, **__: empty.open(), raising=False)
    monkeypatch.setattr(module, "name_process", lambda _: None)
    module.title_process("dagfs")
