"""What a whole run gives: the outputs of its steps, under the names that the spec gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dagfs.model.dag import Dag
from dagfs.model.run import StepRun

_SCREAMING = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_?")


def run_outputs(dag: Dag, steps: Mapping[str, StepRun]) -> dict[str, str]:
    """The outputs of all steps in the order of the spec, later ones of a name winning.

    `output.key` names one, else `ROW_COUNT` becomes `rowCount`; `output.omit` leaves it out.
    """
    found: dict[str, str] = {}
    for step in dag.steps:
        outputs = steps[step.name].outputs if step.name in steps else {}
        for name, value in outputs.items():
            if name != step.output.name:
                found[camel(name)] = value
            elif not step.output.omit:
                found[step.output.key or camel(name)] = value
    return found


def camel(name: str) -> str:
    """`ROW_COUNT` as `rowCount`; a name that is not written in capitals stays."""
    if not _SCREAMING.fullmatch(name):
        return name
    first, *rest = name.lower().strip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)
