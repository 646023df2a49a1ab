"""A home with its settings, ready for work. No plugin is loaded here."""

from __future__ import annotations

import os
from pathlib import Path

from dagfs.engine.configuration import configuration
from dagfs.engine.location import new_token, now
from dagfs.engine.settings import Settings
from dagfs.model.value import frozen
from dagfs.store.files import Disk
from dagfs.store.layout import HomePaths
from dagfs.store.runs import RunStore


@frozen
class Home:
    """An opened home: its paths, its settings and its store."""

    paths: HomePaths
    settings: Settings
    disk: Disk
    store: RunStore


def read_home(root: Path) -> Home:
    """Open a home with its settings."""
    paths = HomePaths(root)
    settings = configuration(root, os.environ).settings
    disk = Disk(group=settings.group)
    store = RunStore(disk, paths, now=now, token=new_token, store_id=settings.store_id)
    return Home(paths, settings, disk, store)
