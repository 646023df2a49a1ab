"""A terminal as its user sees it: a pseudo-terminal with the screen that its bytes paint."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

from tests.patience import PATIENCE_SEC


class Terminal:
    """A program on a terminal of its own, as its session's leader."""

    def __init__(
        self, words: list[str], cwd: Path, env: Mapping[str, str], *, columns: int = 90, lines: int = 24
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, lines, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """Every byte that came."""
        self._master, slave = pty.openpty()
        self._size(columns, lines)
        self._before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            words,
            cwd=cwd,
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Change the window's size, as its user's mouse would."""
        self.read(0)
        self._size(columns, lines)
        self._screen.resize(lines, columns)

    def type(self, text: str) -> None:
        """Press these keys; `\\x03` is ^C."""
        os.write(self._master, text.encode())

    # --- what is there to see

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what was printed; whether anything came within that time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    @property
    def rows(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as text; runs of blanks count as one."""
        return " ".join("\n".join(self.rows).split())

    @property
    def everything(self) -> str:
        """All that can be scrolled back to, and the screen."""
        top = ["".join(line[i].data for i in range(len(line))) for line in self._screen.history.top]
        return "\n".join([*(line.rstrip() for line in top), *self.rows])

    @property
    def cursor_is_visible(self) -> bool:
        return not self._screen.cursor.hidden

    @property
    def is_as_before(self) -> bool:
        """The terminal's settings are those it was given with."""
        return termios.tcgetattr(self._slave) == self._before

    def until(self, look: Callable[[], object], what: str) -> None:
        """Read until `look` is true."""
        deadline = time.monotonic() + PATIENCE_SEC
        while not look():
            self.read()
            assert time.monotonic() < deadline, f"{what} did not come about\n{self}"

    def until_it_says(self, *texts: str) -> None:
        """Read until all texts stand on the screen."""
        self.until(lambda: all(text in self.text for text in texts), " and ".join(map(repr, texts)))

    def __str__(self) -> str:
        return "\n".join(f"|{row}" for row in self.rows).rstrip("|\n")

    # --- its end

    def wait(self) -> int:
        """Read on to the program's end; its exit code."""
        self.until(lambda: self.process.poll() is not None, "its end")
        while self.read(0):
            pass
        assert "Traceback" not in self.everything, str(self)
        return int(self.process.returncode)

    def close(self) -> None:
        """Hang up."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._slave)
        os.close(self._master)
