"""What `$NAME` and `${…}` become: expansion of data, rewriting of commands, params, env and dotenv.

Everything is done in one pass: a value that was put in is never looked at again. Backquotes and `$(…)`
in data are text; only a shell that runs a step ever executes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dagfs.errors import Problem, SpecError
from dagfs.model.dag import Param, Variable
from dagfs.model.reference import PATTERN, Reference, references
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
    "evaluate_env",
    "evaluate_params",
    "expand",
    "exportable",
    "is_posix_shell",
    "parse_assignments",
    "parse_dotenv",
    "rewrite_other",
    "rewrite_shell",
]

_HARMLESS = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_DEFAULT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:?)-([^{}]*)\}")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)=(.*)", re.DOTALL)


def expand(text: str, scope: Scope, *, keep_unknown: bool = True) -> str:
    """The text with known references replaced by their values, for fields no shell reads.

    `${X:-word}` gives `word` where X is unknown or empty. `\\$X` is the text `$X`. Unknown references
    stay as they are, or become empty.
    """
    if "$" not in text:
        return text
    out: list[str] = []
    place = 0
    while (dollar := text.find("$", place)) >= 0:
        found = PATTERN.match(text, dollar)
        default = None if found else _DEFAULT.match(text, dollar)
        whole = found or default
        if whole is None:
            out.append(text[place : dollar + 1])
            place = dollar + 1
            continue
        escaped = dollar > place and text[dollar - 1] == "\\"
        out.append(text[place : dollar - 1 if escaped else dollar])
        if escaped:
            out.append(whole[0])
        elif default:
            out.append(_or_default(default, scope, keep_unknown))
        else:
            out.append(_known(whole[0], scope, keep_unknown))
        place = whole.end()
    return "".join(out) + text[place:]


def _known(said: str, scope: Scope, keep_unknown: bool) -> str:
    value = scope.find(next(references(said)))
    if value is None:
        # `${X-word}` looks like a name with a dash; where nothing has that name, it is X and a default.
        default = _DEFAULT.fullmatch(said)
        value = scope.variables.get(default[1]) if default else None
    return (said if keep_unknown else "") if value is None else value


def _or_default(found: re.Match[str], scope: Scope, keep_unknown: bool) -> str:
    value = scope.variables.get(found[1])
    if value is None or (found[2] and not value):
        return expand(found[3], scope, keep_unknown=keep_unknown)
    return value


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


# -- params and env ------------------------------------------------------------------------------


def parse_assignments(args: Sequence[str]) -> list[tuple[str, str]]:
    """`K=v` by name, anything else by its place among all (`1`, `2`, …)."""
    found = []
    for place, arg in enumerate(args, 1):
        named = _ASSIGNMENT.fullmatch(arg)
        found.append((named[1], named[2]) if named else (str(place), arg))
    return found


def evaluate_params(
    declared: Sequence[Param],
    overrides: Sequence[tuple[str, str]],
    scope: Scope,
    *,
    keep_unknown: bool = False,
) -> dict[str, str]:
    """Every parameter's value, in order; each default may use the ones before it.

    Overrides are data: nothing in them is expanded. A number names the parameter in that place, even
    one with a name; names and places that are not declared are appended.
    """
    names = {param.name for param in declared}
    given: dict[str, str] = {}
    for name, value in overrides:
        place = int(name) if name.isascii() and name.isdigit() else 0
        at_place = name not in names and 0 < place <= len(declared)
        given[declared[place - 1].name if at_place else name] = value
    variables = dict(scope.variables)
    layer = replace(scope, variables=variables)
    found: dict[str, str] = {}
    for param in declared:
        if param.name in given:
            value = given[param.name]
        else:
            value = expand(param.value, layer, keep_unknown=keep_unknown)
        found[param.name] = variables[param.name] = value
    return {**found, **{name: value for name, value in given.items() if name not in found}}


def evaluate_env(entries: Iterable[Variable], scope: Scope, *, keep_unknown: bool = False) -> dict[str, str]:
    """Every entry's value, in order; each may use the ones before it, and its own name's outer value."""
    variables = dict(scope.variables)
    layer = replace(scope, variables=variables)
    found: dict[str, str] = {}
    for entry in entries:
        value = expand(entry.value, layer, keep_unknown=keep_unknown)
        found[entry.name] = variables[entry.name] = value
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
