"""What the items of a `foreach` hand on to the steps behind it: the texts of its `collect:`."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import cast

from dagfs.engine.call import ChildEnd
from dagfs.model.dag import Step, Variable
from dagfs.model.reference import references
from dagfs.model.value import replace
from dagfs.spec.scope import Scope, StepRef, unresolved
from dagfs.spec.values import expand


def collect(step: Step, ends: Sequence[ChildEnd], scope: Scope) -> list[dict[str, str]]:
    """What the children of a `foreach` that went well hand on: its `collect:`, with their values.

    `scope` is what the step sees. ValueError where a text names what is not there.
    """
    wanted = step.parallel.collect if step.parallel else ()
    found = []
    for place, end in enumerate(ends):
        if end.state.is_success:
            order = end.order
            given = {**order.given, "foreach.index": str(place), "foreach.key": order.key}
            outputs = {name: value for each in end.steps.values() for name, value in each.outputs.items()}
            there = replace(
                scope,
                variables={**scope.variables, **outputs},
                given={**scope.given, **given},
                steps=ChainMap(_open(end.steps), _open(scope.steps)),
            )
            found.append({each.name: _handed_on(each, order.key, there) for each in wanted})
    return found


def _open(steps: Mapping[str, StepRef]) -> MutableMapping[str, StepRef]:
    """A ChainMap asks for mappings that can be written; these are only read."""
    return cast("MutableMapping[str, StepRef]", steps)


def _handed_on(wanted: Variable, key: str, scope: Scope) -> str:
    for said in (*unresolved(wanted.value, scope), *_unknown(wanted.value, scope)):
        raise ValueError(f"collect {wanted.name} of item {key}: nothing is called {said}")
    return expand(wanted.value, scope)


def _unknown(text: str, scope: Scope) -> Iterator[str]:
    """The references without a path that would stay as they are: no shell reads them behind this."""
    for each in references(text):
        said = text[each.start : each.end]
        escaped = each.start > 0 and text[each.start - 1] == "\\"
        # `${X-word}` looks like a name; where it is none, it expands all the same.
        if not (each.path or escaped) and scope.find(each) is None and expand(said, scope) == said:
            yield said


def lists(step: Step, collected: Sequence[Mapping[str, str]], limit: int) -> dict[str, str]:
    """The same by name: a JSON list of texts. ValueError where one has more than `limit` bytes."""
    wanted = step.parallel.collect if step.parallel else ()
    found = {}
    for name in (each.name for each in wanted):
        found[name] = json.dumps([one[name] for one in collected], ensure_ascii=False)
        if len(found[name].encode(errors="surrogatepass")) > limit:
            raise ValueError(f"collect {name} comes to more than {limit} bytes")
    return found
