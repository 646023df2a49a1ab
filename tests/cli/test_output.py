"""When colour is printed, and where a picture may be drawn."""

from __future__ import annotations

import io

import pytest

from dagfs.cli.mirror import worst
from dagfs.cli.output import Output
from dagfs.cli.parser import given_color
from dagfs.cli.span import seconds_of
from dagfs.errors import ExitCode, UsageError


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "option", "tty", "pipe"),
    [
        ({}, "auto", True, False),
        ({"NO_COLOR": "1"}, "auto", False, False),
        ({"NO_COLOR": ""}, "auto", True, False),
        ({"CLICOLOR_FORCE": "1"}, "auto", True, True),
        ({"CLICOLOR_FORCE": "0"}, "auto", True, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, "auto", False, False),
        ({"CLICOLOR": "0"}, "auto", False, False),
        ({"TERM": "dumb"}, "auto", False, False),
        ({"NO_COLOR": "1"}, "always", True, True),
        ({"CLICOLOR_FORCE": "1"}, "never", False, False),
    ],
)
def test_colour_follows_option_then_environment_then_stream(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], option: str, tty: bool, pipe: bool
) -> None:
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    terminal, other = Tty(), io.StringIO()
    output = Output(option, terminal, other)
    assert (output.paints(terminal), output.paints(other)) == (tty, pipe)


def test_a_picture_needs_terminals_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    out, err = Tty(), Tty()
    assert Output("auto", out, err).canvas(data=False) is err
    assert Output("auto", out, io.StringIO()).canvas(data=False) is None
    assert Output("auto", out, io.StringIO()).canvas(data=True) is out
    assert Output("auto", io.StringIO(), err).canvas(data=False) is None
    monkeypatch.setenv("CI", "true")
    assert Output("auto", out, err).canvas(data=False) is None


@pytest.mark.parametrize(
    ("words", "color"),
    [
        ([], "auto"),
        (["--color=never", "x"], "never"),
        (["x", "--color", "always"], "always"),
        (["--color"], "auto"),
    ],
)
def test_the_colour_of_errors_is_found_before_the_line_is_parsed(words: list[str], color: str) -> None:
    assert given_color(words) == color


def test_spans_of_time() -> None:
    assert [seconds_of(text, "-t") for text in ("90", "1.5s", "10m", "1h", "2d")] == [
        90,
        1.5,
        600,
        3600,
        172800,
    ]
    for text in ("", "soon", "-1", "1w", "1h30m"):
        with pytest.raises(UsageError):
            seconds_of(text, "-t")


def test_of_several_runs_the_worst_code_counts() -> None:
    codes = [ExitCode.DONE, ExitCode.RUN_NOT_SUCCEEDED, ExitCode.WAITING]
    assert worst(codes) is ExitCode.RUN_NOT_SUCCEEDED
    assert worst(codes[::2]) is ExitCode.WAITING
    assert worst([]) is ExitCode.DONE
