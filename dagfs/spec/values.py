"""What `$NAME` and `${…}` become: expansion of data, rewriting of commands, dotenv.

Everything is done in one pass: a value that was put in is never looked at again. Backquotes and `$(…)`
in data are text; only a shell that runs a step ever executes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from dagfs.errors import Problem, SpecError
from dagfs.model.reference import PATTERN, Reference, references
from dagfs.spec.posix import expansion_at
from dagfs.spec.scope import Scope, StepRef
from dagfs.spec.shelltext import (
    TOO_LONG,
    ValueRefused,
    check_value,
    exportable,
    is_posix_shell,
    rewrite_shell,
)

__all__ = [
    "TOO_LONG",
    "Scope",
    "StepRef",
    "ValueRefused",
    "check_value",
    "expand",
    "exportable",
    "is_posix_shell",
    "parse_assignments",
    "parse_dotenv",
    "rewrite_other",
    "rewrite_shell",
]

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)=(.*)", re.DOTALL)
_HARMLESS = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def expand(
    text: str, scope: Scope, *, keep_unknown: bool = True, quote: bool = False, escapes: bool = True
) -> str:
    """The text with known references replaced by their values, for fields no shell reads.

    `${X:-word}` gives `word` where X is unknown or empty; the other expansions of POSIX work too.
    `\\$X` is the text `$X`, or without `escapes` stays as it is. Unknown references stay as they are, or
    become empty. With `quote` a reference that stands alone in double quotes becomes a quoted text, as in
    a JSON document.
    Raises Unset for `${X:?word}`.
    """
    if "$" not in text:
        return text
    out: list[str] = []
    place = 0
    while (dollar := text.find("$", place)) >= 0:
        found = _at(text, dollar, scope, keep_unknown)
        escaped = dollar > place and text[dollar - 1] == "\\"
        if found is None:
            out.append(text[place : dollar + 1])
            place = dollar + 1
            continue
        value, end = found
        out.append(text[place : dollar - 1 if escaped and escapes else dollar])
        if quote and not escaped and text[dollar - 1 : dollar] == text[end : end + 1] == '"':
            value = json.dumps(value, ensure_ascii=False)[1:-1]
        out.append(text[dollar:end] if escaped else value)
        place = end
    return "".join(out) + text[place:]


def _at(text: str, dollar: int, scope: Scope, keep_unknown: bool) -> tuple[str, int] | None:
    """What stands at this place and where it ends; None where it is no reference."""

    def again(word: str) -> str:
        return expand(word, scope, keep_unknown=keep_unknown)

    found = PATTERN.match(text, dollar)
    value = scope.find(next(references(found[0]))) if found else None
    end = found.end() if found else 0
    expansion = expansion_at(text, dollar) if value is None else None
    # `${X-word}` looks like a name with a dash; where nothing has that name, it is X and a default.
    if expansion and (not found or expansion.name in scope.variables):
        value, end = expansion.value(scope.variables.get(expansion.name), again), expansion.end
    if not end:
        return None
    unknown = text[dollar:end] if keep_unknown else ""
    return (unknown if value is None else value), end


def rewrite_other(text: str, scope: Scope) -> str:
    """The text for an interpreter whose quoting is not known: only harmless values are put in.

    Raises ValueRefused for a value with any other character; the message names what to use instead.
    """
    out: list[str] = []
    place = 0
    for reference in references(text):
        if reference.start and text[reference.start - 1] == "\\":
            continue
        value = scope.find(reference)
        if value is None:
            continue
        if not _HARMLESS.fullmatch(value):
            raise _not_harmless(reference)
        out += [text[place : reference.start], value]
        place = reference.end
    return "".join(out) + text[place:]


def _not_harmless(reference: Reference) -> ValueRefused:
    if not reference.path and exportable(reference.name):
        hint = f"read the environment variable {reference.name} in the script instead"
    else:
        hint = f"set it under env: (NAME: {reference.text}), and read NAME from the environment"
    said = f"the value of {reference.text} holds characters that cannot be put into this script's text"
    return ValueRefused(said, hint=hint)


def parse_assignments(args: Sequence[str]) -> list[tuple[str, str]]:
    """`K=v` by name, anything else by its place among all (`1`, `2`, …)."""
    found = []
    for place, arg in enumerate(args, 1):
        named = _ASSIGNMENT.fullmatch(arg)
        found.append((named[1], named[2]) if named else (str(place), arg))
    return found


# -- dotenv --------------------------------------------------------------------------------------

_DOTENV = re.compile(
    r"""
    [ \t]* (?:export[ \t]+)? (?P<name>[A-Za-z_][A-Za-z0-9_]*) [ \t]* = [ \t]*
    (?: "(?P<double>(?:[^"\\]|\\.)*)" [ \t]*(?:\#[^\n]*)?
      | '(?P<single>[^']*)' [ \t]*(?:\#[^\n]*)?
      | (?P<bare>(?!["'])[^\n]*) )
    (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str, file: str) -> dict[str, str]:
    """`NAME=value` lines. Single quotes keep all, double quotes know escapes; the last of a name wins.

    `${NAME}` of an earlier line is replaced outside single quotes. Raises SpecError naming every bad line.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    problems: list[Problem] = []
    place, line = 0, 1
    while place < len(text):
        entry = _DOTENV.match(text, place)
        if entry:
            found[entry["name"]] = _dotenv_value(entry, found)
        skipped = entry or _BLANK.match(text, place)
        end = skipped.end() if skipped else text.find("\n", place) + 1 or len(text)
        if skipped is None:
            source = text[place:end].rstrip("\n")
            problems.append(Problem(file, line, 1, "not NAME=value", "quote values on both ends", source))
        line += text.count("\n", place, end)
        place = end
    if problems:
        raise SpecError(problems)
    return found


def _dotenv_value(entry: re.Match[str], earlier: dict[str, str]) -> str:
    if entry["single"] is not None:
        return entry["single"]
    if entry["double"] is None:
        return expand(re.split(r"(?:^|[ \t])#", entry["bare"], maxsplit=1)[0].strip(), Scope(earlier))
    parts = re.split(r"(\\.)", entry["double"], flags=re.DOTALL)
    return "".join(_unescaped(part, earlier) for part in parts)


def _unescaped(part: str, earlier: dict[str, str]) -> str:
    if part[:1] == "\\":
        return _ESCAPES.get(part[1], part[1] if part[1] in "\"\\$`'\n" else part)
    return expand(part, Scope(earlier))
