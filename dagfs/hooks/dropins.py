"""Plugins that are files of the home: found in a folder, trusted by owner and mode, named by digest."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_PACKAGE = "dagfs_dropin"


def find(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of each `folder/*.py` and `folder/*/__init__.py`, by name; `_x` and `.x` are ignored.

    Raises OSError for a folder that cannot be read; one that is not there holds nothing.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py" and not path.is_dir():
            yield path.stem, path
        elif os.path.lexists(path / "__init__.py"):
            yield path.name, path / "__init__.py"


def load(path: Path, name: str) -> tuple[ModuleType, str]:
    """The imported drop-in and its version, which holds a digest of its text.

    Raises PermissionError where others could have written it, and whatever the import raises.
    """
    files = _files(path)
    for place in (*files, *_folders(path)):
        _refuse_writable(place)
    version = _version(files)
    module = _import(path, name)
    stated = getattr(module, "__version__", "")
    return module, f"{stated}+{version}" if stated else version


def where(error: BaseException, path: str) -> str:
    """`file:line` of the place in the drop-in that raised; `""` where that is not known, or no file."""
    if not path.endswith(".py"):
        return ""
    folder = f"{os.path.dirname(os.path.abspath(path))}/"
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(folder):
            found = f"{os.path.basename(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _files(path: Path) -> list[Path]:
    """All source files that the import may run, in a stable order."""
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]


def _folders(path: Path) -> set[Path]:
    """The folders in which somebody could put another file in place of these."""
    home = path.parent.parent if path.name == "__init__.py" else path.parent
    real = {each.resolve().parent for each in _files(path)}
    return {home, *(each.parent for each in _files(path)), *real}


def _refuse_writable(path: Path) -> None:
    found = path.stat()
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} can be written by others; chmod go-w it")
    if found.st_uid not in (0, os.getuid()):
        raise PermissionError(f"{path} belongs to another user; chown it")


def _version(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        data = path.read_bytes()
        digest.update(f"{path.name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return f"sha256:{digest.hexdigest()[:12]}"


def _import(path: Path, name: str) -> ModuleType:
    full_name = f"{_PACKAGE}.{name}"
    # Without a package above it, a drop-in that is a folder could not import its own parts.
    sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE)).__path__ = []
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for each in [each for each in sys.modules if f"{each}.".startswith(f"{full_name}.")]:
            del sys.modules[each]
        raise
    return module
