"""The lower lines of a terminal, drawn again and again in place; the terminal is always given back."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

_HIDE, _SHOW, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[K", "\x1b[J"
_PATIENCE_SEC = 0.5
_DEFAULT_SIZE = os.terminal_size((80, 24))


class Region:
    """While entered, the cursor is hidden and keys are not echoed.

    `draw` may be called by another thread. ^Z gives the terminal back and `fg` takes it again. Once the
    terminal is gone, or belongs to another job, nothing is drawn.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.RLock()
        self._widths: list[int] = []
        """The widths, in columns, of the lines that stand there now."""
        self._echo: list[Any] | None = None
        self._old: dict[int, Any] = {}
        self._gone = False

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines, asked anew: a window may have changed."""
        with suppress(OSError):
            found = os.get_terminal_size(self._fd)
            return found if found.columns and found.lines else _DEFAULT_SIZE
        return _DEFAULT_SIZE

    # --- entering and leaving

    def __enter__(self) -> Region:
        if threading.current_thread() is threading.main_thread():
            handlers = {signal.SIGTSTP: self._suspend, signal.SIGTERM: _end, signal.SIGHUP: _end}
            for number, handler in handlers.items():
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._old[number] = signal.signal(number, handler)
        try:
            self._take()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.settle()
            self._give_back()
        for number, old in self._old.items():
            signal.signal(number, old)

    def _take(self) -> None:
        if not is_foreground(self._fd):
            return
        with suppress(termios.error):
            self._echo = termios.tcgetattr(self._fd)
            quiet = termios.tcgetattr(self._fd)
            quiet[3] &= ~termios.ECHO
            termios.tcsetattr(self._fd, termios.TCSANOW, quiet)
        self._write(_HIDE)

    def _give_back(self) -> None:
        # From the background, the system would stop us for the attempt; the shell has set its own by then.
        if not is_foreground(self._fd):
            return
        self._write(_SHOW)
        if self._echo is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._echo)
            self._echo = None

    def _suspend(self, number: int, _: FrameType | None) -> None:
        held = self._lock.acquire(timeout=_PATIENCE_SEC)
        try:
            self.settle()
            self._give_back()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            # Here the process stands still until it is continued.
            signal.signal(number, self._suspend)
            self._take()
        finally:
            if held:
                self._lock.release()

    # --- drawing

    def draw(self, lines: Sequence[str], widths: Sequence[int], above: Sequence[str] = ()) -> None:
        """Put these lines in place of those drawn last; `above` scrolls away before them.

        `widths` are the columns that each line takes; none may reach the last column.
        """
        with self._lock:
            if self._gone or not is_foreground(self._fd):
                return
            text = self._to_top() + "".join(f"{line}{_CLEAR_LINE}\r\n" for line in above)
            text += f"{_CLEAR_LINE}\r\n".join(lines) + _CLEAR_LINE + _CLEAR_BELOW
            self._write(text)
            self._widths = list(widths)

    def settle(self) -> None:
        """Leave what was drawn last where it is; the next picture comes below."""
        with self._lock:
            if self._widths:
                self._write("\r\n")
            self._widths = []

    def _to_top(self) -> str:
        """The way to the first line, in rows as the terminal has wrapped them at its present width."""
        columns, height = self.size
        rows = sum(max(1, -(-width // columns)) for width in self._widths) - 1
        rows = min(rows, height - 1)
        return "\r" + (f"\x1b[{rows}A" if rows > 0 else "")

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        try:
            while data and not self._gone:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._gone = True


def is_foreground(fd: int) -> bool:
    """Whether the terminal is this job's to draw on; one that controls no jobs is everybody's."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
