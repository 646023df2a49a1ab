"""What a step that calls another DAG asks for: one child, or one for each item; and what it makes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dagfs.engine.environment import StepUnready
from dagfs.model.dag import Step
from dagfs.model.run import RunHeader
from dagfs.model.state import RunState
from dagfs.planning.items import as_text, identity, items_of
from dagfs.spec.values import Scope, expand, parse_assignments
from dagfs.spec.variables import split_words
from dagfs.store.layout import child_id

Pairs = tuple[tuple[str, str], ...]
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
WENT_WELL = (RunState.SUCCEEDED, RunState.PARTIALLY_SUCCEEDED)


@dataclass(frozen=True, slots=True)
class Order:
    """One child that a step asks for. Everything in it is final."""

    child: str
    """The id below the root's `children/`."""
    dag: str
    body: str = ""
    """The DAG's text, where the step brings it along."""
    params: Pairs = ()
    """As on a command line: positional ones are named by their place."""
    item: str = ""
    """Its item as JSON; empty where there is but one child."""
    alias: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    """What its references find beside its own values."""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended."""

    order: Order
    state: RunState
    reason: str = ""
    name: str = ""
    """Its DAG's name."""
    params: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


def orders(
    step: Step, scope: Scope, run: RunHeader, inherited: Pairs, given: Mapping[str, str]
) -> list[Order]:
    """The children that a step of `run` asks for, in the order of its items.

    A body written inline sees what its step sees: it gets the parameters `inherited` and the values `given`.
    StepUnready where the texts make no sense.
    """
    try:
        if step.parallel is None:
            return [_order(step, scope, run, inherited, given)]
        return list(_for_items(step, scope, run, inherited, given))
    except ValueError as error:
        raise StepUnready(str(error)) from error


def _for_items(
    step: Step, scope: Scope, run: RunHeader, inherited: Pairs, given: Mapping[str, str]
) -> Iterator[Order]:
    assert step.parallel is not None
    name, key = step.parallel.item, step.parallel.key
    for item in items_of(step.parallel, lambda text: expand(text, scope)):
        text = as_text(item)
        own = {name: text}
        there = replace(scope, given={**scope.given, **own})
        order = _order(step, there, run, inherited, {**given, **own} if step.call.body else {}, item)
        child = child_id(run.id.partition("/")[2], step.name, identity(item, key), text)
        yield replace(order, child=child, item=json.dumps(item, ensure_ascii=False))


def _order(
    step: Step, scope: Scope, run: RunHeader, inherited: Pairs, given: Mapping[str, str], item: Any = None
) -> Order:
    call = step.call
    params = inherited if call.body else _params(step, scope, item)
    return Order(
        child=child_id(run.id.partition("/")[2], step.name, ""),
        dag=expand(call.dag, scope),
        body=call.body,
        params=params,
        alias=dagu_id(run.alias or run.id, step.name, params),
        given=given if call.body else {},
    )


def _params(step: Step, scope: Scope, item: Any) -> Pairs:
    """What the child is given: the step's parameters, else the item itself."""
    if step.call.text:
        return _from_text(expand(step.call.text, scope))
    if step.call.params:
        return tuple((each.name, expand(each.value, scope)) for each in step.call.params)
    if isinstance(item, Mapping):
        return tuple((str(name), as_text(item[name])) for name in sorted(item))
    return _from_text(as_text(item)) if item is not None else ()


def _from_text(text: str) -> Pairs:
    """Parameter text that became known only now: `a K=v`, or a JSON object."""
    if text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict):
            return tuple((name, as_text(data[name])) for name in sorted(data))
    try:
        words = [f"{name}={value}" if name else value for name, value in split_words(text)]
    except ValueError:
        raise ValueError(f"the parameters {text[:60]!r} have a quote that is not closed") from None
    return tuple(parse_assignments(words))


def dagu_id(parent: str, step: str, params: Pairs) -> str:
    """The id that Dagu gives a sub-DAG's run: made of its parent's, its step and its parameters."""
    words = " ".join(value if name.isdigit() else f"{name}={json.dumps(value)}" for name, value in params)
    number = int.from_bytes(hashlib.sha256(f"{parent}:{step}:{words}".encode()).digest(), "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text


def summary(step: Step, ends: Sequence[ChildEnd]) -> str:
    """What a calling step prints, as Dagu does: a JSON object of its child, or of all of them."""
    found = [_described(end) for end in ends]
    if step.parallel is None:
        return json.dumps(found[0], indent=2, ensure_ascii=False) + "\n"
    well = [end for end in ends if end.state in WENT_WELL]
    data = {
        "summary": {"total": len(ends), "succeeded": len(well), "failed": len(ends) - len(well)},
        "results": found,
        "outputs": [dict(sorted(end.outputs.items())) for end in well],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _described(end: ChildEnd) -> dict[str, Any]:
    params = " ".join(f"{name}={value}" for name, value in end.params.items())
    return {
        "name": end.name or end.order.dag,
        "dagRunId": end.order.alias,
        **({"params": params} if params else {}),
        "outputs": dict(sorted(end.outputs.items())),
        "status": str(end.state),
    }


def why(ends: Sequence[ChildEnd], describe: Callable[[ChildEnd], str]) -> str:
    """Why a step whose children did not all go well failed."""
    bad = [end for end in ends if end.state not in WENT_WELL]
    if len(ends) == 1:
        return describe(bad[0])
    more = f", {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"{len(bad)} of {len(ends)} children did not succeed: {describe(bad[0])}{more}"
