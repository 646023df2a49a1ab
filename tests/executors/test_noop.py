"""The noop executor keeps the contract and does nothing."""

from __future__ import annotations

from dagfs.executors.noop import Noop
from dagfs.hooks.testing import ExecutorContract, Outcome
from dagfs.model.dag import Step


class TestNoop(ExecutorContract):
    executor = Noop()
    step = Step(name="meet")

    def after(self, outcome: Outcome) -> None:
        assert (outcome.out, outcome.err) == ("", "")

    def test_it_has_no_use_for_a_command(self) -> None:
        said = self.executor.check(Step(name="a", command=("echo",), script="x"))
        assert said == [
            "the noop executor has no use for `command`",
            "the noop executor has no use for `script`",
        ]
