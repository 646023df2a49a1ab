"""Finds a profile by its name: in dagfs.yaml, else in a file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from dagfs.engine.configuration import place_of
from dagfs.engine.home import Home
from dagfs.errors import NotFound, Problem, SpecError, UsageError
from dagfs.model.plain import Mark
from dagfs.model.profile import Profile
from dagfs.model.spelling import get_close_matches
from dagfs.spec.profiles import read_profile
from dagfs.spec.yaml import load_plain

_SUFFIXES = (".yaml", ".yml")
_LARGEST = 1 << 20


def find_profile(home: Home, name: str) -> Profile:
    """The profile of that name, or in that file; none at all for an empty name.

    Raises NotFound, SpecError with every problem.
    """
    if not name:
        return Profile()
    if is_path(name):
        return _from_file(name, Path(name))
    said = home.settings.profiles
    if name in said:
        source = place_of(f"profiles.{name}", home.paths.root, os.environ)[0]
        return read_profile(name, said[name], source)[0]
    for suffix in _SUFFIXES:
        path = home.paths.profiles / f"{name}{suffix}"
        if path.is_file():
            return _from_file(name, path)
    known = names(home)
    near = get_close_matches(name, known, 1)
    listed = f"there are {', '.join(known)}" if known else "name them under `profiles:` in dagfs.yaml"
    raise NotFound(f"there is no profile {name!r}", hint=f"did you mean {near[0]!r}?" if near else listed)


def is_path(name: str) -> bool:
    """It names a file, not one of the home's profiles."""
    return "/" in name or name.endswith(_SUFFIXES)


def names(home: Home) -> list[str]:
    """The profiles that the home has."""
    try:
        files = [each.stem for each in home.paths.profiles.iterdir() if each.name.endswith(_SUFFIXES)]
    except OSError:
        files = []
    return sorted({*home.settings.profiles, *files})


def _from_file(name: str, path: Path) -> Profile:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no profile file {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    data, marks = load_plain(text, str(path))
    profile, wrong = read_profile(name, data, str(path))
    if wrong:
        raise SpecError([_problem(path, marks, where, message) for where, message in wrong])
    return profile


def _problem(path: Path, marks: Mapping[str, Mark], where: str, message: str) -> Problem:
    """One problem at the place that it is about, or at the nearest around it."""
    nearest = where
    while nearest and nearest not in marks:
        nearest = nearest.rpartition(".")[0]
    mark = marks.get(nearest, Mark(1))
    return Problem(str(path), mark.line, mark.column, _said(where, message))


def _said(where: str, message: str) -> str:
    return f"{where}: {message}" if where else message


def digest(profile: Profile) -> str:
    """Names what it says; for plan ids."""
    return hashlib.sha256(json.dumps(profile.as_data(), sort_keys=True).encode()).hexdigest()
