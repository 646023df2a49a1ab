"""What can be set for a home: every setting with its default, what it takes, and what it is for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dagfs.model.value import field, fields, frozen
from dagfs.spec.profiles import read_profile
from dagfs.spec.schedule import is_zone

_LARGEST = 1 << 20
_PREFIX = "DAGFS_"
SYSTEM = Path("/etc/dagfs/config.yaml")


@frozen
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
    load_timeout_sec: float = 30
    """How long a command in `env:` or `params:` may take when a run begins."""
    grace_sec: float = 10
    """How long a stopped step may take before it is killed."""
    allow: tuple[str, ...] = ()
    """Rules whose allowable rejections are lifted for every retry."""
    on_stale: str = "error"
    cutoff: bool = False
    """Finished steps stay where those before them, run again, make the same."""
    plugins: bool | tuple[str, ...] = True
    """Whether drop-ins and entry points are loaded, or the names of those that are."""
    deny_plugins: tuple[str, ...] = ()
    plugin_limit_sec: float = 30
    """How long one call into a plugin may take."""
    plugin_settings: Mapping[str, Any] = field(default_factory=dict)
    """Each plugin's own settings, by its name."""
    profiles: Mapping[str, Any] = field(default_factory=dict)
    """What each profile says of where steps run, as written."""
    timezone: str = "UTC"
    """The zone of schedules that name none."""
    max_active_runs: int = 0
    """The most runs at once that the scheduler starts; 0 means no limit."""
    queues: tuple[tuple[str, int], ...] = ()
    """The most runs at once of each queue."""

    @property
    def sha256(self) -> str:
        """The digest of everything that is set; for plan ids."""
        said = {each.name: getattr(self, each.name) for each in fields(type(self))}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def active_steps(self) -> int:
        return self.max_active_steps or max(16, 4 * (os.cpu_count() or 1))


_DEFAULTS = Settings()


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


def _zone(value: Any) -> str:
    if not isinstance(value, str) or not is_zone(value):
        raise TypeError("must be the name of a time zone, such as Europe/Berlin")
    return value


def _queues(value: Any) -> tuple[tuple[str, int], ...]:
    if isinstance(value, str):
        if not all("=" in word for word in value.split()):
            raise TypeError("must be a map from queue to a number of runs, in a variable `one=1 two=4`")
        pairs = [word.partition("=")[::2] for word in value.split()]
        value = {name: int(limit) if limit.isdecimal() else limit for name, limit in pairs}
    if not isinstance(value, dict):
        raise TypeError("must be a map from queue to a number of runs")
    return tuple((str(name), _count(limit)) for name, limit in value.items())


_ALMOST_FLAGS = ("yes", "no", "on", "off", "y", "n")


