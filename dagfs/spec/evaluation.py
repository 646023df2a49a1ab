"""What `params:` and `env:` come to when an attempt begins.

An author may have commands in them: in backquotes in Dagu 1, in a parameter's `eval:` in Dagu 2. They
are found in the text of the spec alone. A value, wherever it comes from, is put in as it is and never
looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dagfs.errors import DagfsError
from dagfs.model.dag import Param, Step, Variable
from dagfs.model.excerpt import one_line
from dagfs.model.value import frozen, replace
from dagfs.spec.posix import Unset
from dagfs.spec.shelltext import ValueRefused, rewrite_shell, substitutions
from dagfs.spec.values import Scope, expand

Command = Callable[[str, Mapping[str, str], Mapping[str, str]], str]
"""Runs a shell text with these variables, known ones and added ones, and gives what it printed."""

_BACKQUOTED = re.compile(r"(?<!\\)`([^`]*)`")
_END = "DAGFS_END_OF_TEXT"


class CommandFailed(DagfsError):
    """A command in a value did not end with 0, or not in time; `why` is what is said behind its text."""

    def __init__(self, message: str, *, hint: str | None = None, why: str = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why


class Unevaluable(DagfsError):
    """An entry of `env` or `params` that comes to nothing; `path` is where it stands (`env.NAME`)."""

    def __init__(self, path: str, error: DagfsError) -> None:
        super().__init__(error.message, hint=error.hint)
        self.path = path


@frozen
class Evaluator:
    """How the texts of one dialect are read."""

    run: Command | None = None
    """None leaves commands as they are."""
    backquotes: bool = False
    """Commands in backquotes are run wherever they stand (Dagu 1); else only those of `eval:`."""
    keep_unknown: bool = False
    """References that nothing has the name of stay as text (Dagu 2); else they become empty."""
    printed: Mapping[str, str] | None = None
    """What the commands printed when they were run before, by their text; others stay as they are."""

    def text(self, text: str, scope: Scope) -> str:
        """One text of the author. CommandFailed, ValueRefused, Unset."""
        if not self.backquotes or "`" not in text or (self.run is None and self.printed is None):
            return self._data(text, scope)
        parts = _BACKQUOTED.split(text)
        # Every second part stood in backquotes.
        pieces = [
            self._command(part, scope) if n % 2 else self._data(part, scope) for n, part in enumerate(parts)
        ]
        return "".join(pieces)

    def evaluated(self, text: str, scope: Scope) -> str:
        """A text whose backquotes and `$(…)` are run by a shell: that of `eval:`."""
        try:
            return self._command(here_document(text), scope)
        except CommandFailed as error:
            # What was run is not quite what the author wrote.
            said = f"the command {one_line(text, 60)!r} {error.why}" if error.why else error.message
            raise CommandFailed(said, hint=error.hint) from error

    def _data(self, text: str, scope: Scope) -> str:
        return expand(text, scope, keep_unknown=self.keep_unknown, quote=self.backquotes)

    def _command(self, text: str, scope: Scope) -> str:
        if self.printed is not None:
            return self.printed.get(text, f"`{text}`")
        if self.run is None:
            return text
        # No name counts as exported: each reference becomes a variable with the value that holds here.
        rewritten, extra = rewrite_shell(text, scope, ())
        return self.run(rewritten, scope.variables, extra).strip()


def here_document(text: str) -> str:
    """Shell text that prints `text` with its commands and variables expanded, and no quote read.

    It ends with the first of its commands that fails: a here-document alone would hide that.
    """
    first, rest, place = "", "", 0
    for number, (start, stop) in enumerate(substitutions(text), 1):
        first += f'DAGFS_C{number}="{text[start:stop]}" || exit\n'
        rest += f"{text[place:start]}${{DAGFS_C{number}}}"
        place = stop
    rest += text[place:]
    end = _END
    while end in rest:
        end += "_"
    return f"{first}cat <<{end}\n{rest}\n{end}\n"


def embedding_texts(step: Step) -> Iterator[str]:
    """The texts of a step in which Dagu 1 runs commands in backquotes before the step begins."""
    yield from (entry.value for entry in step.env)
    yield from texts_in(step.executor.config)


def texts_in(value: object) -> Iterator[str]:
    """Every text in plain data, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def commands_in(texts: Iterable[str]) -> list[str]:
    """The commands in backquotes of these texts of Dagu 1, each once."""
    found = (command for text in texts if "`" in text for command in _BACKQUOTED.findall(text))
    return list(dict.fromkeys(found))


def by_name(
    declared: Sequence[Param], overrides: Sequence[tuple[str, str]], *, places: bool = True
) -> dict[str, str]:
    """Given values by the parameter they are for.

    With `places` a number names the parameter in that place, also a named one (Dagu 2).
    """
    names = {param.name for param in declared}
    given: dict[str, str] = {}
    for name, value in overrides:
        place = int(name) if name.isascii() and name.isdigit() else 0
        at_place = places and name not in names and 0 < place <= len(declared)
        given[declared[place - 1].name if at_place else name] = value
    return given


def evaluate_params(
    declared: Sequence[Param],
    overrides: Sequence[tuple[str, str]],
    scope: Scope,
    evaluator: Evaluator = Evaluator(),  # noqa: B008 - frozen
) -> dict[str, str]:
    """Every parameter's value, in order; each default may use the ones before it.

    Overrides are data: nothing in them is expanded. Names and places that are not declared are
    appended. Raises Unevaluable.
    """
    given = by_name(declared, overrides, places=not evaluator.backquotes)
    variables = dict(scope.variables)
    found: dict[str, str] = {}
    layer = replace(scope, variables=variables, namespaces={**scope.namespaces, "params": found})
    for param in declared:
        value = given.get(param.name)
        if value is None:
            value = _default(param, layer, evaluator)
        found[param.name] = variables[param.name] = value
    return {**found, **{name: value for name, value in given.items() if name not in found}}


def _default(param: Param, scope: Scope, evaluator: Evaluator) -> str:
    try:
        if param.eval:
            return evaluator.evaluated(param.eval, scope)
        return evaluator.text(param.value, scope)
    except (CommandFailed, ValueRefused, Unset) as error:
        raise Unevaluable(f"params.{param.name}", error) from error


def evaluate_env(
    entries: Iterable[Variable],
    scope: Scope,
    evaluator: Evaluator = Evaluator(),  # noqa: B008 - frozen
) -> dict[str, str]:
    """Every entry's value, in order; each may use the ones before it, and its own name's outer value.

    Raises Unevaluable.
    """
    variables = dict(scope.variables)
    found: dict[str, str] = {}
    outer = scope.namespaces.get("env", {})
    env = {**outer}
    layer = replace(scope, variables=variables, namespaces={**scope.namespaces, "env": env})
    for entry in entries:
        try:
            value = evaluator.text(entry.value, layer)
        except (CommandFailed, ValueRefused, Unset) as error:
            raise Unevaluable(f"env.{entry.name}", error) from error
        found[entry.name] = variables[entry.name] = env[entry.name] = value
    return found
