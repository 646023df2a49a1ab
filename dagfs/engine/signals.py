"""Turns the signals that ask something of a run into events of its loop."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORD = signal.SIGURG
"""Somebody left a word for a waiting step. Who does not listen yet is not harmed by this signal."""


@contextmanager
def postponed() -> Iterator[None]:
    """Have what asks for an end wait until a loop listens: between a run's first instant and its loop it
    would end the engine, and leave the run to look as if that had been killed."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


class Signals:
    """While entered, `tell` is called by the loop with the number of each signal above."""

    def __init__(self, selector: selectors.BaseSelector, tell: Callable[[int], None]) -> None:
        self._selector, self._tell = selector, tell
        self._old: dict[int, Any] = {}
        self._pipe = (-1, -1)
        self._old_fd = -1

    def __enter__(self) -> None:
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_fd = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in (*STOPPING, WORD):
            self._old[number] = signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        self._selector.register(self._pipe[0], selectors.EVENT_READ, self._drain)

    def _drain(self) -> None:
        for number in os.read(self._pipe[0], 64):
            if number in self._old:
                self._tell(number)

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)
        signal.set_wakeup_fd(self._old_fd)
        for end in self._pipe:
            os.close(end)
