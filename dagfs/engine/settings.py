"""`dagfs.yaml`: what a home is set to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dagfs.errors import Problem, SpecError, UsageError
from dagfs.spec.yaml import load_plain

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one home, at their defaults where `dagfs.yaml` says nothing."""

    store_id: str = ""
    """The store that `runs/` must be; empty until `dagfs init` or the user names one."""
    group: bool = False
    """Files can be read and written by their group."""
    dialect: str = "auto"
    shell: tuple[str, ...] = ()
    working_dir: str = "dag"
    """Where steps start that name no directory: `dag` (the spec's folder) or `run` (the run's work)."""
    max_active_steps: int = 0
    """0 means 16 or four times the processors, whichever is more."""
    durability: str = "normal"
    """`strict` also syncs logs and artifacts before a step counts as finished."""
    grace_sec: float = 10
    """How long a stopped step may take before it is killed."""
    allow: tuple[str, ...] = ()
    """Rules whose allowable rejections are lifted for every retry."""
    on_stale: str = "error"
    plugins: bool = True
    """Whether drop-ins and entry points are loaded."""
    sha256: str = ""
    """The digest of the file's text."""

    @property
    def active_steps(self) -> int:
        return self.max_active_steps or max(16, 4 * (os.cpu_count() or 1))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("must be a whole number from 0")
    return value


def _seconds(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise TypeError("must be a number of seconds from 0")
    return float(value)


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("must be a text or a list of texts")
    return tuple(value)


def _one_of(*choices: str) -> Any:
    def check(value: Any) -> str:
        if value not in choices:
            raise TypeError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return str(value)

    return check


_KEYS = {
    "dialect": ("dialect", _one_of("auto", "dagu1", "dagu2")),
    "shell": ("shell", _words),
    "working_dir": ("working_dir", _one_of("dag", "run")),
    "max_active_steps": ("max_active_steps", _count),
    "durability": ("durability", _one_of("normal", "strict")),
    "grace_sec": ("grace_sec", _seconds),
    "allow": ("allow", _words),
    "on_stale": ("on_stale", _one_of("error", "rerun", "keep")),
    "load_plugins": ("plugins", _flag),
    "store.id": ("store_id", _text),
    "store.group": ("group", _flag),
}
_SECTIONS = ("store",)


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key in _SECTIONS and isinstance(value, dict):
            found.update({f"{key}.{name}": item for name, item in value.items()})
        else:
            found[key] = value
    return found


def read_settings(path: Path) -> Settings:
    """The settings in `path`; defaults where there is no such file. SpecError names every problem."""
    try:
        text = path.read_bytes()[: _LARGEST + 1]
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    data, marks = load_plain(text, str(path))
    if data is None:
        return Settings(sha256=hashlib.sha256(text).hexdigest())
    if not isinstance(data, dict):
        raise SpecError([Problem(str(path), 1, 1, "dagfs.yaml must be a list of `key: value` lines")])
    values: dict[str, Any] = {}
    problems = []
    for key, value in _flat(data).items():
        mark = marks.get(key)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else None
            problems.append(Problem(str(path), line, column, f"unknown setting {key!r}", hint))
            continue
        name, check = _KEYS[key]
        try:
            values[name] = check(value)
        except TypeError as error:
            problems.append(Problem(str(path), line, column, f"{key} {error}"))
    if problems:
        raise SpecError(problems)
    return Settings(**values, sha256=hashlib.sha256(text).hexdigest())
