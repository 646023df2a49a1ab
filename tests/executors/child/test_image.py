"""How a step's words are run in an image."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagfs.executors.child.image import command, is_one_command, plain_words


class Images:
    """An engine with one image."""

    def __init__(self, entry: list[str]) -> None:
        self.entry = entry

    def image(self, _name: str) -> dict[str, Any]:
        return {"Entrypoint": self.entry}


def words(*lines: str, entry: list[str] | None = None, given: list[str] | None = None) -> list[str]:
    task = {
        "lines": lines, "argv": [], "image": "i", "entrypoint": given, "files": {},
        "shell": ["/bin/sh", "-e", "-c"],
    }  # fmt: skip
    return command(Images(entry or []), task)[0]  # type: ignore[arg-type]


def test_plain_words_need_no_shell() -> None:
    assert words("python -m app --date 2026-01-01", entry=["tini"]) == [
        "i", "python", "-m", "app", "--date", "2026-01-01",
    ]  # fmt: skip
    assert words("run 'two words'", given=["x", "y"]) == ["--entrypoint=x", "i", "y", "run", "two words"]


def test_a_command_with_references_gets_a_shell_behind_the_entrypoint() -> None:
    assert words('load "$DATE"', entry=["python", "a b.py"]) == [
        "--entrypoint=/bin/sh", "i", "-e", "-c", "exec python 'a b.py' load \"$DATE\"",
    ]  # fmt: skip
    assert words("echo $X | wc", entry=["python"])[-1] == "echo $X | wc"
    assert words("echo $X")[-1] == "echo $X"


def test_several_commands_run_in_turn() -> None:
    made = words("echo one", "false", "echo never")
    done = subprocess.run(["/bin/sh", *made[2:]], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("one\n", 1)


@pytest.mark.parametrize(
    "text", ["a; b", "a | b", "a > b", "$(a)", "`a`", "a *", "~/x", "A=1 b", "a {b,c}", "! a", "a '"]
)
def test_what_a_shell_would_read_is_not_plain(text: str) -> None:
    assert plain_words(text) == []


def test_one_command_is_one() -> None:
    assert is_one_command("a $B")
    assert not any(map(is_one_command, ["a && b", "a; b", "A=1 b", "a\nb"]))


@given(st.lists(st.text("ab c'\"\\=-.*$~", min_size=1, max_size=6), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_plain_words_are_what_a_shell_would_make_of_them(parts: list[str]) -> None:
    text = "printf '<%s>' " + " ".join(parts)
    found = plain_words(text)
    if found:
        done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, cwd="/", check=False)
        assert done.stdout == b"".join(b"<%s>" % word.encode() for word in found[2:]) or len(found) == 2, (
            shlex.join(found)
        )


PULLING = """#!/bin/sh
case "$1" in
  image) echo "no such image" >&2; exit 1;;
  pull) echo "$DOCKER_CONFIG" > "$0.pulls.new"; mv "$0.pulls.new" "$0.pulls"; exec sleep 600;;
esac
"""


@pytest.mark.parametrize("shared", [False, True])
def test_a_pull_that_is_stopped_leaves_no_login_behind(tmp_path: Path, shared: bool) -> None:
    client = tmp_path / "docker"
    client.write_text(PULLING)
    client.chmod(0o700)
    login = {
        "image": "i",
        "pull": "missing",
        "platform": "",
        "auths": {"r": {"username": "u", "password": "p"}},
    }
    of_dag = {**login, "ready_sec": 60, "labels": {"dagfs.container": "k", "dagfs.definition": "d"}}
    task = {
        **login, "binary": str(client), "host": "", "exec": "", "output": "", "labels": {"dagfs.job": "k"},
        "shared": of_dag if shared else None,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "dagfs.executors.child.docker"],
        env={**os.environ, "DAGFS_TASK_1": json.dumps(task)},
        stderr=subprocess.DEVNULL,
    )
    pulls, deadline = tmp_path / "docker.pulls", time.monotonic() + 60
    while not pulls.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    folder = Path(pulls.read_text().strip())
    assert (folder / "config.json").exists()
    process.terminate()
    assert process.wait(60)
    assert not folder.exists()
