"""Completion: each shell is asked as its user's Tab key would ask it, in a home with runs and DAGs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from intg.conftest import new_home
from intg.home import DAGFS, Home
from intg.screen import Terminal
from tests.patience import PATIENCE_SEC

_BASH = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_dagfs
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One for all: completing only reads."""
    with new_home(tmp_path_factory.mktemp("completion")) as home:
        yield home


@pytest.fixture(scope="module")
def scripts(home: Home) -> Path:
    """A home with two DAGs and two runs, and beside it the scripts of all shells."""
    home.dag("nightly", "steps: [{name: extract, run: 'true'}, {name: load data, run: 'true'}]")
    home.dag("sub/hourly", "steps: [{name: tick, run: 'true'}]")
    home.dagfs("run", "nightly", "--id", "20260101-000000-nightly-aaaa").exits(0)
    home.dagfs("run", "hourly", "--id", "20260102-000000-hourly-bbbb").exits(0)
    folder = home.path.parent / "scripts"
    folder.mkdir()
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(home.dagfs("completion", shell).exits(0).out)
    return folder


def environment(home: Home, **more: str) -> dict[str, str]:
    path = f"{Path(DAGFS).parent}:{os.environ['PATH']}"
    return {"HOME": str(home.path.parent), "PATH": path, "LANG": "C.UTF-8", "TERM": "xterm", **more}


def ask(home: Home, words: list[str], cwd: Path | None = None, **more: str) -> list[str]:
    done = subprocess.run(
        words,
        cwd=cwd or home.path,
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SEC,
        check=False,
    )
    assert done.stderr == "", done.stderr
    return [line for line in done.stdout.splitlines() if line]


def in_bash(home: Home, scripts: Path, *words: str, cwd: Path | None = None, **more: str) -> list[str]:
    shell = ["bash", "--norc", "-c", _BASH, "bash", str(scripts / "bash"), "dagfs", *words]
    return ask(home, shell, cwd, **more)


def in_fish(home: Home, scripts: Path, line: str) -> list[str]:
    script = f"source {scripts / 'fish'}; complete -C '{line}'"
    return [line.split("\t")[0] for line in ask(home, ["fish", "--no-config", "-c", script])]


NIGHTLY, HOURLY = "20260101-000000-nightly-aaaa", "20260102-000000-hourly-bbbb"
CASES = [
    (["ret"], ["retry"]),
    (["re"], ["reject", "rerun", "resume", "retry"]),
    (["retry", "--dr"], ["--dry-run"]),
    (["status", ""], ["@", HOURLY, NIGHTLY, "hourly", "nightly"]),
    (["status", "20260101"], [NIGHTLY]),
    (["run", "nig"], ["nightly"]),
    (["logs", "nightly", ""], ["extract", "load data"]),
    (["logs", "@", "--stderr", ""], ["tick"]),
    (["logs", NIGHTLY, "ext"], ["extract"]),
    (["mark", "nightly", "extract", ""], ["succeeded", "failed", "skipped"]),
    (["run", "--dialect", "dagu"], ["dagu1", "dagu2"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["wait", NIGHTLY, "hour"], ["hourly"]),
]


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_bash_completes(home: Home, scripts: Path, words: list[str], expected: list[str]) -> None:
    found = [each.replace("\\", "") for each in in_bash(home, scripts, *words)]
    assert sorted(found) == sorted(expected)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(("words", "expected"), CASES)
def test_fish_completes(home: Home, scripts: Path, words: list[str], expected: list[str]) -> None:
    found = [each.replace("\\", "") for each in in_fish(home, scripts, " ".join(["dagfs", *words]))]
    assert sorted(found) == sorted(expected)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_on_a_terminal(home: Home, scripts: Path) -> None:
    (home.path.parent / ".zshrc").write_text(
        f"PS1='> '; autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-max 1000\n"
        f"source {scripts / 'zsh'}\nprint ready\n"
    )
    terminal = Terminal(["zsh", "-i"], home.path, environment(home), columns=200, lines=40)
    try:
        terminal.until_it_says("ready", ">")
        for typed, expected in [
            ("dagfs ret\t", "dagfs retry"),
            ("dagfs status 20260101\t", f"dagfs status {NIGHTLY}"),
            ("dagfs logs nightly ext\t", "dagfs logs nightly extract"),
            ("dagfs run --dialect dagu\t", "dagu1 dagu2"),
            ("dagfs retry --dr\t", "dagfs retry --dry-run"),
            ("dagfs mark nightly extract su\t", "dagfs mark nightly extract succeeded"),
            (f"dagfs -C {home.path} status 20260102\t", f"status {HOURLY}"),
        ]:
            terminal.type("\x15\x0c" + typed)
            terminal.until_it_says(expected)
        terminal.type("\x15exit\r")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_the_home_is_found_as_dagfs_finds_it(home: Home, scripts: Path) -> None:
    below = home.path / "dags"
    elsewhere = home.path.parent
    assert in_bash(home, scripts, "runs", "nig", cwd=below)[0] == "nightly"
    assert in_bash(home, scripts, "status", "20260101", cwd=elsewhere) == []
    assert in_bash(home, scripts, "status", "20260101", cwd=elsewhere, DAGFS_HOME=str(home.path)) == [NIGHTLY]
    assert in_bash(home, scripts, "-C", str(home.path), "status", "20260101", cwd=elsewhere) == [NIGHTLY]
    own = elsewhere / ".local/share"
    own.mkdir(parents=True, exist_ok=True)
    (own / "dagfs").symlink_to(home.path)
    try:
        assert in_bash(home, scripts, "status", "20260101", cwd=elsewhere) == [NIGHTLY]
    finally:
        (own / "dagfs").unlink()


def test_no_python_is_started_for_names(home: Home, scripts: Path) -> None:
    """Only the tools of every system are on the PATH."""
    assert in_bash(home, scripts, "status", "20260101", PATH="/usr/bin:/bin") == [NIGHTLY]
    text = (scripts / "bash").read_text() + (scripts / "zsh").read_text() + (scripts / "fish").read_text()
    assert "python" not in text
    assert not [line for line in text.splitlines() if "$(dagfs" in line or "(dagfs " in line]


def test_nothing_is_offered_and_nothing_said_where_there_is_no_home(home: Home, scripts: Path) -> None:
    empty = home.path.parent / "empty"
    empty.mkdir()
    assert in_bash(home, scripts, "status", "x", cwd=empty) == []
    assert in_bash(home, scripts, "logs", "@", "", cwd=empty) == []


def test_programs_of_others_are_offered(home: Home, scripts: Path) -> None:
    tools = home.path.parent / "tools"
    tools.mkdir()
    (tools / "dagfs-zebra").write_text("#!/bin/sh\n")
    (tools / "dagfs-zebra").chmod(0o755)
    found = in_bash(home, scripts, "zeb", PATH=f"{tools}:/usr/bin:/bin")
    assert found == ["zebra"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_is_one_that_its_shell_can_read(home: Home, scripts: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert ask(home, [shell, "-n", str(scripts / shell)]) == []
