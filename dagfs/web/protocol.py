"""HTTP connections that do not wait for ever: whoever begins a request is to end its head soon."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class SoonProtocol(H11Protocol):
    """Closes a connection on which no head of a request has come within `HEAD_SEC`.

    Otherwise a few hundred silent connections would keep everybody else out.
    """

    HEAD_SEC = 20.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._awaited: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        # The first byte counts: one more now and then is not enough.
        if self._awaited is None:
            self._awaited = self.loop.call_later(self.HEAD_SEC, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None
