"""Which steps a router chooses, and who was not chosen. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dagfs.model.dag import Dag, Router, Step
from dagfs.model.run import StepRun
from dagfs.planning.outcome import matches


def chosen(router: Router, value: str) -> tuple[str, ...]:
    """The steps of every route that the value fits, in the order of the spec."""
    found = (route.steps for route in router.routes if matches(route.pattern, value))
    return tuple(dict.fromkeys(step for steps in found for step in steps))


def passed_over(dag: Dag, step: Step, runs: Callable[[str], StepRun]) -> str:
    """The router that did not choose a step which waits for it, where no other one did; else `""`."""
    without = ""
    for parent in step.depends:
        router = dag.by_name[parent].router if parent in dag.by_name else None
        if router is None or not any(step.name in route.steps for route in router.routes):
            continue
        if step.name in (runs(parent).chosen or ()):
            return ""
        without = parent
    return without


def routed(dag: Dag) -> Mapping[str, tuple[str, ...]]:
    """Each step that a router may choose, with those routers."""
    found: dict[str, tuple[str, ...]] = {}
    for step in dag.steps:
        for route in step.router.routes if step.router else ():
            for target in route.steps:
                found[target] = (*found.get(target, ()), step.name)
    return found
