"""A container's log through a command line that breaks off: every byte once, no complaint of the client's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dagfs.executors.child.containers import Away, Containers, Failed, Log


def client(folder: Path, text: str) -> Containers:
    """A command line that does what a shell text says; `$n` is how often it was called before."""
    program = folder / "client"
    count = f"n=$(cat {folder}/n 2>/dev/null || echo 0); echo $((n + 1)) >{folder}/n\n"
    program.write_text(f"#!/bin/sh\n{count}{text}\n")
    program.chmod(0o700)
    return Containers(str(program), first=5)


def test_a_log_that_breaks_off_goes_on_where_it_was(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = Log(
        client(
            tmp_path,
            "if [ $n = 0 ]; then\n"
            "  printf 'one\\ntw'; printf 'bad\\n' >&2\n"
            "  sleep 0.2; echo 'error during connect: x' >&2; exit 1\n"
            "fi\n"
            "printf 'one\\ntwo\\n'; printf 'bad\\nworse\\n' >&2",
        ),
        "c",
    )
    log.follow()
    log.follow()
    log.follow()
    assert capfdbinary.readouterr() == (b"one\ntwo\n", b"bad\nworse\n")


def test_an_error_that_is_the_containers_own_is_handed_on(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = Log(client(tmp_path, "echo 'error: mine' >&2"), "c")
    log.follow()
    log.follow()
    assert capfdbinary.readouterr().err == b"error: mine\n"


def test_nobody_answering_is_told_apart_and_asked_again(tmp_path: Path) -> None:
    containers = client(
        tmp_path,
        "if [ $n -lt 2 ]; then echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi; echo here",
    )
    with pytest.raises(Away):
        containers.call("ps")
    assert containers.patiently("ps") == b"here\n"


def test_a_refusal_is_no_silence(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no such image") as caught:
        client(tmp_path, "echo 'no such image' >&2; exit 1").patiently("pull")
    assert not isinstance(caught.value, Away)


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    containers = client(tmp_path, "echo 'Error: No such container: c' >&2; exit 1")
    assert containers.look("c") is None
    assert containers.image("c") is None
    assert containers.take("c", "/x", 10) == b""


ENDLESS = "#!/bin/sh\nwhile :; do echo a line that nobody can keep; done\n"


def test_a_full_disk_ends_the_reading_instead_of_hanging(tmp_path: Path) -> None:
    binary = tmp_path / "docker"
    binary.write_text(ENDLESS)
    binary.chmod(0o700)
    program = (
        "import sys\n"
        "from dagfs.executors.child.containers import Containers, Log\n"
        "from dagfs.executors.child.task import fail\n"
        "try:\n"
        f"    Log(Containers({str(binary)!r}), 'box').follow()\n"
        "except OSError as error:\n"
        "    fail(f'docker: {error}', 125)\n"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 125
