"""The front door: verbs by name, typos, and errors as one line with an exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from dagfs.cli import main as cli
from dagfs.cli.main import VERBS, main, verb_parser


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, parser = verb_parser(verb)
    text = parser.format_help()
    assert f"dagfs {verb}" in text
    assert "examples:" in module.EXAMPLES


def test_without_a_verb_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["rety", "@"], 2, "did you mean retry"),
        (["status", "--jsn"], 2, "did you mean --json?"),
        (["nonsense"], 2, "unknown command 'nonsense'"),
        (["stop"], 2, "RUN"),
        (["status", "--no-such", "x"], 2, "--no-such"),
        (["-C", "/no/such/folder", "status"], 4, "no such folder"),
        (["help", "exit-codez"], 2, "unknown command"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_hint(
    words: list[str], code: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    err = capsys.readouterr().err
    assert expected in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2


def test_exit_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "exit-codes"]) == 0
    said = capsys.readouterr().out
    assert "75  another engine owns the run" in said


def test_a_bug_is_one_line_and_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(cli, "_call", broken)
    assert main(["status"]) == 70
    err = capsys.readouterr().err
    assert "bug in dagfs" in err
    assert "Traceback" not in err
    path = err.split("traceback is in ")[1].split()[0]
    assert Path(path).parent == tmp_path
    assert "ZeroDivisionError: a bug" in Path(path).read_text()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dagfs 0.")


def test_the_package_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dagfs", "rety", "@"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "dagfs: unknown command 'rety'")
