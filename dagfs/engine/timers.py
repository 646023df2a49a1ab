"""What is to happen later, by the clock that never jumps."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable


class Timers:
    """Actions, each due at a time of its own; those due together go in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}
        self._serial = 0

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Let `action` happen that many seconds from now. What is returned calls it off."""
        self._serial += 1
        serial = self._serial
        self._actions[serial] = action
        heapq.heappush(self._heap, (time.monotonic() + seconds, serial))
        return lambda: self._forget(serial)

    def _forget(self, serial: int) -> None:
        self._actions.pop(serial, None)

    def wait(self) -> float | None:
        """Seconds until the next one is due, or None where none is set."""
        while self._heap and self._heap[0][1] not in self._actions:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def fire(self) -> None:
        """Do all that is due."""
        while self.wait() == 0:
            self._actions.pop(heapq.heappop(self._heap)[1])()
