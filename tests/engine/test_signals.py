from __future__ import annotations

import selectors
import signal
import threading

import pytest

from dagfs.engine.signals import Signals, postponed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_asks_for_an_end_before_the_loop_listens_is_heard_by_it(number: int) -> None:
    heard: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with postponed(), selectors.DefaultSelector() as selector:
        # To this thread alone: a worker of pytest has others, an engine has none.
        signal.pthread_kill(threading.get_ident(), number)
        signals = Signals(selector, heard.append)
        signals.__enter__()
        for key, _ in selector.select(5):
            key.data()
        signals.__exit__()
    assert heard == [number]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
