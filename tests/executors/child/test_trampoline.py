"""The program that owns a job: hostile values arrive unchanged in every shell, and nothing is begun twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagfs.executors.child import trampoline

SHELLS = [words for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(words[0])]
KEY = f"key-{os.getpid()}"
"""Jobs are found by it among all processes: those of tests beside these are not to be ended."""
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


def follow(program: str, shell: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """What came over the streams, and the other frames."""
    process = subprocess.Popen([*shell, "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(program.encode("utf-8", "surrogateescape"))
    process.stdin.flush()
    streams, others = {"o": b"", "e": b"", "v": b""}, []
    for line in process.stdout:
        letter, _, rest = line.strip().partition(b" ")
        if letter.decode() in streams:
            streams[letter.decode()] += process.stdout.read(int(rest))
        elif letter != b".":
            others.append(line.decode().strip())
        if letter == b"x":
            process.stdin.write(b"ok\n")
            process.stdin.flush()
    process.stdin.close()
    process.stdout.close()
    assert process.wait() == 0
    return streams, others


def begin(folder: Path, text: str, env: Mapping[str, str] | None = None, **more: object) -> str:
    argv = ["/bin/sh", "-c", text]
    return trampoline.begin(KEY, "d1", argv, env or {}, {}, folder=str(folder), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
@given(value=VALUES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_value_arrives_as_it_is(shell: list[str], value: str, tmp_path: Path) -> None:
    streams, others = follow(begin(tmp_path / "jobs", 'printf %s "$X"', {"X": value}), shell)
    assert streams["o"].decode() == value
    assert others == ["s", "x 0", "k"]
    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_half_a_program_does_nothing(shell: list[str], tmp_path: Path) -> None:
    program = begin(tmp_path / "jobs", f"touch {tmp_path}/done")
    for share in (0.2, 0.5, 0.9, 0.999):
        half = program[: int(len(program) * share)]
        subprocess.run([*shell, "-s"], input=half.encode(), capture_output=True, check=False)
    assert not (tmp_path / "done").exists()
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_one_who_comes_later_finds_the_job_and_reads_on(shell: list[str], tmp_path: Path) -> None:
    text = f"echo one; echo x >>{tmp_path}/count; until test -e {tmp_path}/go; do sleep 0.02; done; echo two"
    program = begin(tmp_path / "jobs", text)
    first = subprocess.Popen([*shell, "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdin is not None
    assert first.stdout is not None
    first.stdin.write(program.encode())
    first.stdin.flush()
    while first.stdout.readline() != b"one\n":
        continue
    first.kill()
    first.wait()
    first.stdin.close()
    first.stdout.close()
    (tmp_path / "go").touch()
    streams, others = follow(begin(tmp_path / "jobs", text, offsets=(4, 0), may_start=False), shell)
    assert streams["o"] == b"two\n"
    assert others == ["s", "x 0", "k"]
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_job_that_is_gone_is_not_begun_again(tmp_path: Path) -> None:
    _, others = follow(begin(tmp_path / "jobs", f"touch {tmp_path}/done", may_start=False), ["sh"])
    assert others == ["l"]
    assert not (tmp_path / "done").exists()


def test_a_folder_that_belongs_to_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "jobs").symlink_to(tmp_path / "real")
    _, others = follow(begin(tmp_path / "jobs", "true"), ["sh"])
    assert others == [f"n no folder for jobs can be made at {tmp_path}/jobs"]
    assert not list((tmp_path / "real").iterdir())


def test_a_folder_to_work_in_that_is_not_there_is_said(tmp_path: Path) -> None:
    _, others = follow(begin(tmp_path / "jobs", "true", cwd="/nowhere at all"), ["sh"])
    assert others == ["n cannot enter /nowhere at all"]
    assert not list((tmp_path / "jobs").iterdir())


def test_a_job_is_signalled_and_ended(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    process = subprocess.Popen(["sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(begin(jobs, "trap 'echo asked' TERM; echo on; while :; do sleep 0.05; done").encode())
    process.stdin.flush()
    while process.stdout.readline() != b"on\n":
        continue
    follow(trampoline.send_signal(KEY, "TERM", str(jobs)), ["sh"])
    while process.stdout.readline() != b"asked\n":
        continue
    assert follow(trampoline.end(KEY, str(jobs)), ["sh"])[1] == ["k"]
    assert not list(jobs.iterdir())
    process.stdin.close()
    process.stdout.read()
    process.stdout.close()
    process.wait()
