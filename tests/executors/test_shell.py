"""What the shell executor says is to be run, and that it runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dagfs.executors.shell import Shell, executors
from dagfs.hooks.executor import Executor, Process, StepRequest
from dagfs.model.dag import Executor as Settings
from dagfs.model.dag import Step

SHELL = Shell("shell")
REQUEST = StepRequest(
    run="r1",
    attempt=2,
    step="a",
    try_=3,
    shell=("/bin/sh",),
    env={"PATH": "/usr/bin:/bin", "X": "value"},
    cwd="/work",
    folder="/folder",
)
LONG = "echo " + "x" * 100_001


def prepared(**changes: object) -> Process:
    return SHELL.prepare(replace(REQUEST, **changes))


def test_both_names_are_executors() -> None:
    assert [each.name for each in executors()] == ["shell", "command"]
    assert all(isinstance(each, Executor) for each in executors())


def test_there_are_no_settings() -> None:
    assert SHELL.check(Step(name="a")) == []
    step = Step(name="a", executor=Settings("shell", {"image": "x", "b": 1}))
    assert SHELL.check(step) == [
        "the shell executor has no setting 'b'",
        "the shell executor has no setting 'image'",
    ]


@pytest.mark.parametrize(
    ("request_", "argv", "files"),
    [
        ({"command": ("echo $X",)}, ["/bin/sh", "-e", "-c", "echo $X"], {}),
        ({"command": ("echo $X",), "stop_on_error": False}, ["/bin/sh", "-c", "echo $X"], {}),
        (
            {"command": ("print(1)",), "shell": ("python3", "-q"), "own_shell": True, "stop_on_error": False},
            ["python3", "-q", "-c", "print(1)"],
            {},
        ),
        ({"command": ("echo", "$X; rm"), "shell": ("direct",)}, ["echo", "$X; rm"], {}),
        ({"script": "a\nb"}, ["/bin/sh", "-e", "/folder/script.3"], {"script.3": "a\nb"}),
        (
            {"script": "a\nb", "shell": ("bash", "-u"), "stop_on_error": False},
            ["bash", "-u", "/folder/script.3"],
            {"script.3": "a\nb"},
        ),
        (
            {"script": "#!/usr/bin/perl\n1"},
            ["/folder/script.3"],
            {"script.3": "#!/usr/bin/perl\n1"},
        ),
        (
            {"script": "#!/usr/bin/perl\n1", "shell": ("bash",), "own_shell": True, "stop_on_error": False},
            ["bash", "/folder/script.3"],
            {"script.3": "#!/usr/bin/perl\n1"},
        ),
        (
            {"script": "print(1)", "command": ("python3", "-u")},
            ["python3", "-u", "/folder/script.3"],
            {"script.3": "print(1)"},
        ),
        ({"script": "echo a", "shell": ("direct",)}, ["/bin/sh", "/folder/script.3"], {"script.3": "echo a"}),
        ({"script": "#!/x\n", "shell": ("direct",)}, ["/folder/script.3"], {"script.3": "#!/x\n"}),
        ({"command": (LONG,)}, ["/bin/sh", "-e", "/folder/script.3.1"], {"script.3.1": LONG}),
        (
            {"command": ("a", "b c")},
            [
                "/bin/sh",
                "-c",
                'w1=${1}; w2=${2}; w3=${3}; shift 3; for line; do "$w1" "$w2" "$w3" "$line" || exit; done',
                "dagfs",
                *("/bin/sh", "-e", "-c"),
                *("a", "b c"),
            ],
            {},
        ),
    ],
)
def test_the_process_is_exactly_this(
    request_: dict[str, object], argv: list[str], files: dict[str, str]
) -> None:
    process = prepared(**request_)
    assert list(process.argv) == argv
    assert process.files == files
    assert (process.env, process.cwd) == (REQUEST.env, "/work")


def test_a_shell_that_names_its_flag_itself_gets_it_once() -> None:
    shell = ("python3", "-c")
    own = {"shell": shell, "own_shell": True, "stop_on_error": False}
    assert prepared(command=("print(1)",), **own).argv == ["python3", "-c", "print(1)"]
    assert prepared(script="print(1)", **own).argv == ["python3", "/folder/script.3"]


def test_what_is_too_long_for_an_argument_is_measured_in_bytes() -> None:
    assert prepared(command=("é" * 50_000,)).files == {}
    assert prepared(command=("é" * 50_001,)).files == {"script.3.1": "é" * 50_001}


def test_several_long_lines_are_files_of_their_own() -> None:
    process = prepared(command=(LONG, "true"))
    assert process.files == {"script.3.1": LONG, "script.3.2": "true"}
    assert list(process.argv)[-2:] == ["/folder/script.3.1", "/folder/script.3.2"]
    assert max(map(len, process.argv)) < 1000


# -- and it runs -----------------------------------------------------------------------------------


def run(folder: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    changes = {"cwd": str(folder), "folder": str(folder), **changes}
    process = prepared(**changes)
    for name, text in process.files.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o700)
    return subprocess.run(
        list(process.argv),
        env=dict(process.env),
        cwd=process.cwd,
        text=True,
        capture_output=True,
        check=False,
        timeout=30,
    )


def test_lines_run_in_turn_each_in_a_shell_of_its_own(tmp_path: Path) -> None:
    done = run(tmp_path, command=("A=1; echo $X", "echo ${A:-none}", "echo 'it''s' \"$0\""))
    assert (done.returncode, done.stdout.splitlines()) == (0, ["value", "none", "its /bin/sh"])


@pytest.mark.parametrize("long", [False, True])
def test_the_first_line_that_fails_ends_the_step_with_its_code(tmp_path: Path, long: bool) -> None:
    lines = ("echo one", "exit 7", "echo three", *((f": {'x' * 100_001}",) if long else ()))
    done = run(tmp_path, command=lines)
    assert (done.returncode, done.stdout) == (7, "one\n")


def test_the_first_command_that_fails_ends_a_line_unless_the_shell_shall_go_on(tmp_path: Path) -> None:
    assert run(tmp_path, command=("false; echo on",)).stdout == ""
    assert run(tmp_path, command=("false; echo on",), stop_on_error=False).stdout == "on\n"
    assert run(tmp_path, script="false\necho on").stdout == ""


def test_words_of_the_shell_are_kept_whole(tmp_path: Path) -> None:
    odd = tmp_path / "odd shell"
    odd.write_text('#!/bin/sh\nfor each; do echo "<$each>"; done\n')
    odd.chmod(0o700)
    done = run(tmp_path, command=("a b", "$X *"), shell=(str(odd), "two words", "*"), stop_on_error=False)
    assert done.stdout.splitlines() == [
        *("<two words>", "<*>", "<-c>", "<a b>"),
        *("<two words>", "<*>", "<-c>", "<$X *>"),
    ]


def test_thousands_of_lines_fit(tmp_path: Path) -> None:
    done = run(tmp_path, command=(*(f": {n}" for n in range(150)), "echo last"))
    assert done.stdout == "last\n"
    assert max(len(each) for each in prepared(command=("true",) * 9000).argv) < 1000


def test_a_script_names_its_own_interpreter(tmp_path: Path) -> None:
    assert run(tmp_path, script="#!/bin/cat\nas it is\n").stdout == "#!/bin/cat\nas it is\n"
    assert run(tmp_path, script="as it is\n", command=("cat",)).stdout == "as it is\n"
    assert run(tmp_path, command=("echo", "$X", "a  b"), shell=("direct",)).stdout == "$X a  b\n"
    assert os.path.basename(run(tmp_path, script="echo $0").stdout.strip()) == "script.3"
