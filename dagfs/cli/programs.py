"""Programs on the PATH, by name or by how their names begin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress


def find_program(name: str) -> str | None:
    """The path of the program that a shell would run for `name`; None where there is none."""
    if "/" in name:
        return name if _is_program(name) else None
    return next((path for folder in _folders() if _is_program(path := os.path.join(folder, name))), None)


def programs_named(prefix: str) -> dict[str, str]:
    """Every program whose name begins with `prefix`: the rest of the name to its path, sorted."""
    found: dict[str, str] = {}
    for folder in _folders():
        with suppress(OSError), os.scandir(folder) as entries:
            for each in entries:
                if each.name.startswith(prefix) and each.name != prefix and _is_program(each.path):
                    found.setdefault(each.name.removeprefix(prefix), each.path)
    return dict(sorted(found.items()))


def _folders() -> Iterator[str]:
    # A relative folder would make the command depend on where one stands.
    return (each for each in os.get_exec_path() if os.path.isabs(each))


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
