"""Frozen values whose classes cost little to make.

`@frozen` means `@dataclass(frozen=True, slots=True)`; but a constructor is compiled only where it is called
often, and the other methods are shared. A command loads some 130 such classes and calls perhaps 40: compiling
all their methods was half of its time. For type checkers, and for `dataclasses` (`fields`, `replace`,
`asdict`), a value is a dataclass.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import field, replace

__all__ = ["NO_DEFAULT", "Field", "field", "fields", "frozen", "mutable", "replace"]

V = TypeVar("V")

NO_DEFAULT: Final[Any] = object()
_NOT_GIVEN: Final[Any] = object()
_OFTEN: Final = 40
"""Calls that take as long as compiling a constructor of the usual size, and then calling that."""
_set = object.__setattr__


class Field(NamedTuple):
    """One field of a value."""

    name: str = ""
    type: str = ""
    default: Any = NO_DEFAULT
    default_factory: Callable[[], Any] | None = None
    repr: bool = True
    compare: bool = True

    def made(self) -> Any:
        """Its default, or NO_DEFAULT."""
        return self.default_factory() if self.default_factory else self.default


if not TYPE_CHECKING:

    def field(*, default=NO_DEFAULT, default_factory=None, repr=True, compare=True):  # noqa: A002
        """A field of which more is to be said than its default."""
        return Field("", "", default, default_factory, repr, compare)

    def replace(old, /, **changes):
        """A copy with some fields changed."""
        cls = type(old)
        names = cls.__match_args__
        is_plain = cls.__init__.__module__ == __name__ and not hasattr(cls, "__post_init__")
        if not is_plain or any(name not in names for name in changes):
            return cls(**{**{name: getattr(old, name) for name in names}, **changes})
        new = object.__new__(cls)
        for name in names:
            _set(new, name, changes[name] if name in changes else getattr(old, name))
        return new


def fields(cls: type) -> tuple[Field, ...]:
    """The fields of a class of values, in order of definition."""
    found: tuple[Field, ...] = cls.__value_fields__  # type: ignore[attr-defined]
    return found


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[V]) -> type[V]:
    """Make a class one of frozen values; its cached properties are kept beside the fields.

    Every annotated name is a field: there are no ClassVar, InitVar and KW_ONLY.
    """
    return _remade(cls, _FROZEN)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def mutable(cls: type[V]) -> type[V]:
    """Give a class fields and a constructor: for what changes, and equals only itself."""
    return _remade(cls, {})


def _remade(cls: type[V], methods: dict[str, Any]) -> type[V]:
    own = tuple(vars(cls).get("__annotations__", ()))
    body = {**_LENT, **methods, "__qualname__": cls.__qualname__, **vars(cls)}
    said = {name: body.pop(name) for name in own if name in body}
    for name, value in said.items():
        if type(value.default if isinstance(value, Field) else value).__hash__ is None:
            raise TypeError(f"{cls.__name__}.{name}: all would share this default; use default_factory")
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    cached = any(isinstance(each, cached_property) for each in body.values())
    body["__slots__"] = [*own, "__dict__"] if cached else own
    body["__match_args__"] = (*getattr(cls, "__match_args__", ()), *own)
    body["__value_fields__"] = _Later("__value_fields__", lambda made: _fields(made, own, said))
    body["__value_content__"] = _Later("__value_content__", _content)
    maker: Any = type(cls)
    made: Any = maker(cls.__name__, cls.__bases__, body)
    if "__init__" not in body:
        made.__init__ = _compiled_when_called_often(made)
    return made  # type: ignore[no-any-return]


class _Later:
    """An attribute of a class that is worked out when somebody wants it."""

    def __init__(self, name: str, find: Callable[[Any], Any]) -> None:
        self._name, self._find = name, find

    def __get__(self, _: object, cls: type) -> Any:
        # Not of a plain subclass: it stands on the class that was made.
        owner = next((each for each in cls.__mro__ if vars(each).get(self._name) is self), None)
        if owner is not None:
            setattr(owner, self._name, self._find(owner))
        # Else another thread was faster.
        return getattr(cls, self._name)


def _fields(cls: type, own: tuple[str, ...], said: dict[str, Any]) -> tuple[Field, ...]:
    notes = cls.__annotations__
    new = (_field(name, notes[name], said.get(name, NO_DEFAULT)) for name in own)
    before = next((each for each in cls.__mro__[1:] if "__value_fields__" in vars(each)), None)
    return (*(fields(before) if before else ()), *new)


def _field(name: str, text: str, said: Any) -> Field:
    return said._replace(name=name, type=text) if isinstance(said, Field) else Field(name, text, said)


def _content(cls: type) -> Any:
    """What a value is compared by, as a function of it."""
    compared = tuple(each.name for each in fields(cls) if each.compare)
    return staticmethod(attrgetter(*compared) if compared else type)


def _compiled_when_called_often(cls: Any) -> Callable[..., None]:
    calls = 0

    def __init__(self: Any, *args: Any, **given: Any) -> None:  # noqa: N807
        nonlocal calls
        calls += 1
        values = _values(cls, args, given) if calls < _OFTEN else None
        if values is None:
            # It is called often; or wrongly, and says so itself.
            cls.__init__ = _constructor(cls)
            cls.__init__(self, *args, **given)
            return
        for name, value in values.items():
            _set(self, name, value)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _values(cls: Any, args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any] | None:
    """The values of all fields; None where what is given is too much or too little."""
    names: tuple[str, ...] = cls.__match_args__
    if len(args) > len(names) or any(name not in names for name in given):
        return None
    values = {**dict(zip(names, args, strict=False)), **given}
    if len(values) != len(args) + len(given):
        return None
    if len(values) < len(names):
        for each in fields(cls):
            if each.name not in values:
                values[each.name] = each.made()
    is_whole = len(values) == len(names) and all(value is not NO_DEFAULT for value in values.values())
    return values if is_whole else None


def _constructor(cls: type) -> Callable[..., None]:
    known: dict[str, Any] = {"__name__": __name__, "__dagfs_set": _set, "__dagfs_none": _NOT_GIVEN}
    wanted, lines = ["self"], []
    for name, _, default, factory, *_ in fields(cls):
        known[f"_{name}"] = factory or default
        if factory:
            wanted.append(f"{name}=__dagfs_none")
            lines.append(f"__dagfs_set(self, {name!r}, _{name}() if {name} is __dagfs_none else {name})")
        else:
            wanted.append(name if default is NO_DEFAULT else f"{name}=_{name}")
            lines.append(f"__dagfs_set(self, {name!r}, {name})")
    lines.append("self.__post_init__()" if hasattr(cls, "__post_init__") else "return")
    made: dict[str, Callable[..., None]] = {}
    exec(f"def __init__({', '.join(wanted)}):\n " + "\n ".join(lines), known, made)
    made["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return made["__init__"]


def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(type(self)) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return self.__value_content__(self) == self.__value_content__(other)


def _hash(self: Any) -> int:
    return hash(self.__value_content__(self))


def _reduce(self: Any) -> tuple[Any, ...]:
    """For pickle and copy, which would set fields."""
    return type(self), tuple(getattr(self, name) for name in type(self).__match_args__)


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise AttributeError(f"{type(self).__qualname__}.{name} cannot be changed: it is a frozen value")


class _Lent:
    """What `dataclasses` looks for on a class, made when it looks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: object, cls: type) -> Any:
        # By name: it takes longer to load than this and all of the model.
        library = importlib.import_module("dataclasses")
        specs = []
        for each in fields(cls):
            told: dict[str, Any] = {"repr": each.repr, "compare": each.compare}
            if each.default_factory:
                told["default_factory"] = each.default_factory
            elif each.default is not NO_DEFAULT:
                told["default"] = each.default
            specs.append((each.name, each.type, library.field(**told)))
        return getattr(library.make_dataclass(cls.__name__, specs, frozen=True), self._name)


_LENT: Final[dict[str, Any]] = {
    name: _Lent(name) for name in ("__dataclass_fields__", "__dataclass_params__")
}
_FROZEN: Final[dict[str, Any]] = {
    "__repr__": _repr,
    "__eq__": _equal,
    "__hash__": _hash,
    "__reduce__": _reduce,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
