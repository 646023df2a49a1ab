"""What is set for a home, and where each setting comes from.

Highest first: options of the command line, `DAGFS_…` variables, the home's `dagfs.yaml`, the user's
`$XDG_CONFIG_HOME/dagfs/config.yaml`, the machine's `/etc/dagfs/config.yaml`, the defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dagfs.engine.settings import SETTINGS, Setting, Settings
from dagfs.errors import Problem, SpecError, UsageError
from dagfs.model.spelling import get_close_matches
from dagfs.model.value import field, frozen
from dagfs.spec.scalar import resolve
from dagfs.spec.yaml import load_plain

_LARGEST = 1 << 20
_PREFIX = "DAGFS_"
SYSTEM = Path("/etc/dagfs/config.yaml")
_SECTIONS = ("store", "scheduler")
_OWN = ("store.id",)
"""Settings that only a home's own file can sensibly have."""


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
