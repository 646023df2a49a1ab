"""The settings an executor knows, as a table: checked, read and documented from the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagfs.model.spelling import get_close_matches
from dagfs.model.value import frozen

TEXT, FLAG, NUMBER, WORDS, TABLE, ANY = "text", "true or false", "number", "texts", "map", "anything"


@frozen
class Option:
    """One setting. Its name is snake_case; a spec may write it in camelCase or any case as well."""

    name: str
    kind: str
    """One of the constants above."""
    doc: str
    default: Any = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """What it takes, in words."""
        return " or ".join(f"`{each}`" for each in self.choices) or self.kind


class NoUse(str):
    """Says that a step has a field that its executor has no use for.

    That alone is an error in files of Dagu 1, which looks at settings only when it runs the step.
    """


class Options:
    """All settings of one executor."""

    def __init__(self, owner: str, *rows: Option) -> None:
        """`owner` is the executor's name, as messages use it."""
        self.owner, self.rows = owner, rows
        self._known = {_folded(name): row for row in rows for name in (row.name, *row.aliases)}

    def wrong(self, config: Mapping[str, Any]) -> list[str]:
        """What is wrong with settings as a spec has them, each as one line.

        A text that holds a `$` may still become anything, so only its name is looked at.
        """
        found, named = [], dict[str, str]()
        for key, value in config.items():
            row = self._known.get(_folded(key))
            if row is None:
                found.append(self._unknown(key))
            elif row.name in named:
                found.append(f"{key} says the same as {named[row.name]}")
            elif message := "" if isinstance(value, str) and "$" in value else _misfit(row, value):
                found.append(f"{key} {message}")
            if row is not None:
                named.setdefault(row.name, key)
        return found

    def read(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Every setting by its own name, at its default where nothing is said; others are passed over.

        Raises ValueError with everything that is wrong.
        """
        found = {row.name: row.default for row in self.rows}
        wrong = []
        for key, value in config.items():
            row = self._known.get(_folded(key))
            if row is None:
                continue
            if message := _misfit(row, value):
                wrong.append(f"{key} {message}")
            elif value is not None:
                found[row.name] = _READ[row.kind](value)
        if wrong:
            raise ValueError("; ".join(wrong))
        return found

    def _unknown(self, key: str) -> str:
        near = get_close_matches(_folded(key), self._known, 1)
        hint = f"; did you mean {self._known[near[0]].name!r}?" if near else ""
        return f"the {self.owner} executor has no setting {key!r}{hint}"


def _folded(key: str) -> str:
    return str(key).replace("_", "").replace("-", "").lower()


def _misfit(row: Option, value: Any) -> str:
    """Why a value does not fit, or `""`."""
    if value is None:
        return ""
    try:
        read = _READ[row.kind](value)
    except (TypeError, ValueError):
        return f"must be {_NEEDS[row.kind]}, not {_short(value)}"
    if row.choices and read not in row.choices:
        near = get_close_matches(str(read), row.choices, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"must be {', '.join(row.choices[:-1])} or {row.choices[-1]}, not {_short(value)}{hint}"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    raise TypeError


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError
    return int(number) if number == int(number) else number


def _words(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list | tuple) else [_text(value)]


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {str(key): item for key, item in value.items()}


def _any(value: Any) -> Any:
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    TEXT: _text,
    FLAG: _flag,
    NUMBER: _number,
    WORDS: _words,
    TABLE: _table,
    ANY: _any,
}
_NEEDS: Mapping[str, str] = {
    TEXT: "a text",
    FLAG: "true or false",
    NUMBER: "a number from 0",
    WORDS: "a text or a list of texts",
    TABLE: "a map",
    ANY: "anything",
}


def refused(owner: str, **fields: Sequence[Any] | bool) -> list[NoUse]:
    """One line for each of the named fields of a step that this executor has no use for but that is set."""
    return [NoUse(f"the {owner} executor has no use for `{name}`") for name, value in fields.items() if value]
