"""Two attempts of a run, compared step by step."""

from __future__ import annotations

from collections.abc import Iterator

from dagfs.model.run import Attempt, StepRun
from dagfs.model.timespan import duration
from dagfs.model.value import frozen


@frozen
class Difference:
    """One thing that differs: of a step, or of the attempts themselves."""

    step: str
    what: str
    one: str
    other: str

    def as_data(self) -> dict[str, str]:
        return {"step": self.step, "what": self.what, "one": self.one, "other": self.other}


def differences(one: Attempt, other: Attempt) -> list[Difference]:
    """All that differs; how long a step took is said where it ran in both or its state differs."""
    found = [
        Difference("", what, before, after) for what, before, after in _facts(one, other) if before != after
    ]
    for name in dict.fromkeys((*one.steps, *other.steps)):
        before, after = (each.steps.get(name) or StepRun(name) for each in (one, other))
        found += _of_step(before, after)
    return found


def _facts(one: Attempt, other: Attempt) -> Iterator[tuple[str, str, str]]:
    yield "state", str(one.state), str(other.state)
    yield "took", duration(one.started, one.finished), duration(other.started, other.finished)
    yield "spec", one.header.spec, other.header.spec
    for name in dict.fromkeys((*one.header.params, *other.header.params)):
        yield f"param {name}", one.header.params.get(name, ""), other.header.params.get(name, "")


def _of_step(one: StepRun, other: StepRun) -> Iterator[Difference]:
    ran = not other.kept and not other.left
    pairs = {
        "state": (_stands(one), _stands(other)),
        "took": (duration(one.started, one.finished), duration(other.started, other.finished)),
        "exit": (_code(one), _code(other)),
        "tries": (str(one.tries or ""), str(other.tries or "")),
    }
    for what, (before, after) in pairs.items():
        if before != after and (ran or what == "state"):
            yield Difference(one.name, what, before, after)
    for name in dict.fromkeys((*one.outputs, *other.outputs)):
        before, after = one.outputs.get(name, ""), other.outputs.get(name, "")
        if before != after:
            yield Difference(one.name, f"output {name}", before, after)


def _stands(step: StepRun) -> str:
    more = ", stale" if step.stale else ", kept" if step.kept else ", not selected" if step.left else ""
    return str(step.state).replace("_", " ") + more


def _code(step: StepRun) -> str:
    return "" if step.exit_code is None else str(step.exit_code)
