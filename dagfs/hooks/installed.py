"""Plugins that installed distributions announce as entry points of group `dagfs`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

GROUP = "dagfs"


def find(folders: Iterable[str]) -> Iterator[tuple[Any, str, str]]:
    """Each entry point below the folders of a path, with its distribution's name and version.

    Of a distribution that is there twice the first counts, as for an import.
    """
    announcing = [folder for folder in folders if _announces(folder, _stamp(folder))]
    if not announcing:
        return
    metadata = importlib.import_module("importlib.metadata")
    seen: set[str] = set()
    for distribution in metadata.distributions(path=announcing):
        try:
            known = distribution.metadata
            name, version = known.get("Name") or "?", known.get("Version") or ""
            points = [point for point in distribution.entry_points if point.group == GROUP]
        except Exception:  # noqa: BLE001 - an unreadable record of some distribution is not ours to report
            continue
        if points and name not in seen:
            seen.add(name)
            for point in points:
                yield point, name, version


def _stamp(folder: str) -> int:
    """Another one whenever a distribution came or went."""
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _announces(folder: str, stamp: int) -> bool:  # noqa: ARG001 - a part of the key
    """Some distribution below `folder` has entry points of our group; kept for those forked from here.

    Reading the few small files is ten times faster than importing importlib.metadata to learn that
    there are none.
    """
    try:
        names = [entry for entry in os.listdir(folder or ".") if entry.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    return any(_mentions_group(Path(folder, name, "entry_points.txt")) for name in names)


def _mentions_group(path: Path) -> bool:
    try:
        return f"[{GROUP}]".encode() in path.read_bytes()
    except OSError:
        return False
