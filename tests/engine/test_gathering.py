"""What the items of a `foreach` hand on."""

from __future__ import annotations

import json

import pytest

from dagfs.engine.call import ChildEnd, Order, orders, summary
from dagfs.engine.environment import StepUnready
from dagfs.engine.gathering import collect, lists
from dagfs.model.dag import Call, Parallel, Step, Variable
from dagfs.model.run import RunHeader
from dagfs.model.state import RunState
from dagfs.spec.scope import Scope, StepRef


def each(*items: object, key: str = "", body: str = "name: x\n", collect: str = "") -> Step:
    wanted = (Variable("got", collect),) if collect else ()
    parallel = Parallel(items, item="foreach.item", key=key, collect=wanted, is_foreach=True)
    return Step(name="each", call=Call(body=body), parallel=parallel)


def end(order: Order, state: RunState = RunState.SUCCEEDED, **outputs: str) -> ChildEnd:
    return ChildEnd(order, state, "why" * (state is RunState.FAILED), steps={"one": StepRef(outputs=outputs)})


def made(step: Step) -> list[Order]:
    return orders(step, Scope(), RunHeader(id="r"), (), {})


def test_every_place_is_an_item_and_keeps_its_child_wherever_it_stands() -> None:
    first, second = made(each("a", "b", "a")), made(each("b", "a", "a"))
    assert len({order.child for order in first}) == 3
    assert {order.child for order in first} == {order.child for order in second}
    assert [order.key for order in first] == ["0", "1", "2"]


def test_a_child_that_speaks_of_its_place_is_told_it() -> None:
    (order,) = made(each("a", body="run: echo ${foreach.index}\n"))
    assert dict(order.given) == {"foreach.item": "a", "foreach.index": "0"}
    assert dict(made(each("a"))[0].given) == {"foreach.item": "a"}


@pytest.mark.parametrize("key", ["id", "${foreach.item.id}-x"])
def test_keys_tell_items_apart(key: str) -> None:
    before = made(each({"id": "p", "v": "1"}, {"id": "q", "v": "1"}, key=key))
    after = made(each({"id": "q", "v": "2"}, key=key))
    assert before[1].child.rpartition("-")[2] == after[0].child.rpartition("-")[2]
    with pytest.raises(StepUnready, match="two items have the key"):
        made(each({"id": "p", "v": "1"}, {"id": "p", "v": "2"}, key=key))


def test_an_item_without_the_key_is_told() -> None:
    with pytest.raises(StepUnready, match="item 2 has no key"):
        made(each({"id": "p"}, {"name": "q"}, key="id"))


def test_items_that_went_well_hand_on_texts_that_name_them_and_their_steps() -> None:
    step = each("a", "b", "c", collect="${foreach.item}${foreach.index}${steps.one.outputs.N}${env.X}")
    first, second, third = made(step)
    ends = [end(first, N="1"), end(second, RunState.FAILED), end(third, N="$X")]
    collected = collect(step, ends, Scope(namespaces={"env": {"X": "!"}}))
    assert collected == [{"got": "a01!"}, {"got": "c2$X!"}]
    assert lists(step, collected, 100) == {"got": '["a01!", "c2$X!"]'}
    said = json.loads(summary(step, ends, collected))
    assert said == {
        "summary": {"total": 3, "succeeded": 2, "failed": 1},
        "items": [
            {"index": 0, "key": "0", "status": "succeeded", "outputs": {"got": "a01!"}},
            {"index": 1, "key": "1", "status": "failed", "error": "why"},
            {"index": 2, "key": "2", "status": "succeeded", "outputs": {"got": "c2$X!"}},
        ],
        "outputs": collected,
    }


def test_an_output_of_a_step_of_the_item_is_known_by_its_plain_name() -> None:
    step = each("a", collect="${N}$N \\${N} ${X:-none} ${N-x} ${OUTER}")
    collected = collect(step, [end(made(step)[0], N="1")], Scope({"N": "outer", "OUTER": "$N"}))
    assert collected == [{"got": "11 ${N} none 1 $N"}]


def test_what_is_not_there_or_too_much_is_told() -> None:
    step = each("a", collect="${steps.one.outputs.GONE}")
    with pytest.raises(ValueError, match="collect got of item 0: nothing is called"):
        collect(step, [end(made(step)[0])], Scope())
    for text in ("${GONE}", "$GONE"):
        named = each("a", collect=text)
        with pytest.raises(ValueError, match=r"collect got of item 0: nothing is called \$.*GONE"):
            collect(named, [end(made(named)[0], N="1")], Scope())
    with pytest.raises(ValueError, match="more than 10 bytes"):
        lists(step, [{"got": "x" * 20}], 10)
