"""Digests of a step's definition by field class, so that a change can be named and weighed.

Comments, key order, quoting and white space never reach a `Step`, so they change no fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from dagfs.model.dag import Dag, Step, Variable
from dagfs.model.value import replace


class FieldClass(StrEnum):
    """What a change of a field means for a step whose work is kept."""

    IDENTITY = "identity"
    """The step is another one."""
    WIRING = "wiring"
    """It stands elsewhere in the graph, or hands on other values."""
    SEMANTIC = "semantic"
    """Its work might have come out differently."""
    OPERATIONAL = "operational"
    """It would run in another way, with the same result."""
    COSMETIC = "cosmetic"
    """People read it; nothing runs by it."""
    HANDLER = "handler"
    """It belongs to the attempt, never to kept work."""


Classify = Callable[[str, str], FieldClass]
"""From `dag` or `step` and a field path (`timeout_sec`, `executor.config.image`) to its class."""


def step_fields(step: Step) -> Iterator[tuple[str, Any]]:
    """Every field path of the step with its plain value; executor settings one by one."""
    for name, value in step.as_data().items():
        if name == "executor":
            yield "executor.type", step.executor.type
            for key, setting in step.executor.config.items():
                yield f"executor.config.{key}", setting
        elif name == "env":
            yield from _variables(step.env)
        elif name == "call" and step.call.body_sha256:
            yield name, {key: each for key, each in value.items() if key != "body"}
        else:
            yield name, value


def _variables(env: Sequence[Variable]) -> Iterator[tuple[str, str]]:
    """Each entry by its name; one that is there again as `env.NAME#2`, as both count."""
    times: Counter[str] = Counter()
    for variable in env:
        times[variable.name] += 1
        again = f"#{times[variable.name]}" if times[variable.name] > 1 else ""
        yield f"env.{variable.name}{again}", variable.value


def dag_fields(dag: Dag) -> Iterator[tuple[str, Any]]:
    """Every root field path with its plain value, steps left out; params and env one by one."""
    for name, value in dag.as_data().items():
        if name == "steps":
            continue
        if name == "env":
            yield from _variables(dag.env)
        elif name == "params":
            for param in dag.params:
                yield f"params.{param.name}", param.eval or param.value
                rules = replace(param, name="", value="", eval="").as_data()
                if rules:
                    yield f"params_schema.{param.name}", rules
        elif name == "handler_on":
            for event, step in dag.handler_on.items():
                yield f"handler_on.{event}", step.as_data()
        else:
            yield name, value


def digest(value: Any) -> str:
    """A short digest of plain data, the same for equal data on any machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(step: Step, classify: Classify) -> Mapping[FieldClass, str]:
    """One digest for each field class the step has fields of."""
    facets: dict[FieldClass, dict[str, Any]] = {}
    for path, value in step_fields(step):
        facets.setdefault(classify("step", path), {})[path] = value
    return {facet: digest(values) for facet, values in facets.items()}
