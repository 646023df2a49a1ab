"""How a step's words are run in an image."""

from __future__ import annotations

import shlex
import subprocess
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