def _flag_or_words(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    try:
        # What other YAML versions call true or false is meant as that, and is no plugin's name.
        if value in _ALMOST_FLAGS:
            raise TypeError(value)
        return _words(value)
    except TypeError:
        raise TypeError("must be true, false, or the names of plugins") from None


def _plugin_settings(value: Any) -> dict[str, dict[str, Any]]:
    """The map below `plugins:`, or its JSON text where a variable has it."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, dict | None) for each in found.values()):
        raise TypeError("must be a map from names of plugins to their settings")
    return {str(name): each or {} for name, each in found.items()}


def _profiles(value: Any) -> dict[str, Any]:
    """The map below `profiles:`, or its JSON text where a variable has it."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TypeError("must be a map from names of profiles to their steps")
    for name, data in found.items():
        for where, message in read_profile(str(name), data)[1]:
            raise TypeError(": ".join(filter(None, (f"{name}.{where}".rstrip("."), message))))
    return {str(name): data for name, data in found.items()}


def _one_of(*choices: str) -> Any:
    def check(value: Any) -> str:
        if value not in choices:
            raise TypeError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return str(value)

    return check


class Setting(NamedTuple):
    """One key of the files."""

    field: str
    """Its name in `Settings`."""
    check: Any
    """Gives the value as it is kept; TypeError with what it must be."""
    doc: str
    schema: Mapping[str, Any]
    """What an editor takes, as a JSON schema."""

    @property
    def default(self) -> Any:
        return getattr(_DEFAULTS, self.field)


_WORDS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
SETTINGS: Mapping[str, Setting] = {
    "dialect": Setting(
        "dialect",
        _one_of("auto", "dagu1", "dagu2"),
        "How DAG files are read where they do not tell it.",
        {"enum": ["auto", "dagu1", "dagu2"]},
    ),
    "shell": Setting(
        "shell",
        _words,
        "The shell of steps that name none; without it your $SHELL if it is a POSIX one, else /bin/sh.",
        _WORDS,
    ),
    "working_dir": Setting(
        "working_dir",
        _one_of("dag", "run"),
        "Where steps start that name no directory: the DAG file's folder, or the run's work folder.",
        {"enum": ["dag", "run"]},
    ),
    "max_active_steps": Setting(
        "max_active_steps",
        _count,
        "The most steps of one run at once; 0 means 16, or four for each processor, whichever is more.",
        {"type": "integer", "minimum": 0},
    ),
    "durability": Setting(
        "durability",
        _one_of("normal", "strict"),
        "`strict` also syncs artifacts to the disk before a step counts as finished.",
        {"enum": ["normal", "strict"]},
    ),
    "load_timeout_sec": Setting(
        "load_timeout_sec",
        _seconds,
        "How long each command within the values of `env:` and `params:` may take, in seconds.",
        {"type": "number", "minimum": 0},
    ),
    "grace_sec": Setting(
        "grace_sec",
        _seconds,
        "How long a step that is asked to stop may take before it is killed, in seconds.",
        {"type": "number", "minimum": 0},
    ),
    "allow": Setting(
        "allow", _words, "Rules that are always allowed to be broken where that is harmless.", _WORDS
    ),
    "on_stale": Setting(
        "on_stale",
        _one_of("error", "rerun", "keep"),
        "The standing answer when finished work has changed.",
        {"enum": ["error", "rerun", "keep"]},
    ),
    "cutoff": Setting(
        "cutoff",
        _flag,
        "true keeps finished steps where those before them run again and put out the same.",
        {"type": "boolean"},
    ),
    "load_plugins": Setting(
        "plugins",
        _flag_or_words,
        "false loads the built-in plugins only; a list names those that are loaded besides.",
        {"anyOf": [{"type": "boolean"}, *_WORDS["anyOf"]], "not": {"enum": list(_ALMOST_FLAGS)}},
    ),
    "deny_plugins": Setting("deny_plugins", _words, "Plugins that are not loaded, by name.", _WORDS),
    "plugin_limit_sec": Setting(
        "plugin_limit_sec",
        _seconds,
        "How long one call into a plugin may take, in seconds; 0 is no limit.",
        {"type": "number", "minimum": 0},
    ),
    "plugins": Setting(
        "plugin_settings",
        _plugin_settings,
        "The settings of each plugin by its name; the plugin says which there are.",
        {"type": "object", "additionalProperties": {"type": ["object", "null"]}},
    ),
    "profiles": Setting(
        "profiles",
        _profiles,
        "Profiles by name: where steps run in place of what their specs say, for `--profile`.",
        {"type": "object", "additionalProperties": {"type": "object"}},
    ),
    "scheduler.timezone": Setting(
        "timezone", _zone, "The time zone of schedules that name none.", {"type": "string"}
    ),
    "scheduler.max_active_runs": Setting(
        "max_active_runs",
        _count,
        "The most runs at once that the scheduler starts, of all DAGs together; 0 means no limit.",
        {"type": "integer", "minimum": 0},
    ),
    "queues": Setting(
        "queues",
        _queues,
        "The most runs at once of each queue: `{etl: 4, mail: 1}`. A queue that is not named has one; 0 "
        "means no limit.",
        {"type": ["object", "string"], "additionalProperties": {"type": "integer", "minimum": 0}},
    ),
    "store.id": Setting(
        "store_id",
        _text,
        "The id that runs/.dagfs-store must have, so that an unmounted disk is noticed.",
        {"type": "string"},
    ),
    "store.group": Setting(
        "group", _flag, "true lets the group of runs/ read and write runs.", {"type": "boolean"}
    ),
}
"""Every setting by the name it has in the files, in the order of the documentation."""
