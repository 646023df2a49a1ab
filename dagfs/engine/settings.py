"""What a home is set to, and where each setting comes from.

Highest first: options of the command line, `DAGFS_…` variables, the home's `dagfs.yaml`, the user's
`$XDG_CONFIG_HOME/dagfs/config.yaml`, the machine's `/etc/dagfs/config.yaml`, the defaults.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dagfs.errors import Problem, SpecError, UsageError
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import field, fields, frozen
from dagfs.spec.profiles import read_profile
from dagfs.spec.scalar import resolve
from dagfs.spec.schedule import is_zone
from dagfs.spec.yaml import load_plain

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
        return getattr(Settings(), self.field)


_WORDS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_KEYS: Mapping[str, Setting] = {
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
SETTINGS = _KEYS
"""Every setting by the name it has in the files, in the order of the documentation."""
_SECTIONS = ("store", "scheduler")
_OWN = ("store.id",)
"""Settings that only a home's own file can sensibly have."""


# -- one source ----------------------------------------------------------------------------------


class Found(NamedTuple):
    """A value, and where it was set."""

    value: Any
    origin: str
    """`dagfs.yaml:3` with the file's path, `DAGFS_SHELL`, `--no-plugins` or `default`."""


Layer = Mapping[str, Found]
"""What one source says, by setting."""


def merge(layers: Iterable[Layer]) -> dict[str, Found]:
    """Every setting: the first layer that names one decides, and defaults where none does."""
    every = list(layers)
    effective = {}
    for key, setting in SETTINGS.items():
        said = next((layer[key] for layer in every if key in layer), None)
        effective[key] = said or Found(setting.default, "default")
    return effective


def variable(key: str) -> str:
    """The environment variable of a setting: `DAGFS_STORE_GROUP`."""
    return _PREFIX + key.replace(".", "_").upper()


def environment_layer(env: Mapping[str, str]) -> dict[str, Found]:
    """What `DAGFS_…` variables say; empty ones say nothing.

    UsageError for a value that does not fit, and for a name that is nearly one of a setting. Others are
    left alone: steps and containers have variables of this prefix that are no settings.
    """
    known = {variable(key): key for key in SETTINGS}
    found = {}
    for name, text in sorted(env.items()):
        if not name.startswith(_PREFIX) or not text or name in _OTHERS:
            continue
        if name in known:
            found[known[name]] = Found(_from_text(name, text, SETTINGS[known[name]]), name)
        elif near := get_close_matches(name, known, 1, 0.84):
            hint = f"did you mean {near[0]}? `dagfs explain settings` lists them"
            raise UsageError(f"the environment has {name}, which is no setting", hint=hint)
    return found


_OTHERS = frozenset(
    f"{_PREFIX}{name}"
    for name in (
        *("HOME", "RUN_ID", "RUN_DIR", "WORK_DIR", "ARTIFACTS_DIR", "OUTPUT", "STEP", "ATTEMPT", "TRY"),
        *("IS_RETRY", "RUN_STATE", "TRY_TOKEN"),
    )
)
"""What steps get; `dagfs` may be called from within one."""


def _from_text(name: str, text: str, setting: Setting) -> Any:
    """A variable's value, which may look like the number or the truth value that is wanted."""
    for value in (text, resolve(text)):
        try:
            return setting.check(value)
        except TypeError as error:
            wrong = error
    raise UsageError(f"{name} {wrong}, not {text!r}")


def read_layer(path: Path, *, home: bool = True) -> dict[str, Found]:
    """What a file says; nothing where there is no such file. SpecError names every problem.

    With `home` it is a home's own file, which may name its store.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    data, marks = load_plain(text, str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SpecError([Problem(str(path), 1, 1, f"{path.name} must be a list of `key: value` lines")])
    found: dict[str, Found] = {}
    problems = []
    for key, value in _flat(data).items():
        mark = marks.get(key)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        wrong, hint = _wrong_key(key, home)
        if wrong:
            problems.append(Problem(str(path), line, column, wrong, hint))
            continue
        try:
            found[key] = Found(SETTINGS[key].check(value), f"{path}:{line}" if line else str(path))
        except TypeError as error:
            problems.append(Problem(str(path), line, column, f"{key} {error}"))
    if problems:
        raise SpecError(problems)
    return found


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key in _SECTIONS and isinstance(value, dict):
            found.update({f"{key}.{name}": item for name, item in value.items()})
        else:
            found[key] = value
    return found


def _wrong_key(key: str, home: bool) -> tuple[str, str | None]:
    if key not in SETTINGS:
        near = get_close_matches(key, SETTINGS, 1)
        return f"unknown setting {key!r}", f"did you mean {near[0]!r}?" if near else None
    if key in _OWN and not home:
        return f"{key} is about one home", "set it in the dagfs.yaml of that home"
    return "", None


# -- all sources ---------------------------------------------------------------------------------


@frozen
class Configuration:
    """The settings that hold, and where each comes from."""

    effective: Mapping[str, Found]
    files: tuple[Path, ...] = field(default=())
    """The files that were looked at, highest first, whether or not they exist."""

    @property
    def settings(self) -> Settings:
        return Settings(**{SETTINGS[key].field: found.value for key, found in self.effective.items()})


def config_files(root: Path | None, env: Mapping[str, str]) -> list[Path]:
    """The files of a home, of the user and of the machine, highest first."""
    chosen = env.get("XDG_CONFIG_HOME", "")
    # The standard says that relative paths are to be ignored.
    base = Path(chosen) if chosen.startswith("/") else Path(env.get("HOME") or "/") / ".config"
    own = [root / "dagfs.yaml"] if root else []
    return [*own, base / "dagfs" / "config.yaml", SYSTEM]


def configuration(
    root: Path | None, env: Mapping[str, str], flags: Mapping[str, Found] | None = None
) -> Configuration:
    """Everything that is set for the home at `root`. SpecError, UsageError."""
    files = config_files(root, env)
    layers = [read_layer(path, home=root is not None and path.parent == root) for path in files]
    return Configuration(merge([flags or {}, environment_layer(env), *layers]), tuple(files))


def place_of(dotted: str, root: Path, env: Mapping[str, str]) -> tuple[str, int, int]:
    """File, line and column of a setting, or of what is nearest around it; line 0 where no file has it."""
    top = dotted.partition(".")[0]
    for path in config_files(root, env):
        if top in read_layer(path, home=path.parent == root):
            marks = load_plain(path.read_bytes(), str(path))[1]
            while dotted not in marks and "." in dotted:
                dotted = dotted.rpartition(".")[0]
            mark = marks.get(dotted)
            return (str(path), mark.line, mark.column) if mark else (str(path), 0, 0)
    return f"{_PREFIX}{top.upper()}", 0, 0


def read_settings(path: Path) -> Settings:
    """The settings in `path` alone; defaults where there is no such file. SpecError names every problem."""
    return Configuration(merge([read_layer(path)])).settings
