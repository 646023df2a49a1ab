"""The only module that prints. Data goes to standard output, narration and errors to standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from dagfs.errors import DagfsError, Problem, SpecError

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
STATE_STYLES = {
    "succeeded": "green",
    "partially_succeeded": "yellow",
    "failed": "red",
    "lost": "red",
    "rejected": "red",
    "damaged": "red",
    "aborted": "yellow",
    "interrupted": "yellow",
    "upstream_failed": "dim",
    "skipped": "dim",
    "not_started": "dim",
    "running": "cyan",
    "retrying": "cyan",
    "waiting": "cyan",
}
SYMBOLS = {
    "succeeded": "✓",
    "partially_succeeded": "✓",
    "failed": "✗",
    "lost": "?",
    "rejected": "✗",
    "aborted": "■",
    "interrupted": "■",
    "skipped": "-",
    "running": "▶",
    "retrying": "↻",
    "waiting": "…",
}
_EXCERPT = 100
"""Characters of a long line that are shown around a problem."""
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Text with control characters shown as `\\x1b`, so that data cannot drive the terminal."""
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class Output:
    """Prints for one command."""

    def __init__(self, color: str = "auto", out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._color = {id(stream): _wants_color(stream, color) for stream in (self._out, self._err)}
        # Asked once: while a pager shows what is printed, standard output leads to it.
        self.is_terminal = self._out.isatty()
        """Standard output is a terminal."""

    def paints(self, stream: TextIO) -> bool:
        """Whether standard output or standard error takes colour."""
        return self._color[id(stream)]

    def canvas(self, *, data: bool) -> TextIO | None:
        """The stream for a picture that is redrawn in place, None where only lines will do.

        `data` chooses standard output; else it is standard error, with standard output a terminal as well.
        """
        stream = self._out if data else self._err
        if not (self.is_terminal and stream.isatty()) or os.environ.get("CI", "false") not in (
            "",
            "false",
            "0",
        ):
            return None
        return stream if os.environ.get("TERM", "dumb") != "dumb" else None

    def line(self, text: str = "", *, style: str = "") -> None:
        """One line of data for people, on standard output."""
        self._print(self._out, text, style)

    def say(self, text: str = "", *, style: str = "") -> None:
        """One line of narration, on standard error; where that takes nothing, nothing is lost but words."""
        with suppress(OSError):
            self._print(self._err, text, style)

    def raw(self, data: bytes) -> None:
        """Bytes as they are, on standard output."""
        self._out.flush()
        os.write(self._out.fileno(), data) if len(data) < 4096 else self._out.buffer.write(data)
        self._out.flush()

    def json(self, value: Any, *, indent: bool = True) -> None:
        """One JSON value; `indent=False` makes it one line of a stream."""
        text = json.dumps(value, indent=2 if indent else None, ensure_ascii=False)
        self._print(self._out, text.encode("utf-8", "replace").decode())

    def styled(self, text: str, style: str) -> str:
        """`text` in a style, where standard output takes colour."""
        return _paint(text, style) if self._color[id(self._out)] else text

    def state(self, state: str, reason: str = "") -> str:
        """A state with its symbol, in its colour; a reason that begins with the state stands for both."""
        words = reason if reason.startswith(state) else f"{state}: {reason}" if reason else state
        return self.styled(f"{SYMBOLS.get(state, '·')} {visible(words)}", STATE_STYLES.get(state, ""))

    def table(self, rows: Sequence[Sequence[str]], *, indent: str = "", head: bool = False) -> None:
        """Rows in columns as wide as need be. Cells may hold styles."""
        if not rows:
            return
        widths = [max(len(_bare(row[i])) for row in rows) for i in range(len(rows[0]))]
        for number, row in enumerate(rows):
            cells = [cell + " " * (width - len(_bare(cell))) for cell, width in zip(row, widths, strict=True)]
            self.line((indent + "  ".join(cells)).rstrip(), style="dim" if head and not number else "")

    def error(self, error: DagfsError) -> None:
        """An error as its user shall see it: every problem of a spec, or one line and a hint."""
        if isinstance(error, SpecError):
            self.problems(error.problems)
            return
        self.say(f"dagfs: {visible(error.message)}", style="red")
        if error.hint:
            self.say(f"  hint: {visible(error.hint)}")

    def problems(self, problems: Iterable[Problem]) -> None:
        """Problems with their lines and carets."""
        for problem in problems:
            self.say(visible(str(problem)), style="red" if problem.severity == "error" else "yellow")
            if problem.source and problem.line:
                source, column = _excerpt(problem.source.replace("\t", " "), problem.column - 1)
                self.say(f"  {problem.line:>4} | {visible(source)}")
                self.say(f"       | {' ' * len(visible(source[:column]))}^")
            if problem.hint:
                self.say(f"  hint: {visible(problem.hint)}")

    def _print(self, stream: TextIO, text: str, style: str = "") -> None:
        safe = text.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8")
        print(_paint(safe, style) if style and self._color[id(stream)] else safe, file=stream, flush=True)


def _excerpt(source: str, column: int) -> tuple[str, int]:
    """So much of a line as a narrow terminal shows, and where in it that column is."""
    if len(source) <= _EXCERPT:
        return source, column
    start = max(0, min(column - _EXCERPT // 2, len(source) - _EXCERPT))
    head, tail = "…" if start else "", "…" if start + _EXCERPT < len(source) else ""
    return f"{head}{source[start : start + _EXCERPT]}{tail}", column - start + len(head)


def _wants_color(stream: TextIO, color: str) -> bool:
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if os.environ.get("TERM") == "dumb" or os.environ.get("CLICOLOR") == "0":
        return False
    return stream.isatty()


def _paint(text: str, style: str) -> str:
    codes = [_STYLES[word] for word in style.split() if word in _STYLES]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def _bare(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def next_commands(output: Output, commands: Mapping[str, str]) -> None:
    """The commands to type next, each with what it is for."""
    output.line()
    output.line("next:", style="bold")
    output.table([[f"  {command}", f"# {why}"] for command, why in commands.items()])
