"""Every key that the parser knows can be explained, and nothing else is."""

import pytest

from dagfs.model.dag import HANDLER_EVENTS
from dagfs.spec import keys
from dagfs.spec.fields import PLACES, Place
from dagfs.spec.keys import Keys
from dagfs.spec.schema import SHAPES


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path or "dag")
def test_every_key_has_its_row(place: Place) -> None:
    table = place.table
    assert set(place.fields) == {*table.used.split(), *table.unused.split()}
    assert all(each.doc and each.shape in SHAPES for each in place.fields.values())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path or "dag")
def test_what_is_used_says_what_it_takes(place: Place) -> None:
    assert [name for name in place.table.used.split() if place.fields[name].shape == "any"] == []


def test_every_table_of_keys_has_its_place() -> None:
    tables = [each for each in vars(keys).values() if isinstance(each, Keys)]
    assert all(any(place.table is table for place in PLACES) for table in tables)
    assert set(HANDLER_EVENTS) <= set(next(place for place in PLACES if place.path == "handler_on").fields)
