"""The shims of one engine: each has one step at a time, and the next one when that left it as it was.

To fork a shim costs more than all it does for a short step, so those that are free wait a little for another.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from dagfs.engine.launch import Launch
from dagfs.engine.zygote import ENDED, LENGTH, LaunchFailed, Zygote

_PATIENCE_SEC = 2.0


class Adopted:
    """A shim that another engine started, held by its pidfd. To close it leaves its step alone."""

    def __init__(self, pidfd: int) -> None:
        self.pidfd = pidfd
        self._told = False

    def fileno(self) -> int:
        """Readable once its step has ended."""
        return self.pidfd

    def tell(self, *, kill: bool) -> None:
        """Ask it to stop its step, once, or to kill it at once. PermissionError: it is another user's."""
        if self._told and not kill:
            # Asked once more, it would kill the step before its grace is over.
            return
        self._told = True
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGUSR1 if kill else signal.SIGTERM)
        except ProcessLookupError:
            pass

    def is_free(self) -> bool:
        """Now that its step has ended: whether it can have another."""
        return False

    def close(self) -> None:
        """Let go of it."""
        os.close(self.pidfd)
        self.pidfd = -1


class Child(Adopted):
    """A shim of this engine's, with a wire to it. One that has no step ends when it is closed."""

    def __init__(self, pid: int, pidfd: int, wire: int) -> None:
        super().__init__(pidfd)
        self.pid, self.wire = pid, wire
        # One that was stopped must not hold up the engine.
        os.set_blocking(wire, False)

    def fileno(self) -> int:
        """Readable once its step has ended."""
        return self.wire

    def begin(self, launch: Launch) -> bool:
        """Give it a step; False where it is gone, or does not take it, and begins nothing."""
        frame = launch.as_bytes()
        rest = memoryview(LENGTH.pack(len(frame)) + frame)
        deadline = time.monotonic() + _PATIENCE_SEC
        try:
            while rest:
                try:
                    rest = rest[os.write(self.wire, rest) :]
                except BlockingIOError:
                    if not self._has_room(deadline):
                        self._kill()
                        return False
        except OSError:
            return False
        return True

    def _has_room(self, deadline: float) -> bool:
        poller = select.poll()
        poller.register(self.wire, select.POLLOUT)
        return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _kill(self) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def is_free(self) -> bool:
        """Now that its step has ended: whether it can have another. The end of one that cannot is awaited.

        What was told to stop gets none: the signal may reach it late, and would hit the next step.
        """
        try:
            said = os.read(self.wire, 1)
        except ConnectionResetError:
            said = b""
        if not said:
            self.await_end()
        return said == ENDED and not self._told

    def await_end(self, deadline: float | None = None) -> None:
        """Wait until its process has ended, which has no step; at the deadline it is killed."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not poller.poll(left):
            self._kill()

    def hang_up(self) -> None:
        """Let it end, if it has no step."""
        if self.wire >= 0:
            os.close(self.wire)
            self.wire = -1

    def close(self) -> None:
        """Let go of it."""
        self.hang_up()
        super().close()


class Pool:
    """Starts steps, on a shim that is free or on a new one."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self._free: list[Child] = []

    @classmethod
    def start(cls) -> Self:
        """Fork the zygote, and have it fork a first shim. Only while this process has one thread.

        Raises LaunchFailed.
        """
        zygote = Zygote.start()
        try:
            zygote.ask()
        except BaseException:
            zygote.close()
            raise
        return cls(zygote)

    def launch(self, launch: Launch) -> Child:
        """Give a step to a shim, which then begins it. Raises LaunchFailed (try again later) and ZygoteDied.

        A shim whose engine dies before it has begun its record starts nothing.
        """
        while self._free:
            if (child := self._free.pop()).begin(launch):
                return child
            child.close()
        child = Child(*self.zygote.hire())
        if not child.begin(launch):
            child.close()
            raise LaunchFailed("cannot start a process: it ends at once", hint="look at free memory")
        return child

    def take_back(self, shim: Adopted) -> None:
        """Keep or let go a shim whose step has ended."""
        if isinstance(shim, Child) and shim.is_free():
            self._free.append(shim)
        else:
            shim.close()

    def close(self) -> None:
        """End the zygote and the shims that have no step; the others go on."""
        for child in self._free:
            child.hang_up()
        self.zygote.close()
        deadline = time.monotonic() + _PATIENCE_SEC
        for child in self._free:
            child.await_end(deadline)
            child.close()
        self._free.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
