"""A plugin that observes, in a process of its own: it is told of events and nobody waits for it."""

from __future__ import annotations

import os
import pickle
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dagfs.hooks import cage

_HEADER = 8
_MOST_UNTOLD = 100_000
"""Events that may wait for a slow observer; it is told no more of them."""


@dataclass
class Listener:
    """Tells one plugin of events, in order, without waiting for it."""

    plugin: str
    on_event: Callable[[Any, Any], None]
    """Called with run and event, in the other process."""
    limit_sec: float
    """How long it may take over one event."""
    _link: socket.socket | None = None
    _child: int = 0
    _unsent: bytearray = field(default_factory=bytearray)
    _received: bytearray = field(default_factory=bytearray)
    _waiting: deque[bytes] = field(default_factory=deque)
    _since: float = 0.0
    """When the event it is busy with was given to it."""
    _busy: bool = False
    _complaints: list[str] = field(default_factory=list)

    def tell(self, run: Any, event: Any) -> None:
        """Tell it of an event, at some time soon."""
        if len(self._waiting) < _MOST_UNTOLD:
            self._waiting.append(pickle.dumps((run, event)))
        elif len(self._waiting) == _MOST_UNTOLD:
            self._waiting.append(b"")
            self._complaints.append(f"plugin {self.plugin}: on_event is too slow: it misses events")
        self.turn()

    def turn(self) -> None:
        """Hand over and take back what can be without waiting."""
        if self._link is None and (self._waiting or self._busy):
            self._start()
        if self._link is not None:
            self._send()
            self._receive()
        if self._busy and self.limit_sec and time.monotonic() - self._since > self.limit_sec:
            self._give_up(f"it took longer than {self.limit_sec:g} s and was killed")

    def complaints(self) -> list[str]:
        """What went wrong since last asked, each as one line."""
        found, self._complaints = self._complaints, []
        return found

    def finish(self) -> None:
        """Wait until it has been told everything; one that hangs is given up after its limit."""
        self.turn()
        while self._busy or self._waiting:
            if self._link is not None:
                poller = select.poll()
                poller.register(self._link, select.POLLIN | (select.POLLOUT if self._unsent else 0))
                poller.poll(min(self._left(), 0.5) * 1000)
            self.turn()
        self.close()

    def close(self) -> None:
        """End its process, whatever it is doing."""
        if self._link is not None:
            self._link.close()
            self._link = None
            cage.end(self._child)
        self._busy = False

    def _left(self) -> float:
        if not self.limit_sec:
            return 0.5
        return max(0.0, self._since + self.limit_sec - time.monotonic()) + 0.01

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            child = cage.fork(lambda: _listen(theirs, self.on_event), theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._link, self._child = ours, child
        self._unsent.clear()
        self._received.clear()

    def _send(self) -> None:
        """One event at a time, so that its limit is its own."""
        while self._waiting and not self._waiting[0]:
            self._waiting.popleft()
        if not self._busy and self._waiting:
            data = self._waiting.popleft()
            self._unsent += len(data).to_bytes(_HEADER, "big") + data
            self._busy, self._since = True, time.monotonic()
        assert self._link is not None
        try:
            while self._unsent:
                del self._unsent[: self._link.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def _receive(self) -> None:
        assert self._link is not None
        while True:
            try:
                piece = self._link.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            if not piece:
                if self._busy:
                    self._give_up("")
                else:
                    # It ended between two events; the next one finds a new process.
                    self.close()
                return
            self._received += piece
        while len(self._received) >= _HEADER:
            size = int.from_bytes(self._received[:_HEADER], "big")
            if len(self._received) < _HEADER + size:
                return
            text = bytes(self._received[_HEADER : _HEADER + size]).decode("utf-8", "replace")
            del self._received[: _HEADER + size]
            self._done(text)

    def _done(self, complaint: str) -> None:
        self._busy = False
        if complaint:
            self._complaints.append(f"plugin {self.plugin}: on_event: {complaint}")
        if self._waiting:
            self._send()

    def _give_up(self, why: str) -> None:
        """The event it was busy with is lost to it; the next one finds a new process."""
        assert self._link is not None
        self._link.close()
        self._link, self._busy = None, False
        if why:
            cage.end(self._child)
        else:
            why = cage.ended(cage.ending(self._child))
        self._complaints.append(f"plugin {self.plugin}: on_event: {why}")


def _listen(link: socket.socket, on_event: Callable[[Any, Any], None]) -> NoReturn:
    """The other process: takes events until there are no more."""
    try:
        while (data := _frame(link)) is not None:
            text = ""
            try:
                on_event(*pickle.loads(data))
            except BaseException as error:  # noqa: BLE001 - reported, and the next event is its own matter
                text = cage.described(error)
            sys.stdout.flush()
            said = text.encode("utf-8", "replace")
            link.sendall(len(said).to_bytes(_HEADER, "big") + said)
    finally:
        os._exit(0)


def _frame(link: socket.socket) -> bytes | None:
    size = _exactly(link, _HEADER)
    return None if size is None else _exactly(link, int.from_bytes(size, "big"))


def _exactly(link: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data
