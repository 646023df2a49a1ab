"""What an executor gives is looked at before it is carried out: a plugin's mistake fails one step."""

from __future__ import annotations

from typing import Any

import pytest

from dagfs.engine.environment import StepUnready
from dagfs.engine.preflight import check_settings
from dagfs.engine.request import prepare
from dagfs.hooks.executor import Process, StepRequest
from dagfs.model.dag import Dag, Step

REQUEST = StepRequest(run="r", attempt=1, step="a", try_=1)


class Odd:
    name = "odd"

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def check(self, step: Step) -> list[str]:
        return self._give()

    def prepare(self, request: StepRequest) -> Process:
        return self._give()

    def _give(self) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RuntimeError("of\nits own"), "RuntimeError: of its own"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("there is\nno host"), "failed: there is no host"),
        (None, "it gave NoneType instead of a Process"),
        (Process(argv=[], env={}, cwd="/"), "nothing to run"),
        (Process(argv="ls", env={}, cwd="/"), "nothing to run"),
        (Process(argv=["ls", 1], env={}, cwd="/"), "1 must be text"),  # type: ignore[list-item]
        (Process(argv=["ls"], env={"A": 1}, cwd="/"), "'A' must be text"),  # type: ignore[dict-item]
        (Process(argv=["ls"], env={1: "A"}, cwd="/"), "1 must be text"),  # type: ignore[dict-item]
        (Process(argv=["ls"], env=None, cwd="/"), "must be mappings"),  # type: ignore[arg-type]
        (Process(argv=["ls"], env={}, cwd=None), "None must be text"),  # type: ignore[arg-type]
        (Process(argv=["ls"], env={}, cwd="/", files={"x": b""}), "'x' must be text"),  # type: ignore[dict-item]
        (Process(argv=["ls"], env={}, cwd="/", files={"../x": ""}), "'../x' cannot name a file"),
        (Process(argv=["ls"], env={}, cwd="/", files={"": ""}), "'' cannot name a file"),
    ],
)
def test_nonsense_of_an_executor_is_refused_in_one_line_with_its_name(answer: Any, words: str) -> None:
    with pytest.raises(StepUnready) as caught:
        prepare(Odd(answer), REQUEST)
    assert caught.value.message.startswith("executor 'odd' failed: ")
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_a_sound_process_is_taken_as_it_is() -> None:
    process = Process(argv=("ls",), env={"A": "1"}, cwd="/", files={"script": "x"})
    assert prepare(Odd(process), REQUEST) is process


def test_an_executor_that_fails_at_checking_a_step_is_a_problem_of_that_step() -> None:
    assert check_settings(Odd(KeyError("image")), Step(name="a"), Dag()) == [
        "executor 'odd' failed: KeyError: 'image'"
    ]
    assert check_settings(Odd(["no"]), Step(name="a"), Dag()) == ["no"]
