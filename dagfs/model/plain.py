"""Frozen values that can be written as JSON objects and read back, and places in a file.

`as_data` and `from_data` turn values into what JSON can hold and back; fields at their default are
left out, so that a field added in a later version changes neither old records nor old fingerprints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from dagfs.model.value import fields, frozen

Data = dict[str, Any]
"""A JSON object."""


_DEFAULTS: dict[Any, tuple[tuple[str, object], ...]] = {}


def _defaults(cls: Any) -> tuple[tuple[str, object], ...]:
    """Each compared field's name and default, in order of definition."""
    if cls not in _DEFAULTS:
        _DEFAULTS[cls] = tuple((each.name, each.made()) for each in fields(cls) if each.compare)
    return _DEFAULTS[cls]


def _plain(value: object) -> object:
    if isinstance(value, Plain):
        return value.as_data()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


class Plain:
    """A frozen value that can be written as a JSON object and read back."""

    __slots__ = ()

    def as_data(self) -> Data:
        """The fields that differ from their defaults."""
        return {
            name: _plain(value)
            for name, default in _defaults(type(self))
            if (value := getattr(self, name)) != default
        }

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """Read back what `as_data` wrote; unknown keys are left for newer versions."""
        known = {name for name, _ in _defaults(cls)}
        return cls(**{key: cls._field(key, value) for key, value in data.items() if key in known})

    @classmethod
    def _field(cls, key: str, value: Any) -> Any:
        """One field from its JSON form; classes with nested values override this."""
        return tuples(value) if isinstance(value, list) else value


def tuples(value: list[Any]) -> tuple[Any, ...]:
    """A list from JSON as the tuple it was, at every depth."""
    return tuple(tuples(item) if isinstance(item, list) else item for item in value)


@frozen
class Mark:
    """Where in a file something stands; lines and columns count from 1."""

    line: int
    column: int = 1
