"""What a step that calls another DAG asks for: one child, or one for each item; and what it makes of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from dagfs.engine.environment import StepUnready
from dagfs.model.dag import Parallel, Step
from dagfs.model.run import RunHeader
from dagfs.model.state import RunState
from dagfs.model.value import field, frozen, replace
from dagfs.planning.items import as_text, identity, items_of
from dagfs.spec.values import Scope, StepRef, expand, parse_assignments
from dagfs.spec.variables import split_words
from dagfs.store.layout import child_id

Pairs = tuple[tuple[str, str], ...]
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


REPEATED = "its step is repeated"
"""Why a child starts over whose step's policy says so."""


class Manner(Enum):
    """How a step goes about children that are there already."""

    FIRST = auto()
    """Finished work is kept, the rest goes on."""
    AGAIN = auto()
    """The try before failed: what did not go well goes on."""
    OVER = auto()
    """The step is repeated: all of it once more."""
    ON = auto()
    """The step waited: only what somebody has said a word to goes on."""
    OFF = auto()
    """The step waited, and is to stop: what waits is taken up to be stopped too."""


@frozen
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
    key: str = ""
    """What a `foreach` calls the item: its place, or what `key:` came to."""
    alias: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    """What its references find beside its own values."""


@frozen
class ChildEnd:
    """How a child ended."""

    order: Order
    state: RunState
    reason: str = ""
    name: str = ""
    """Its DAG's name."""
    params: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, StepRef] = field(default_factory=dict)
    """What its steps left, for `collect`."""
    attempt: int = 0
    """Its newest one; 0 where there is none."""
    unmet: bool = False
    """It did not begin, because a precondition of its DAG was not met."""


def orders(
    step: Step,
    scope: Scope,
    run: RunHeader,
    inherited: Pairs,
    given: Mapping[str, str],
    *,
    handler: str = "",
) -> list[Order]:
    """The children that a step of `run`, or its `handler`, asks for, in the order of its items.

    A body written inline sees what its step sees: it gets the parameters `inherited` and the values `given`.
    StepUnready where the texts make no sense.
    """
    try:
        # A handler may have the name of a step.
        family = run.id.partition("/")[2] + (f"@{handler}" if handler else "")
        if step.parallel is None:
            return [_order(step, scope, run, child_id(family, step.name, ""), inherited, given)]
        return list(_for_items(step, scope, run, family, inherited, given))
    except ValueError as error:
        raise StepUnready(str(error)) from error


def _for_items(
    step: Step, scope: Scope, run: RunHeader, family: str, inherited: Pairs, given: Mapping[str, str]
) -> Iterator[Order]:
    parallel = step.parallel
    assert parallel is not None
    seen: Counter[str] = Counter()
    for place, item in enumerate(items_of(parallel, lambda text: expand(text, scope))):
        text = as_text(item)
        own = {parallel.item: text}
        there = replace(scope, given={**scope.given, **own})
        who, key = _identity(parallel, item, place, there)
        seen[who] += 1
        if seen[who] > 1:
            if parallel.key:
                raise ValueError(f"two items have the key {key!r}")
            who = f"{who}#{seen[who]}"
        places = {"foreach.index": str(place), "foreach.key": key}
        # A child that does not speak of its place is the same wherever its item stands.
        own |= {name: value for name, value in places.items() if name in step.call.body}
        for_body = {**given, **own} if step.call.body else {}
        child = child_id(family, step.name, who, text)
        order = _order(step, there, run, child, inherited, for_body, item)
        yield replace(order, item=json.dumps(item, ensure_ascii=False), key=key)


def _identity(parallel: Parallel, item: Any, place: int, scope: Scope) -> tuple[str, str]:
    """What makes an item the same in another attempt, and what a `foreach` calls it."""
    if "$" in parallel.key:
        key = expand(parallel.key, scope)
        who = json.dumps(["", key])
    else:
        has_field = isinstance(item, Mapping) and parallel.key in item
        key = as_text(item[parallel.key]) if has_field else "" if parallel.key else str(place)
        who = identity(item, parallel.key)
    if parallel.is_foreach and not key:
        raise ValueError(f"item {place + 1} has no key")
    return who, key


def _order(
    step: Step,
    scope: Scope,
    run: RunHeader,
    child: str,
    inherited: Pairs,
    given: Mapping[str, str],
    item: Any = None,
) -> Order:
    call = step.call
    params = inherited if call.body else _params(step, scope, item)
    return Order(
        child=child,
        dag=expand(call.dag, scope),
        body=call.body,
        params=params,
        alias=dagu_id(run.alias or run.id, step.name, params, quoted=bool(call.text or call.params)),
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


def dagu_id(parent: str, step: str, params: Pairs, *, quoted: bool = True) -> str:
    """The id that Dagu gives a sub-DAG's run: made of its parent's, its step and its parameters.

    Positional ones are `quoted` where the step says what they are, and not where they are its item.
    """
    said = ((name, json.dumps(value) if quoted or not name.isdigit() else value) for name, value in params)
    words = " ".join(value if name.isdigit() else f"{name}={value}" for name, value in said)
    number = int.from_bytes(hashlib.sha256(f"{parent}:{step}:{words}".encode()).digest(), "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text


def summary(step: Step, ends: Sequence[ChildEnd], collected: Sequence[Mapping[str, str]] = ()) -> str:
    """What a calling step prints, as Dagu does: a JSON object of its child, or of all of them.

    `collected` is what the children of a `foreach` that went well hand on, in their order.
    """
    if step.parallel is None:
        return _json(_described(ends[0]))
    well = [end for end in ends if end.state.is_success]
    counts = {"total": len(ends), "succeeded": len(well), "failed": len(ends) - len(well)}
    if step.parallel.is_foreach:
        return _json({"summary": counts, "items": list(_items(ends, collected)), "outputs": list(collected)})
    results = [_described(end) for end in ends]
    return _json({"summary": counts, "results": results, "outputs": [_sorted(end.outputs) for end in well]})


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _items(ends: Sequence[ChildEnd], collected: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    handed_on = iter(collected)
    for place, end in enumerate(ends):
        item = {"index": place, "key": end.order.key, "status": str(end.state)}
        if end.state.is_success:
            yield {**item, "outputs": dict(next(handed_on, {}))}
        else:
            yield {**item, **({"error": end.reason} if end.reason else {})}


def _sorted(outputs: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(outputs.items()))


def _described(end: ChildEnd) -> dict[str, Any]:
    params = " ".join(f"{name}={value}" for name, value in end.params.items())
    return {
        "name": end.name or end.order.dag,
        "dagRunId": end.order.alias,
        **({"params": params} if params else {}),
        "outputs": _sorted(end.outputs),
        "status": str(end.state),
    }


def why(ends: Sequence[ChildEnd], describe: Callable[[ChildEnd], str]) -> str:
    """Why a step whose children did not all go well failed."""
    bad = [end for end in ends if not end.state.is_success and not end.unmet]
    if len(ends) == 1:
        return describe(bad[0])
    more = f", {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"{len(bad)} of {len(ends)} children did not succeed: {describe(bad[0])}{more}"
