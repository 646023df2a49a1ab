"""Where the home is, and what reading it takes. No plugin is loaded here."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagfs.engine.settings import Settings, read_settings
from dagfs.errors import NotFound
from dagfs.model.run import Actor
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class Home:
    """An opened home: its paths, its settings and its store."""

    paths: HomePaths
    settings: Settings
    disk: Disk
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
    return Path(data) / "dagfs"


def now() -> datetime:
    return datetime.now(UTC)


def new_token() -> str:
    """Eight random letters and digits."""
    return secrets.token_hex(4)


def read_home(root: Path) -> Home:
    """Open a home for reading, and for all that needs no plugin."""
    paths = HomePaths(root)
    settings = read_settings(paths.config)
    disk = Disk(group=settings.group)
    store = RunStore(disk, paths, now=now, token=new_token, store_id=settings.store_id)
    return Home(paths, settings, disk, store)


def current_actor(source: str = "cli") -> Actor:
    """Who this process works for."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Actor(user=user, uid=uid, host=os.uname().nodename, source=source)
