"""Where the home is, and its store for reading. Light: no settings, no plugins."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from dagfs.errors import NotFound
from dagfs.model.run import Actor
from dagfs.model.value import frozen
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.runs import RunStore


@frozen
class Reading:
    """A home opened for looking only."""

    paths: HomePaths
    store: RunStore


def find_home(given: str | None, cwd: Path, env: Mapping[str, str]) -> Path:
    """`-C DIR`, else `DAGFS_HOME`, else the nearest folder upwards with a dagfs.yaml, else the user's own."""
    chosen = given or env.get("DAGFS_HOME")
    if chosen:
        path = (cwd / chosen).resolve()
        if not path.is_dir():
            raise NotFound(f"no such folder: {chosen}", hint="`dagfs init DIR` makes a home")
        return path
    for folder in (cwd, *cwd.parents):
        if (folder / "dagfs.yaml").is_file():
            return folder
    data = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME", "/")) / ".local/share")
    path = Path(data) / "dagfs"
    if not path.is_dir():
        raise NotFound(f"no home here, and none at {path}", hint="`dagfs init` makes one")
    return path


def open_reading(root: Path) -> Reading:
    """The home at `root`, for verbs that change nothing."""
    paths = HomePaths(root)
    return Reading(paths, RunStore(Disk(), paths, now=now, token=new_token))


def now() -> datetime:
    return datetime.now(UTC)


def new_token() -> str:
    """Eight random letters and digits."""
    return os.urandom(4).hex()


def current_actor(source: str = "cli") -> Actor:
    """Who this process works for; `web@10.0.0.7` for somebody at that address."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    through, _, remote = source.partition("@")
    return Actor(user=user, uid=uid, host=os.uname().nodename, source=through, remote=remote)
