"""Whether a home and its machine are fit for work: one check after the other, each with what to do.

Nothing that lasts is changed; the lock is tried on a file that is removed again.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dagfs import __version__
from dagfs.engine.bootstrap import open_home
from dagfs.engine.configuration import configuration
from dagfs.engine.location import now, open_reading
from dagfs.engine.preflight import missing_for
from dagfs.engine.settings import Settings
from dagfs.errors import DagfsError, SpecError
from dagfs.hooks.manager import Plugin
from dagfs.model.value import frozen
from dagfs.store import dags
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths, stages
from dagfs.store.locks import try_out
from dagfs.store.runs import RunStore

_NEWEST_RUNS = 200
_LITTLE_BYTES, _FEW_BYTES = 100 << 20, 1 << 30
_LITTLE_INODES, _FEW_INODES = 1_000, 20_000
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "beegfs", "afs")
_GET_CHILD_SUBREAPER = 37
_BUILT_AT = 2026


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, but somebody should know."""
    PROBLEM = "problem"


@frozen
class Check:
    """What one check found."""

    name: str
    level: Level
    message: str
    hint: str = ""
    """What to do."""


@frozen
class Patient:
    """What is looked at."""

    paths: HomePaths
    env: Mapping[str, str]
    plugins: bool = True

    @property
    def nearest(self) -> Path:
        """The store, or the home where there is none yet."""
        return self.paths.runs if self.paths.runs.is_dir() else self.paths.root


def examine(patient: Patient) -> Iterator[Check]:
    """Every check in turn. One that cannot be carried out is a problem itself."""
    for name, check in _CHECKS.items():
        try:
            yield from check(patient)
        except SpecError as error:
            yield Check(name, Level.PROBLEM, str(error), error.hint or "mend the file")
        except DagfsError as error:
            yield Check(name, Level.PROBLEM, error.message, error.hint or "")
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            yield Check(name, Level.PROBLEM, f"cannot look at{where}: {error.strerror or error}")


# -- the machine ---------------------------------------------------------------------------------


def _version(_: Patient) -> Iterator[Check]:
    text = (
        f"dagfs {__version__}, python {platform.python_version()}, {platform.system()} {platform.release()}"
    )
    if sys.platform != "linux":
        yield Check("version", Level.WARNING, text, "dagfs is made for Linux; elsewhere it does less")
    else:
        yield Check("version", Level.OK, text)


def _processes(_: Patient) -> Iterator[Check]:
    missing = []
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        missing.append("pidfd")
    answer = ctypes.c_int()
    try:
        failed = ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    except AttributeError:
        failed = True
    if failed:
        missing.append("subreaper")
    if missing:
        hint = "a newer kernel (5.4 or later), or a container that allows it"
        yield Check("processes", Level.PROBLEM, f"the system has no {' and no '.join(missing)}", hint)
    else:
        yield Check("processes", Level.OK, "steps can be owned and stopped with all they start")


def _clock(patient: Patient) -> Iterator[Check]:
    moment = now()
    text = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    hint = "set the clock; ids and the order of runs depend on it"
    if moment.year < _BUILT_AT:
        yield Check("clock", Level.PROBLEM, f"it says {text}, which is past", hint)
        return
    newest = open_reading(patient.paths.root).store.summaries(1)
    created = str(newest[0].get("created") or "") if newest else ""
    if created and (datetime.fromisoformat(created) - moment).total_seconds() > 60:
        message = f"it says {text}, but run {newest[0]['run']} was made at {created}"
        yield Check("clock", Level.WARNING, message, hint)
    else:
        yield Check("clock", Level.OK, text)


def _shell(patient: Patient) -> Iterator[Check]:
    settings = _settings(patient)
    named = settings.shell[0] if settings.shell else ""
    shell = named or patient.env.get("SHELL") or "/bin/sh"
    found = shutil.which(shell, path=patient.env.get("PATH", os.defpath))
    if found or shell == "direct":
        yield Check("shell", Level.OK, found or "direct: commands run without a shell")
    else:
        where = "`shell` in dagfs.yaml" if named else "$SHELL"
        yield Check("shell", Level.PROBLEM, f"{shell} is not there", f"install it, or change {where}")


# -- the home ------------------------------------------------------------------------------------


def _settings(patient: Patient) -> Settings:
    return configuration(patient.paths.root, patient.env).settings


