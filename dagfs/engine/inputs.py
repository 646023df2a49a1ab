"""The files that a step names as its inputs: what they were when it ended, and what they are now."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from typing import Any

from dagfs.errors import StoreError
from dagfs.store.files import file_sha256

MOST = 5_000
"""The most files of one step that are looked at."""
_UNREADABLE = "unreadable"


def identified(base: str, patterns: Sequence[str]) -> dict[str, Any]:
    """The files that paths and globs relative to the folder `base` mean, each with its digest."""
    return {"base": base, "patterns": list(patterns), "files": _digests(base, patterns)}


def changed(known: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of the files that `identified` described are others now, are gone, or have come."""
    now, then = _digests(known["base"], known["patterns"]), known["files"]
    return tuple(sorted(name for name in {*now, *then} if now.get(name) != then.get(name)))


def _digests(base: str, patterns: Sequence[str]) -> dict[str, str]:
    names = {
        os.path.normpath(name)
        for pattern in patterns
        for name in glob.glob(pattern, root_dir=base, recursive=True, include_hidden=True)
    }
    files = sorted(name for name in names if os.path.isfile(os.path.join(base, name)))
    return {name: _digest(os.path.join(base, name)) for name in files[:MOST]}


def _digest(path: str) -> str:
    try:
        return file_sha256(path)
    except (OSError, StoreError):
        return _UNREADABLE
