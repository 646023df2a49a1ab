"""Connections on which no request comes are closed; those with one are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h11
import pytest
import uvicorn
from uvicorn.server import ServerState

from dagfs.web.protocol import SoonProtocol


class Timer:
    """What the loop was asked to do later."""

    def __init__(self, seconds: float, do: Callable[[], None]) -> None:
        self.seconds, self.do, self.is_open = seconds, do, True

    def cancel(self) -> None:
        self.is_open = False


class Loop:
    """A loop in which time stands still."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, seconds: float, do: Callable[[], None], *_: object) -> Timer:
        self.timers.append(Timer(seconds, do))
        return self.timers[-1]

    def create_task(self, work: Any, **_: object) -> Any:
        work.close()
        return self

    def add_done_callback(self, _: object) -> None:
        """As a task that is never done."""

    @property
    def waiting(self) -> list[Timer]:
        return [timer for timer in self.timers if timer.is_open and timer.seconds == SoonProtocol.HEAD_SEC]


class Transport:
    """A connection that only knows whether it was given up."""

    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None:
        """Nothing is read here."""

    resume_reading = close = pause_reading

    def is_closing(self) -> bool:
        return False


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def wire() -> Transport:
    return Transport()


@pytest.fixture
def protocol(loop: Loop, wire: Transport) -> SoonProtocol:
    config = uvicorn.Config(lambda: None, lifespan="off", log_config=None, ws="none")
    config.load()
    made = SoonProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)  # type: ignore[arg-type]
    made.connection_made(wire)  # type: ignore[arg-type]
    return made


def test_who_says_nothing_is_given_up(protocol: SoonProtocol, loop: Loop, wire: Transport) -> None:
    (timer,) = loop.waiting
    timer.do()
    assert wire.is_aborted


def test_a_byte_now_and_then_gains_no_time(protocol: SoonProtocol, loop: Loop) -> None:
    (timer,) = loop.waiting
    for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b":
        protocol.data_received(bytes([byte]))
    assert loop.waiting == [timer]


def test_who_has_asked_may_wait_for_the_answer(protocol: SoonProtocol, loop: Loop) -> None:
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert loop.waiting
    protocol.data_received(b"\r\n")
    assert loop.waiting == []


def test_the_next_request_is_to_come_as_soon(protocol: SoonProtocol, loop: Loop) -> None:
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    protocol.conn.send(h11.Response(status_code=204, headers=[]))
    protocol.conn.send(h11.EndOfMessage())
    protocol.conn.start_next_cycle()
    protocol.data_received(b"G")
    assert len(loop.waiting) == 1


def test_a_connection_that_is_gone_is_forgotten(protocol: SoonProtocol, loop: Loop) -> None:
    protocol.connection_lost(None)
    assert loop.waiting == []
