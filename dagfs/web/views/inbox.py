"""What waits for somebody's word, as the inbox shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagfs.model.run import StepRun
from dagfs.web.views.runs import RunFact

PREFIX = "input."
"""What names of fields for inputs begin with; the rest is the input's."""


@dataclass(frozen=True, slots=True)
class Input:
    """A value that may, or must, be given with an approval."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """One step that waits."""

    run: str
    """The address of the run it is a step of, `ROOT` or `ROOT/CHILD`."""
    step: str
    dag: str
    since: str
    prompt: str
    inputs: tuple[Input, ...]
    outputs: Mapping[str, str] = field(default_factory=dict)
    """What it has put out so far, to judge by."""

    @property
    def key(self) -> str:
        return f"{self.run} {self.step}"


def ask_of(run: str, step: StepRun, fact: RunFact) -> Ask:
    """A waiting step of a run, or of one of its children; `fact` is about the root."""
    question: Mapping[str, Any] = step.question or {}
    required = [str(each) for each in question.get("required", ())]
    names = dict.fromkeys([*map(str, question.get("input", ())), *required])
    inputs = tuple(Input(name, name in required) for name in names)
    prompt = str(question.get("prompt") or "")
    return Ask(run, step.name, fact.dag, step.started or fact.created, prompt, inputs, dict(step.outputs))


def inputs_of(form: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The inputs that were given; what was left empty was not."""
    return {
        name.removeprefix(PREFIX): value.replace("\r\n", "\n")
        for name, value in form
        if name.startswith(PREFIX) and value
    }
