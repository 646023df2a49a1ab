"""Whether the values of parameters fit their JSON schemas. The only module that knows jsonschema.

Nothing is ever fetched: a schema that refers to another document is an error. Regular expressions are
RE2's, so that no value can keep the check busy.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from dagfs.model.dag import Param
from dagfs.model.pattern import BadPattern, check, found_in
from dagfs.model.value import frozen

_LONGEST_SHOWN = 180
_DIGITS = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@frozen
class Violation:
    """A rule that does not hold. `name` is the parameter, or empty for all of them together."""

    name: str
    message: str
    is_missing: bool = False
    """No value was given for it."""
    is_schema: bool = False
    """The schema itself is wrong; no value could help."""


def violations(
    params: Sequence[Param], together: Mapping[str, Any], values: Mapping[str, str]
) -> list[Violation]:
    """Everything that does not fit: each parameter by itself, then all of them as one object."""
    found = list(_missing(params, values))
    described = {**_properties(together), **{param.name: param.schema for param in params if param.schema}}
    typed = {name: as_json(value, described.get(name, {})) for name, value in values.items()}
    absent = {violation.name for violation in found}
    for param in params:
        if not param.schema or param.name not in typed:
            continue
        fits = _against(param.schema, typed[param.name], param.name)
        if param.name in absent or not _was_given(param, values):
            # Without a value only the rules themselves can be wrong.
            fits = (each for each in fits if each.is_schema)
        found += fits
    if together and not found:
        # A value that is not there is no value, so that `required` can say so.
        whole = {
            name: value for name, value in typed.items() if values[name] or name not in _optional(params)
        }
        found += _against(together, whole, "")
    return found


def misfits(schema: Mapping[str, Any], value: Any) -> list[tuple[tuple[str, ...], str]]:
    """What of a value does not fit a schema: where in it, and why in one line."""
    try:
        _Validator.check_schema(schema)
        errors = list(_Validator(schema, registry=Registry()).iter_errors(value))
        return [(tuple(map(str, each.absolute_path)), _short(each.message)) for each in errors]
    except jsonschema.SchemaError as error:
        return [((), f"its schema is wrong: {_short(error.message)}")]
    except Unresolvable as error:
        return [((), f"its schema refers to {error.ref}, which is not in it")]
    except BadPattern as error:
        return [((), f"its schema has a pattern that is none: {error}")]
    except RecursionError:
        return [((), "its schema refers to itself without end")]


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that a schema names for its properties."""
    return {
        name: rules["default"]
        for name, rules in _properties(schema).items()
        if isinstance(rules, Mapping) and "default" in rules
    }


def as_json(text: str, schema: Mapping[str, Any]) -> Any:
    """The text as the first of the schema's types that it can be; itself where it can be none."""
    types = schema.get("type", "string") if isinstance(schema, Mapping) else "string"
    for type_ in [types] if isinstance(types, str) else types:
        try:
            return _READ[type_](text)
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
            continue
    return text


def _integer(text: str) -> int:
    number = _number(text)
    if number != int(number):
        raise ValueError(text)
    return int(text) if _DIGITS.fullmatch(text.strip()) else int(number)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.strip().lower()]


def _of_kind(kind: type) -> Any:
    def read(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)
        return value

    return read


_READ = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _of_kind(list),
    "object": _of_kind(dict),
    "null": lambda text: {"": None, "null": None}[text],
}


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _missing(params: Sequence[Param], values: Mapping[str, str]) -> Iterator[Violation]:
    for param in params:
        if param.required and not values.get(param.name):
            yield Violation(param.name, "is required and has no value", is_missing=True)


def _was_given(param: Param, values: Mapping[str, str]) -> bool:
    """An optional parameter without a default may stay empty, whatever its type."""
    return bool(values.get(param.name)) or bool(param.value) or bool(param.eval)


def _optional(params: Sequence[Param]) -> frozenset[str]:
    return frozenset(param.name for param in params if not param.value and not param.eval)


def _against(schema: Mapping[str, Any], value: Any, name: str) -> Iterator[Violation]:
    try:
        _Validator.check_schema(schema)
        for error in _Validator(schema, registry=Registry()).iter_errors(value):
            place = name or (str(error.absolute_path[0]) if error.absolute_path else "")
            yield Violation(place, _in_words(error), is_missing=error.validator == "required")
    except jsonschema.SchemaError as error:
        yield Violation(name, f"its schema is wrong: {_short(error.message)}", is_schema=True)
    except Unresolvable as error:
        yield Violation(name, f"its schema refers to {error.ref}, which is not in it", is_schema=True)
    except BadPattern as error:
        yield Violation(name, f"its schema has a pattern that is none: {error}", is_schema=True)
    except RecursionError:
        yield Violation(name, "its schema refers to itself without end", is_schema=True)


def _pattern(_: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    check(pattern)
    if isinstance(value, str) and not found_in(pattern, value):
        yield jsonschema.ValidationError("does not fit the pattern")


def _pattern_properties(
    validator: Any,
    patterns: Mapping[str, Any],
    value: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[jsonschema.ValidationError]:
    for pattern, rules in patterns.items():
        for key in value if isinstance(value, dict) else ():
            if found_in(pattern, key):
                yield from validator.descend(value[key], rules, path=key, schema_path=pattern)


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
)
_SAID = {
    "type": "{value} is not {article} {rule}",
    "enum": "{value} is not one of {rule}",
    "const": "{value} is not {rule}",
    "minimum": "{value} is less than the minimum of {rule}",
    "maximum": "{value} is more than the maximum of {rule}",
    "exclusiveMinimum": "{value} is not more than {rule}",
    "exclusiveMaximum": "{value} is not less than {rule}",
    "multipleOf": "{value} is not a multiple of {rule}",
    "minLength": "{value} is shorter than {rule} characters",
    "maxLength": "{value} is longer than {rule} characters",
    "pattern": "{value} does not fit the pattern {rule}",
}


def _in_words(error: jsonschema.ValidationError) -> str:
    inner = ".".join(str(part) for part in list(error.absolute_path)[1:])
    pattern = _SAID.get(str(error.validator))
    if pattern is None:
        return _short(error.message)
    said: Any = error.validator_value
    words = [said] if isinstance(said, str) else said
    rule = " or ".join(map(str, words)) if error.validator == "type" else _rule(said)
    article = "an" if rule[:1] in "aeiou" else "a"
    told = pattern.format(value=_short(_text(error.instance)), rule=rule, article=article)
    return f"{told} (at {inner})" if inner else told


def _rule(value: Any) -> str:
    return _short(", ".join(map(_text, value))) if isinstance(value, list) else _short(_text(value))


def _text(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
