"""The program that commands are forked from: what is asked for at once is held until all of it is forked."""

from __future__ import annotations

import os
import signal

import pytest

from dagfs.cli.spawner import Gate
from dagfs.engine.zygote import fork
from dagfs.scheduler.spawner import Spawner
from tests.scheduler.test_spawner import told


def waiting(gate: Gate, number: int, tell: int) -> int:
    """A child that tells its number once it may go."""
    gate.shut()

    def act() -> None:
        gate.wait()
        os.write(tell, b"%d" % number)

    return fork(act)


def test_nobody_goes_before_the_gate_is_opened_and_then_all_do() -> None:
    gate, (heard, tell) = Gate(), os.pipe()
    os.set_blocking(heard, False)
    children = [waiting(gate, number, tell) for number in range(5)]
    with pytest.raises(BlockingIOError):
        os.read(heard, 1)
    gate.open()
    assert not gate.held
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert sorted(os.read(heard, 9)) == sorted(b"01234")
    for end in (heard, tell):
        os.close(end)


def test_who_waits_at_a_gate_whose_keeper_is_killed_goes() -> None:
    heard, tell = os.pipe()

    def keep() -> None:
        waiting(Gate(), 7, tell)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(fork(keep), 0)
    assert os.read(heard, 1) == b"7"
    for end in (heard, tell):
        os.close(end)


def test_more_than_the_gate_holds_is_done_all_the_same() -> None:
    spawner = Spawner()
    asked = [spawner.ask(["version"]) for _ in range(80)]
    ended = told(spawner, len(asked))
    assert [each.ticket for each in ended] == asked
    assert {each.code for each in ended} == {0}
    spawner.close()