def _home(patient: Patient) -> Iterator[Check]:
    config = patient.paths.config
    _settings(patient)
    if config.is_file():
        yield Check("home", Level.OK, str(patient.paths.root))
    else:
        hint = "`dagfs init` makes one, so that the home is found from every folder in it"
        yield Check("home", Level.WARNING, f"{patient.paths.root} has no dagfs.yaml", hint)


def _store(patient: Patient) -> Iterator[Check]:
    paths, named = patient.paths, _settings(patient).store_id
    if not paths.runs.is_dir() and not named:
        yield Check("store", Level.OK, "there is none yet; the first run makes it")
        return
    found = _reading(patient).store_id()
    if named and found != named:
        message = f"{paths.runs} is the store {found}, but the settings name {named}"
        yield Check("store", Level.PROBLEM, message, "is another disk mounted there?")
    elif not named:
        hint = f"add `store: {{id: {found}}}` to dagfs.yaml, so that an unmounted disk is noticed"
        yield Check("store", Level.OK, f"{found}, not named in the settings", hint)
    else:
        yield Check("store", Level.OK, f"{found}, as the settings name it")


def _permissions(patient: Patient) -> Iterator[Check]:
    paths, group = patient.paths, _settings(patient).group
    folder = patient.nearest
    info = folder.stat()
    if not os.access(folder, os.W_OK | os.X_OK | os.R_OK):
        message = f"{folder} belongs to user {info.st_uid} and cannot be written by you ({os.getuid()})"
        yield Check("permissions", Level.PROBLEM, message, "run as its owner, or see `store.group`")
        return
    complaints = list(_open_folders(paths, group))
    yield from complaints
    if info.st_uid != os.getuid() and not group:
        message = f"{folder} belongs to user {info.st_uid}, not to you ({os.getuid()})"
        hint = "what you run makes files that its owner cannot read; run as the owner, or see `store.group`"
        yield Check("permissions", Level.WARNING, message, hint)
    elif not complaints:
        yield Check("permissions", Level.OK, "the store is yours" + (" and your group's" if group else ""))


def _open_folders(paths: HomePaths, group: bool) -> Iterator[Check]:
    """Folders that more people may change, or read, than should."""
    for folder in (paths.root, paths.dags, paths.plugins, paths.runs):
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            continue
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            message = f"everybody may write in {folder}, and so have their commands run as you"
            yield Check("permissions", Level.PROBLEM, message, f"chmod o-w {folder}")
        elif folder == paths.runs and mode & (0o007 if group else 0o077):
            message = f"others can look into {folder}: logs and parameters are in there"
            hint = f"chmod {'o-rwx' if group else 'go-rwx'} {folder}"
            yield Check("permissions", Level.WARNING, message, hint)


def _dags(patient: Patient) -> Iterator[Check]:
    unread = dags.Unread()
    paths = [patient.paths.dags / key for key, _ in dags.entries(patient.paths, unread)]
    for error in unread.values():
        yield Check("DAG files", Level.PROBLEM, error.message, error.hint or "")
    closed = [path for path in paths if not os.access(path, os.R_OK)]
    if closed:
        message = f"{len(closed)} of {len(paths)} cannot be read by you ({os.getuid()}), such as {closed[0]}"
        yield Check("DAG files", Level.PROBLEM, message, "look at their owners and modes")
    elif not unread:
        yield Check("DAG files", Level.OK, f"{len(paths)}, and all can be read" if paths else "none yet")


def _space(patient: Patient) -> Iterator[Check]:
    info = os.statvfs(patient.nearest)
    free, inodes = info.f_bavail * info.f_frsize, info.f_favail
    # Some file systems make inodes as they need them, and count none.
    counted = info.f_files > 0
    text = f"{_bytes(free)} free" + (f", room for {inodes:,} files" if counted else "")
    hint = "make room; runs that find none fail"
    if free < _LITTLE_BYTES or (counted and inodes < _LITTLE_INODES):
        yield Check("space", Level.PROBLEM, text, hint)
    elif free < _FEW_BYTES or (counted and inodes < _FEW_INODES):
        yield Check("space", Level.WARNING, text, hint)
    else:
        yield Check("space", Level.OK, text)


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _file_system(patient: Patient) -> Iterator[Check]:
    try:
        table = Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:
        yield Check(
            "file system", Level.WARNING, "its type cannot be told: /proc/self/mountinfo is not there"
        )
        return
    kind, place = mounted(table, str(patient.nearest.resolve()))
    if kind.startswith(_NETWORK):
        hint = "start runs from one machine only; locks and the owner of a run are not seen from others"
        yield Check("file system", Level.WARNING, f"{kind} at {place} is a network file system", hint)
    else:
        yield Check("file system", Level.OK, f"{kind or 'unknown'} at {place}")


