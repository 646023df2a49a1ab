"""What references stand for at one moment: variables, and what steps have left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dagfs.model.reference import Reference, references
from dagfs.model.value import field, frozen
from dagfs.spec.printed import MISSING, printed

_SEGMENT = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_NAMESPACES = ("params", "env")
_WORDS = frozenset(("consts", "params", "env", "steps", "foreach", "context", "dag", "run"))
"""What the references of Dagu 2 begin with."""


@frozen
class StepRef:
    """What `${step.…}` can say about a step. Paths are absolute; empty and None mean: not there."""

    stdout: str = ""
    """The path of its log of standard output."""
    stderr: str = ""
    exit_code: int | None = None
    artifacts: str = ""
    """The path of its folder of artifacts."""
    outputs: Mapping[str, str] = field(default_factory=dict)


@frozen
class Scope:
    """Everything a reference may find. Values are final: nothing in them is ever expanded."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Parameters (positional ones as `1`, `2`), env, outputs; later layers already won."""
    steps: Mapping[str, StepRef] = field(default_factory=dict)
    """By name and by id."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values handed in from outside, before all others: `ITEM`, `foreach.item`, `steps.x.outputs.y`.

    A name may hold dots; what follows the longest one that fits is a path into its JSON text.
    """
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`{word: {path: value}}` for `${word.path}`; the path `""` is `${word}`, braces required."""
    literal_quotes: bool = False
    """Single-quoted shell text keeps its plain `$X` and `${X}` (Dagu 2); only paths are taken out."""

    def find(self, reference: Reference) -> str | None:
        """The reference's text, or None where nothing has that name."""
        value = self._handed_in(reference)
        if value is None:
            value = self._whole(reference.name, reference.path)
        if value is None or reference.slice is None:
            return value
        offset, length = reference.slice
        return value[offset:] if length is None else value[offset : offset + length]

    def _handed_in(self, reference: Reference) -> str | None:
        value = None
        if self.given:
            joined = "." if reference.path and reference.path[0] != "[" else ""
            value = _at_prefix(self.given, f"{reference.name}{joined}{reference.path}")
        if value is None and reference.name in self.namespaces and not reference.is_bare:
            value = _at_prefix(self.namespaces[reference.name], reference.path)
        return value

    def _whole(self, name: str, path: str) -> str | None:
        if not path:
            return self.variables.get(name)
        if name in self.steps:
            found = _of_step(self.steps[name], path)
            if found is not None:
                return found
        if name in self.variables:
            return _at_path(self.variables[name], path)
        first, _, rest = path.partition(".")
        if name == "steps" and first in self.steps:
            step = self.steps[first]
            everything = json.dumps(dict(step.outputs), ensure_ascii=False, separators=(",", ":"))
            return everything if rest == "outputs" else _of_step(step, rest)
        return self.variables.get(path) if name in _NAMESPACES and name not in self.namespaces else None


def unresolved(text: str, scope: Scope) -> Iterator[str]:
    """The references of Dagu 2 in a text that nothing has the name of, as they are written."""
    for reference in references(text):
        escaped = reference.start > 0 and text[reference.start - 1] == "\\"
        if reference.path and reference.name in _WORDS and not escaped and scope.find(reference) is None:
            yield reference.text


def _at_prefix(values: Mapping[str, str], path: str) -> str | None:
    """The value of that name, or what its rest leads to in the JSON value of the longest name in it."""
    if path in values:
        return values[path]
    name = path
    while (cut := max(name.rfind("."), name.rfind("["))) > 0:
        name = name[:cut]
        if name in values:
            return _at_path(values[name], path[cut:].removeprefix("."))
    return None


def _of_step(step: StepRef, path: str) -> str | None:
    if path in ("stdout", "stderr", "artifacts"):
        return getattr(step, path) or None
    if path in ("exit_code", "exitCode"):
        return None if step.exit_code is None else str(step.exit_code)
    word, _, rest = path.partition(".")
    if word != "outputs" or not rest:
        return None
    named = re.match(r"[^.\[]+", rest)
    if named is None or named[0] not in step.outputs:
        return None
    value = step.outputs[named[0]]
    return value if named.end() == len(rest) else _at_path(value, rest[named.end() :].removeprefix("."))


def _at_path(text: str, path: str) -> str | None:
    """The value at `path` in a JSON text; None when it is no JSON object or list."""
    try:
        value: Any = json.loads(text)
        return _printed_at(value, path) if isinstance(value, dict | list) else None
    except (ValueError, RecursionError):
        return None


def _printed_at(value: Any, path: str) -> str:
    for index, key in _SEGMENT.findall(path):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif key and isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return MISSING
    return printed(value)
