"""Effects that children which start over would double: of steps with `idempotent: false` that were begun."""

from __future__ import annotations

from collections.abc import Iterator

from dagfs.engine.bootstrap import Engine
from dagfs.model.edit import Finding, Severity
from dagfs.model.run import Run
from dagfs.planning.answers import Answers
from dagfs.planning.plan import Plan

_RULE = "effects.ack"
"""What this is an instance of; the rule itself sees one run."""


def doubled(engine: Engine, run: Run, plan: Plan) -> list[Finding]:
    """A refusal for each such step below the steps whose children start over."""
    found: list[Finding] = []
    root = run.id.partition("/")[0]
    for name in plan.afresh:
        step = run.last.steps.get(name)
        for child in step.children if step else ():
            answers = plan.answers.of_child(child)
            paths = careful_steps(engine, root, child, answers)
            found += [_refusal(name, f"{child}/{path}") for path in paths]
    return found


def careful_steps(engine: Engine, root: str, child: str, answers: Answers) -> Iterator[str]:
    """The paths below a child of the steps that were begun, are not idempotent, and were not acknowledged."""
    address = f"{root}/{child}"
    if not engine.home.store.paths(address).run_json.exists():
        return
    run = engine.home.store.load(address)
    dag = engine.home.store.dag(address, run.last.n)
    for step in dag.steps:
        state = run.last.steps.get(step.name)
        if state is None:
            continue
        if not step.idempotent and state.ever_started and step.name not in answers.acknowledged:
            yield step.name
        for below in state.children:
            for path in careful_steps(engine, root, below, answers.of_child(below)):
                yield f"{below}/{path}"


def _refusal(step: str, path: str) -> Finding:
    message = f"step {path} is not idempotent, was started before, and would run again: its child starts over"
    hint = f"look what it has done; then say --ack {path}"
    return Finding(_RULE, Severity.REJECT, message, step, hint=hint)