def mounted(table: str, path: str) -> tuple[str, str]:
    """Type and place of the file system that holds `path`, by the text of /proc/self/mountinfo."""
    best = ("", "")
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        words, kind = left.split(" "), right.split(" ")[0]
        if len(words) < 5:
            continue
        place = (
            words[4]
            .replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
        )
        holds = path == place or path.startswith(place.rstrip("/") + "/")
        # Of several mounts on one place the last one is seen.
        if holds and len(place) >= len(best[1]):
            best = (kind, place)
    return best


def _locks(patient: Patient) -> Iterator[Check]:
    folder = patient.nearest
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check("locks", Level.PROBLEM, f"cannot be tried: {folder} cannot be written")
        return
    wrong = try_out(folder, Disk(group=_settings(patient).group))
    if wrong:
        hint = "put runs/ on a file system with locks: ext4, xfs, btrfs, or NFS with its lock service"
        yield Check("locks", Level.PROBLEM, wrong, hint)
    else:
        yield Check("locks", Level.OK, "held ones exclude others")


def _plugins(patient: Patient) -> Iterator[Check]:
    plugins = open_home(patient.paths.root, plugins=patient.plugins).plugins.plugins
    broken: list[Plugin] = [plugin for plugin in plugins if plugin.error]
    for plugin in broken:
        message = f"{plugin.name} was not loaded: {plugin.error}"
        yield Check("plugins", Level.PROBLEM, message, f"mend or remove it: {plugin.origin}")
    if not broken:
        yield Check("plugins", Level.OK, f"{len(plugins)} loaded")


def _executors(patient: Patient) -> Iterator[Check]:
    """Which executors lack a program of this machine; only the steps that use them need it."""
    executors = open_home(patient.paths.root, plugins=patient.plugins).plugins.executors
    lacking: dict[str, list[str]] = {}
    for name, each in executors.items():
        lacking.setdefault(missing_for(each, {}), []).append(name)
    yield Check("executors", Level.OK, f"ready: {', '.join(lacking.pop('', []))}")
    for missing, names in lacking.items():
        types = " or ".join(f"`type: {name}`" for name in names)
        yield Check("executors", Level.OK, missing, f"steps of {types} would fail")


# -- the runs ------------------------------------------------------------------------------------


def _reading(patient: Patient) -> RunStore:
    return open_reading(patient.paths.root).store


def _runs(patient: Patient) -> Iterator[Check]:
    found = _reading(patient).summaries(_NEWEST_RUNS)
    wrong = [run for run in found if run["state"] in ("damaged", "interrupted")]
    for run in wrong:
        if run["state"] == "damaged":
            message = f"{run['run']} is damaged: {run.get('error', '')}"
            yield Check("runs", Level.PROBLEM, message, f"`dagfs fsck {run['run']}` says where")
        else:
            hint = f"`dagfs status {run['run']}`, then `dagfs retry {run['run']}`"
            yield Check("runs", Level.WARNING, f"{run['run']} was interrupted: its engine died", hint)
    if not wrong:
        yield Check("runs", Level.OK, f"the newest {len(found)} are sound" if found else "there are none yet")


def _stages(patient: Patient) -> Iterator[Check]:
    left = len(list(stages(patient.paths.runs)))
    if left:
        text = f"{left} unfinished folder{'s' if left > 1 else ''} of runs that were being made"
        yield Check("leftovers", Level.WARNING, text, "the next `dagfs run` clears away what nobody works on")
    else:
        yield Check("leftovers", Level.OK, "none")


_CHECKS: Mapping[str, Callable[[Patient], Iterator[Check]]] = {
    "version": _version,
    "home": _home,
    "store": _store,
    "permissions": _permissions,
    "DAG files": _dags,
    "space": _space,
    "file system": _file_system,
    "locks": _locks,
    "processes": _processes,
    "clock": _clock,
    "shell": _shell,
    "plugins": _plugins,
    "executors": _executors,
    "runs": _runs,
    "leftovers": _stages,
}
