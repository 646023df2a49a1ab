"""The editor that the package `dagfs-editor` brings, if installed; without it, a plain text field."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "dagfs_editor"
FILE = "editor.js"


@cache
def bundle_file() -> Path | None:
    """The script, None where there is none."""
    found = find_spec(PACKAGE)
    for folder in found.submodule_search_locations or () if found else ():
        path = Path(folder, "static", FILE)
        if path.is_file():
            return path
    return None


@cache
def bundle_url() -> str:
    """Its address, with a digest, so that a browser keeps it for ever; empty where there is none."""
    path = bundle_file()
    return f"/static/editor/{FILE}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:10]}" if path else ""
