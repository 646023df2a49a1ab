"""Executes the commands of README.md and the quickstart, and compares what they print with what is there.

A ```console block is a dialogue: `$ ` begins a command, what follows is its output. Ids, times and column
widths may differ. `UPDATE_DOCS=1 pytest intg/test_readme.py` writes the real output into the pages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
UPDATE = os.environ.get("UPDATE_DOCS") == "1"

# Commands that end with something else than 0, by how they begin; each page must have every one of them.
EXIT_CODES = {
    "README.md": {"dagfs run nightly-import": 1},
    "docs/quickstart.md": {
        "dagfs run hello": 1,
        'EDITOR="sed -i s/hello,/goodbye,/"': 5,
        'EDITOR="sed -i s/report/tell/"': 5,
        "dagfs diff": 1,
    },
}
# Words without which the story would not be told, whatever the pages say.
KEY_WORDS = {
    "README.md": {
        "dagfs run nightly-import": ("failed at transform",),
        "EDITOR=": ("compatible: 2 kept, 3 to run", "keep  extract", "run   transform"),
        "dagfs retry": ("attempt 2", "succeeded"),
        "dagfs runs": ("succeeded", "attempt 2"),
    },
    "docs/quickstart.md": {
        "dagfs status": ("failed", "exit 1"),
        'EDITOR="sed -i s/hello,/goodbye,/"': ("question [stale.semantic]",),
        'EDITOR="sed -i s/report/tell/"': ("refused [structure.rename]",),
    },
}

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIFFERS = (
    (re.compile(r"\b\d{8}-\d{6}-([\w.-]+?)-[0-9a-f]{4}\b"), r"ID-\1"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "PLAN"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\bjust now|\b\d+ (?:s|min) ago"), "AGO"),
    (re.compile(r"\b\d+(?:\.\d+)? s\b"), "SECONDS"),
    (re.compile("[‘’]"), "'"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(slots=True)
class Session:
    """A shell's place and surroundings over the commands of a page."""

    home: Path
    cwd: Path

    def run(self, command: str) -> tuple[int, str]:
        """The exit code and everything printed, in its order."""
        where = self.home / ".cwd"
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "SHELL": "/bin/bash",
        }
        done = subprocess.run(
            ["bash", "-c", f'{command}\ncode=$?; pwd > "{where}"; exit $code'],
            cwd=self.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        self.cwd = Path(where.read_text().strip())
        return done.returncode, done.stdout.decode()


def dialogues(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block with the output below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def plain(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, instead in _DIFFERS:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _of(table: dict[str, dict[str, T]], page: str, command: str, default: T) -> T:
    return next((value for start, value in table[page].items() if command.startswith(start)), default)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_commands_of_the_page_print_what_it_says(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text()
    if "jq" in text and shutil.which("jq") is None:
        pytest.skip("jq is not installed; .ci/setup brings it")
    for name, content in _FILE.findall(text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    session = Session(tmp_path, tmp_path)
    unseen = {*EXIT_CODES[page], *KEY_WORDS[page]}

    def played(block: re.Match[str]) -> str:
        lines = ""
        for command, expected in dialogues(block[1]):
            code, output = session.run(command)
            unseen.difference_update([start for start in unseen if command.startswith(start)])
            assert code == _of(EXIT_CODES, page, command, 0), f"$ {command}\n{output}"
            for word in _of(KEY_WORDS, page, command, ()):
                assert word in output, f"$ {command}\n{output}"
            if not UPDATE:
                assert plain(output) == plain(expected), f"$ {command}"
            lines += f"$ {command}\n{output.strip(chr(10))}\n" if output.strip() else f"$ {command}\n"
        return f"```console\n{lines}```"

    played_text = _BLOCK.sub(played, text)
    assert not unseen, f"{page} has no command that begins like this"
    if UPDATE:
        (ROOT / page).write_text(played_text)
    if page == "README.md":
        assert_shows(text, next(tmp_path.glob("flows/runs/*-nightly-import-*")))


def assert_shows(text: str, run: Path) -> None:
    """The picture of a run's folder shows what is there."""
    picture = re.search(r"^```text\nruns/.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert picture
    folders: list[str] = []
    for line in picture[1].splitlines():
        found = re.match(r"((?:[│ ]   |[├└]── )+)(\S+)", line)
        assert found, line
        folders[len(found[1]) // 4 - 1 :] = [found[2].rstrip("/")]
        assert run.joinpath(*folders).exists(), line


def test_the_two_commands_for_a_fresh_machine_are_there() -> None:
    for name in re.findall(r"^bash (\S+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert os.access(ROOT / name, os.X_OK), name
