"""What references stand for at one moment: variables, and what steps have left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagfs.model.reference import Reference
from dagfs.spec.printed import MISSING, printed

_SEGMENT = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_NAMESPACES = ("params", "env")


@dataclass(frozen=True, slots=True)
class StepRef:
    """What `${step.…}` can say about a step. Paths are absolute; empty and None mean: not there."""

    stdout: str = ""
    """The path of its log of standard output."""
    stderr: str = ""
    exit_code: int | None = None
    artifacts: str = ""
    """The path of its folder of artifacts."""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything a reference may find. Values are final: nothing in them is ever expanded."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Parameters (positional ones as `1`, `2`), env, outputs; later layers already won."""
    steps: Mapping[str, StepRef] = field(default_factory=dict)
    """By name and by id."""

    def find(self, reference: Reference) -> str | None:
        """The reference's text, or None where nothing has that name."""
        value = self._whole(reference.name, reference.path)
        if value is None or reference.slice is None:
            return value
        offset, length = reference.slice
        return value[offset:] if length is None else value[offset : offset + length]

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
            return _of_step(self.steps[first], rest)
        return self.variables.get(path) if name in _NAMESPACES else None


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
