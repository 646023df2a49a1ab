from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import pytest

from dagfs.model.value import NO_DEFAULT, field, fields, frozen, mutable, replace


@frozen
class Point:
    """A point."""

    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict)
    seen: tuple[int, ...] = field(default=(), compare=False, repr=False)


@frozen
class Deep(Point):
    z: int = 3

    @cached_property
    def area(self) -> list[int]:
        return [self.x * self.y]


@frozen
class Checked:
    low: int = 0

    def __post_init__(self) -> None:
        if self.low < 0:
            raise ValueError("below zero")


@frozen
class Empty:
    pass


def test_fields_are_set_in_order_and_defaults_made_anew() -> None:
    point = Point(1)
    assert (point.x, point.y, point.tags, point.seen) == (1, 2, {}, ())
    assert Point(1).tags is not point.tags
    assert Point(5, tags={"a": 1}) == Point(x=5, y=2, tags={"a": 1})


@pytest.mark.parametrize("arguments", [{}, {"x": 1, "w": 2}])
def test_missing_and_unknown_arguments_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__"):
        Point(**arguments)  # type: ignore[arg-type]


def test_the_hundredth_value_is_made_like_the_first() -> None:
    @frozen
    class Often:
        x: int
        tags: list[int] = field(default_factory=list)
        y: int = 2

    made = [Often(n, y=n) if n % 2 else Often(x=n) for n in range(100)]
    assert made == [Often(n, [], n if n % 2 else 2) for n in range(100)]
    assert len({id(each.tags) for each in made}) == 100
    for wrong in ((), (1, [], 2, 3)):
        with pytest.raises(TypeError, match=r"Often\.__init__"):
            Often(*wrong)


@pytest.mark.parametrize(
    "arguments",
    [((1,), {"x": 2}), ((1, 2, {}, (), 5), {}), ((), {"y": 1}), ((1, 2, {}), {"zz": 1}), ((1,), {"zz": 1})],
)
def test_what_is_given_twice_or_too_often_or_not_is_refused(arguments: tuple[Any, dict[str, Any]]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__"):
        Point(*arguments[0], **arguments[1])


def test_it_is_frozen_and_has_no_room_for_more() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point\.x cannot be changed"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.y
    assert not hasattr(point, "__dict__")


def test_equality_and_hash_go_by_class_and_compared_fields() -> None:
    assert Point(1, seen=(1,)) == Point(1, seen=(2,))
    assert Point(1) != Point(2)
    assert Point(1) != Deep(1)
    assert hash(Checked(1)) == hash(Checked(1))
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_representation_shows_what_it_was_made_of() -> None:
    assert repr(Deep(1)) == "Deep(x=1, y=2, tags={}, z=3)"


def test_a_derived_value_has_the_fields_of_both_and_cached_properties() -> None:
    deep = Deep(2, z=9)
    assert (deep.x, deep.z) == (2, 9)
    assert deep.area is deep.area
    assert pickle.loads(pickle.dumps(deep)) == deep


def test_a_plain_subclass_keeps_its_own_constructor() -> None:
    @frozen
    class Base:
        x: int

    class Child(Base):
        def __init__(self) -> None:
            super().__init__(7)

    assert [Child().x, Child().x, Base(8).x] == [7, 7, 8]


def test_it_can_be_copied_and_changed() -> None:
    point = Point(1, tags={"a": 1})
    assert copy.deepcopy(point) == point
    assert copy.deepcopy(point).tags is not point.tags
    assert replace(point, y=7) == Point(1, 7, {"a": 1})
    with pytest.raises(TypeError, match="w"):
        replace(point, w=7)


def test_the_constructor_checks_what_the_class_wants_checked() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Checked(-1)


def test_it_can_be_taken_apart_by_match() -> None:
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_dataclasses_takes_it_for_one_of_its_own() -> None:
    point = Deep(1, tags={"a": 1})
    assert dataclasses.is_dataclass(Deep)
    assert [each.name for each in dataclasses.fields(Deep)] == ["x", "y", "tags", "seen", "z"]
    assert dataclasses.replace(point, y=5) == Deep(1, 5, {"a": 1})
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": {"a": 1}, "seen": (), "z": 3}


def test_fields_say_their_defaults() -> None:
    x, y, tags, _ = fields(Point)
    assert (x.made(), y.made(), tags.made()) == (NO_DEFAULT, 2, {})


def test_a_default_that_all_would_share_is_refused() -> None:
    with pytest.raises(TypeError, match="share"):

        @frozen
        class Odd:
            items: list[int] = []  # noqa: RUF012


def test_a_default_that_all_would_share_is_refused_in_a_field_too() -> None:
    with pytest.raises(TypeError, match="share"):

        @frozen
        class Odd:
            items: list[int] = field(default=[])


def test_fields_are_found_behind_a_mixin() -> None:
    class Mixin:
        pass

    @frozen
    class Both(Mixin, Checked):
        high: int = 1

    assert [each.name for each in fields(Both)] == list(Both.__match_args__) == ["low", "high"]
    assert (Both().low, Both(3, 4).high) == (0, 4)


def test_a_class_with_a_constructor_of_its_own_is_changed_through_it() -> None:
    @frozen
    class Whole:
        x: int

        def __init__(self, x: str | int) -> None:
            object.__setattr__(self, "x", int(x))

    assert replace(Whole("3"), x="4").x == 4  # type: ignore[type-var]


def test_threads_that_ask_for_fields_at_once_get_the_same() -> None:
    @frozen
    class Wide:
        x: int = 1
        y: int = 2

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fields(Wide), range(64)))
    assert {tuple(each.name for each in one) for one in found} == {("x", "y")}


def test_what_changes_equals_only_itself() -> None:
    @mutable
    class Pile:
        name: str
        items: list[int] = field(default_factory=list)

    pile = Pile("a")
    pile.items.append(1)
    pile.name = "b"
    assert (pile.name, pile.items, Pile("b").items) == ("b", [1], [])
    assert pile != Pile("b", [1])
    assert pile in {pile}
    assert not hasattr(pile, "__dict__")
