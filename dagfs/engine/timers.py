"""What is to happen later, by the clock that never jumps."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable


class Timers:
    """Actions, each due at a time of its own; those due together go in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let `action` happen that many seconds from now."""
        self._serial += 1
        heapq.heappush(self._heap, (time.monotonic() + seconds, self._serial, action))

    def wait(self) -> float | None:
        """Seconds until the next one is due, or None where none is set."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def fire(self) -> None:
        """Do all that is due."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            heapq.heappop(self._heap)[2]()

    def clear(self) -> None:
        """Forget them all."""
        self._heap.clear()
