"""Which files match the patterns of a `watch:`, found step by step: a tree of any size keeps nobody waiting.

What matches is what `glob` says, but that `**` follows no link to a folder: two of them that lead back are
enough for a walk that never ends.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_MAGIC = re.compile(r"[*?[]")
_DEEP = "**"

Match = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is still to be read."""

    path: str
    real: str
    """The same without links."""
    places: frozenset[int]
    """Which parts of the pattern what lies in it may match."""


class Walk:
    """One pass over all that some patterns match."""

    def __init__(self, root: str | os.PathLike[str], patterns: Iterable[str], spared: str) -> None:
        """Patterns are below `root`, or absolute; `spared` is a real folder nothing of which is ever met."""
        self._root, self._patterns, self._spared = os.fspath(root), tuple(patterns), os.path.join(spared, "")
        self.folders = 0
        """So many were read."""
        self.unread: list[str] = []
        """Folders that are there and could not be read: nobody knows what lies in them now."""

    def steps(self) -> Iterator[str | None]:
        """A path where it matches, None where not: whoever iterates may rest at any of them."""
        for pattern in self._patterns:
            head, parts = _split(pattern)
            start = os.path.join(self._root, head)
            if parts:
                yield from self._below(start, _Pattern(parts))
            else:
                yield self._unless_spared(start)

    def _below(self, start: str, pattern: _Pattern) -> Iterator[str | None]:
        left = [_Folder(start, os.path.realpath(start), pattern.reached({0}))]
        while left:
            folder = left.pop()
            if not os.path.join(folder.real, "").startswith(self._spared):
                yield from self._read(folder, pattern, left)

    def _read(self, folder: _Folder, pattern: _Pattern, left: list[_Folder]) -> Iterator[str | None]:
        files, named = pattern.plain(folder.places)
        for name in files:
            path = os.path.join(folder.path, name)
            yield self._unless_spared(path) if os.path.islink(path) else path
        if pattern.has_magic(folder.places):
            self.folders += 1
            for entry in self._entries(folder.path):
                yield self._met(folder, entry, pattern, named, left)
        for name, places in named.items():
            path = os.path.join(folder.path, name)
            if os.path.lexists(path):
                left.append(_Folder(path, os.path.realpath(path), places))
        yield None

    def _met(
        self,
        folder: _Folder,
        entry: os.DirEntry[str],
        pattern: _Pattern,
        named: dict[str, frozenset[int]],
        left: list[_Folder],
    ) -> str | None:
        """Its path where it may be a file that matches; a folder is put with those that are left."""
        name, is_link = entry.name, entry.is_symlink()
        is_folder = not is_link and _is_folder(entry)
        if is_link or is_folder:
            places = pattern.beyond(folder.places, name, is_link=is_link)
            if name in named:
                places |= named.pop(name)
            if places:
                real = os.path.realpath(entry.path) if is_link else os.path.join(folder.real, name)
                left.append(_Folder(entry.path, real, places))
        if is_folder or not pattern.takes(folder.places, name):
            return None
        return self._unless_spared(entry.path) if is_link else entry.path

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                yield from found
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            self.unread.append(os.path.join(folder, ""))

    def _unless_spared(self, path: str) -> str | None:
        return None if os.path.realpath(path).startswith(self._spared) else path


class _Pattern:
    """The parts of a pattern between its slashes; a place is the number of one."""

    def __init__(self, parts: list[str]) -> None:
        self._parts, self._last = parts, len(parts) - 1
        self._matches = [None if part == _DEEP else _match(part) for part in parts]

    def reached(self, places: Iterable[int]) -> frozenset[int]:
        """With the places behind a `**`, which may stand for no folder at all."""
        found: set[int] = set()
        for place in places:
            found.add(place)
            while self._parts[place] == _DEEP and place < self._last:
                place += 1  # noqa: PLW2901 - one step further in the pattern
                found.add(place)
        return frozenset(found)

    def plain(self, places: frozenset[int]) -> tuple[list[str], dict[str, frozenset[int]]]:
        """Names that need no looking for: of files, and of folders with the places in them."""
        files: list[str] = []
        folders: dict[str, frozenset[int]] = {}
        for place in places:
            name = self._parts[place]
            if _MAGIC.search(name):
                continue
            if place == self._last:
                files.append(name)
            else:
                folders[name] = folders.get(name, frozenset()) | self.reached({place + 1})
        return files, folders

    def has_magic(self, places: frozenset[int]) -> bool:
        return any(_MAGIC.search(self._parts[place]) for place in places)

    def takes(self, places: frozenset[int], name: str) -> bool:
        """Whether a file of that name matches."""
        return self._last in places and self._fits(self._last, name)

    def beyond(self, places: frozenset[int], name: str, *, is_link: bool) -> frozenset[int]:
        """The places in a folder of that name; none where nothing in it can match."""
        found = set()
        for place in places:
            if self._parts[place] == _DEEP:
                if not is_link and self._fits(place, name):
                    found.add(place)
            elif place < self._last and self._fits(place, name):
                found.add(place + 1)
        return self.reached(found)

    def _fits(self, place: int, name: str) -> bool:
        match = self._matches[place]
        return bool(match(name)) if match else not name.startswith(".")


def _match(part: str) -> Match:
    if not _MAGIC.search(part):
        return lambda _: False
    match = re.compile(fnmatch.translate(part)).match
    # Hidden files are matched by what says so.
    return match if part.startswith(".") else lambda name: not name.startswith(".") and match(name)


def _split(pattern: str) -> tuple[str, list[str]]:
    """What is to be taken as it is, and the parts behind it; those are none where nothing is looked for."""
    parts = pattern.split("/")
    first = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    if first == len(parts):
        return pattern, []
    kept = [part for part in parts[first:-1] if part] + parts[-1:]
    return os.path.dirname("/".join([*parts[:first], "x"])), kept


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
