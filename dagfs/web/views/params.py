"""The form that a DAG's parameters make, and what was filled in as parameters of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dagfs.model.dag import Param
from dagfs.planning.items import as_text

_TRUE, _FALSE = "true", "false"
_LONG = 80
"""A default of more characters, or of several lines, gets a field of several lines."""
PREFIX = "param."
"""What names of such fields begin with; the rest is the parameter's."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as a field. `value` is what stands in it."""

    name: str
    value: str
    kind: str = "text"
    """`text`, `number`, `lines`, `choice` or `check`."""
    type: str = "string"
    description: str = ""
    rules: str = ""
    """What its value must be, in words."""
    choices: tuple[str, ...] = ()
    required: bool = False
    default: str = ""
    """The default as the spec has it."""
    is_computed: bool = False
    """The default is known only when a run begins: the field is empty, and left so stands for it."""
    error: str = ""

    @property
    def label(self) -> str:
        return f"parameter {self.name}" if self.name.isdecimal() else self.name


def field_of(param: Param) -> Field:
    """A parameter's field, filled in with its default."""
    schema = param.schema
    type_ = _type(schema)
    computed = bool(param.eval) or bool(set("$`") & set(param.value))
    default = param.eval or param.value
    value = "" if computed else param.value
    choices = tuple(as_text(each) for each in schema.get("enum", ()))
    kind = "number" if type_ in ("integer", "number") else "text"
    if type_ in ("array", "object") or "\n" in value or len(value) > _LONG:
        kind = "lines"
    if type_ == "boolean" and not computed and value in (_TRUE, _FALSE):
        kind = "check"
    elif type_ == "boolean" and not choices:
        kind, choices = "choice", (_TRUE, _FALSE)
    elif choices:
        kind = "choice"
    return Field(
        param.name,
        value,
        kind,
        type_,
        param.description,
        _rules(schema),
        choices,
        param.required,
        default,
        computed,
    )


def _type(schema: Mapping[str, Any]) -> str:
    said = schema.get("type", "string")
    return said if isinstance(said, str) else " or ".join(map(str, said))


def _rules(schema: Mapping[str, Any]) -> str:
    words = []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words.append(f"{low} to {high}")
    elif low is not None or high is not None:
        words.append(f"at least {low}" if low is not None else f"at most {high}")
    short, long = schema.get("minLength"), schema.get("maxLength")
    if short is not None and long is not None:
        words.append(f"{short} to {long} characters")
    elif short is not None or long is not None:
        words.append(f"at least {short} characters" if short is not None else f"at most {long} characters")
    if schema.get("pattern"):
        words.append(f"fits {schema['pattern']}")
    return ", ".join(words)


# -- what was filled in --------------------------------------------------------------------------


def filled(fields: Sequence[Field], form: Mapping[str, str]) -> list[Field]:
    """The fields with what a visitor has put into them."""
    return [replace(each, value=_said(each, form)) for each in fields]


def _said(field: Field, form: Mapping[str, str]) -> str:
    if field.kind == "check":
        return _TRUE if PREFIX + field.name in form else _FALSE
    # A browser sends the ends of lines as the oldest of networks did.
    return form.get(PREFIX + field.name, "").replace("\r\n", "\n")


def asked(fields: Sequence[Field], query: Mapping[str, str]) -> list[Field]:
    """The fields as an address fills them in: those that it names."""
    return [
        replace(each, value=query[PREFIX + each.name]) if PREFIX + each.name in query else each
        for each in fields
    ]


def given(fields: Sequence[Field]) -> dict[str, str]:
    """What a run is to be given: only what is not the default anyway, for that may be computed."""
    return {each.name: each.value for each in fields if _is_given(each)} | _before(fields)


def _is_given(field: Field) -> bool:
    if field.value == "" and (field.is_computed or field.kind in ("number", "choice", "lines")):
        return False
    return field.value != (field.default if not field.is_computed else "")


def _before(fields: Sequence[Field]) -> dict[str, str]:
    """Positional parameters are given by their place: those before one that is given as well."""
    placed = [each for each in fields if each.name.isdecimal()]
    last = max((place for place, each in enumerate(placed) if _is_given(each)), default=-1)
    return {each.name: each.value for each in placed[: last + 1]}


def with_errors(fields: Iterable[Field], errors: Mapping[str, str]) -> list[Field]:
    """The fields with what is wrong with each; a required one without a value among them."""
    found = []
    for each in fields:
        missing = "a value is needed" if each.required and not each.value else ""
        found.append(replace(each, error=missing or errors.get(each.name, "")))
    return found


def more_params(text: str) -> tuple[dict[str, str], str]:
    """Further parameters, `NAME=value` a line, and what is wrong with them."""
    found: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        name, mark, value = line.partition("=")
        if not line.strip():
            continue
        if not (name.strip() and mark):
            return found, f"expected NAME=value in each line, not {line.strip()[:60]!r}"
        found[name.strip()] = value
    return found, ""
