"""Archives in the formats Python knows, seen alike, and a folder that nothing unpacked into it can leave."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Self

_KINDS = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "gz",
    ".tgz": "gz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
}
_WHAT = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard"}
_PIECE = 1 << 20


class TooLarge(ValueError):
    """What is unpacked comes to more than is allowed."""


def kind(said: str, path: str) -> str:
    """`zip`, `tar`, `gz`, `bz2` or `xz`, as said or by the name."""
    if said:
        return _KINDS[f".{said}"]
    found = [known for ending, known in _KINDS.items() if path.lower().endswith(ending)]
    if not found:
        raise ValueError(f"{path} has no ending that names a format; give `format`")
    return found[-1]


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in an archive."""

    name: str
    size: int
    mode: int
    """Permission bits; 0 where the archive has none."""
    modified: float
    what: str
    """`file`, `folder`, `link` (symbolic), `hard` or `other`."""
    target: str
    """Where a link leads."""
    raw: Any

    @property
    def is_folder(self) -> bool:
        return self.what == "folder"

    def shown(self) -> dict[str, Any]:
        """For `list` with `verbose`."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.modified))
        data = {
            "name": self.name,
            "type": self.what,
            "size": self.size,
            "mode": f"{self.mode:04o}",
            "modified": when,
        }
        return {**data, "target": self.target} if self.target else data


class Reader:
    """An archive to read."""

    def entries(self) -> Iterator[Entry]:
        """Everything in it, in its order."""
        raise NotImplementedError

    def open(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def verify(self) -> None:
        """Read every file to its end. Raises what the format raises for damage."""
        for entry in self.entries():
            if entry.what == "file":
                with self.open(entry) as file:
                    while file.read(_PIECE):
                        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Zip(Reader):
    def __init__(self, path: str, password: str) -> None:
        self._file = zipfile.ZipFile(path)
        self._password = password.encode() or None

    def entries(self) -> Iterator[Entry]:
        for info in self._file.infolist():
            mode = info.external_attr >> 16
            what = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
            target = self._file.read(info, self._password).decode() if what == "link" else ""
            when = time.mktime((*info.date_time, 0, 0, -1))
            yield Entry(info.filename, info.file_size, mode & 0o777, when, what, target, info)

    def open(self, entry: Entry) -> IO[bytes]:
        return self._file.open(entry.raw, pwd=self._password)

    def close(self) -> None:
        self._file.close()


class _Tar(Reader):
    def __init__(self, path: str, compression: str) -> None:
        mode: Any = "r:" if compression == "tar" else f"r:{compression}"
        self._file = tarfile.TarFile.open(path, mode)

    def entries(self) -> Iterator[Entry]:
        for info in self._file:
            what = _WHAT.get(info.type, "file" if info.isfile() else "other")
            yield Entry(info.name, info.size, info.mode & 0o777, info.mtime, what, info.linkname, info)

    def open(self, entry: Entry) -> IO[bytes]:
        try:
            file = self._file.extractfile(entry.raw)
        except KeyError:
            raise ValueError(f"{entry.name} links to {entry.target}, which is not in the archive") from None
        if file is None:
            raise ValueError(f"{entry.name} is no file")
        return file

    def close(self) -> None:
        self._file.close()


def opened(path: str, known: str, password: str = "") -> Reader:
    """An archive to read. Raises OSError, and what the format raises for one that is none."""
    return _Zip(path, password) if known == "zip" else _Tar(path, known)


class Writer:
    """An archive to make. Owners are left out: what is unpacked belongs to who unpacks it."""

    def __init__(self, path: str, known: str, level: int, follow: bool) -> None:
        self._follow = follow
        self._zip: zipfile.ZipFile | None = None
        if known == "zip":
            packing = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
            self._zip = zipfile.ZipFile(path, "w", packing, compresslevel=level, strict_timestamps=False)
            return
        name = {"xz": "preset", "gz": "compresslevel", "bz2": "compresslevel"}.get(known)
        options: dict[str, Any] = {name: max(level, 1 if known == "bz2" else 0)} if name else {}
        mode: Any = f"w:{known}" if name else "w:"
        self._tar = tarfile.TarFile.open(path, mode, dereference=follow, **options)

    def add(self, name: str, path: str) -> None:
        """Add a file or a link."""
        found = os.stat(path) if self._follow else os.lstat(path)
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise ValueError(f"{path} is neither a file nor a link")
        if self._zip is None:
            self._tar.add(path, name, recursive=False, filter=_without_owner)
        elif stat.S_ISLNK(found.st_mode):
            info = zipfile.ZipInfo(name, time.localtime(found.st_mtime)[:6])
            info.create_system, info.external_attr = 3, found.st_mode << 16
            self._zip.writestr(info, os.readlink(path))
        else:
            self._zip.write(path, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        (self._zip or self._tar).close()


def created(path: str, known: str, level: int, follow: bool) -> Writer:
    """An archive to write into."""
    return Writer(path, known, level, follow)


def _without_owner(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


class Folder:
    """Where an archive is unpacked. Each name is walked folder by folder, and no link is ever followed."""

    def __init__(self, top: str, *, overwrite: bool, limit: int) -> None:
        self._overwrite, self._left = overwrite, limit or None
        self._top = os.open(top, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self._top)

    def put(self, reader: Reader, entry: Entry, name: str) -> None:
        """Write one entry. Raises ValueError for what would leave the folder and for devices."""
        parts = _parts(name)
        if entry.what == "other":
            raise ValueError(f"{entry.name} is a device or a pipe")
        fd = self._enter(parts if entry.is_folder else parts[:-1])
        try:
            if entry.is_folder:
                return
            self._make_room(fd, parts[-1])
            if entry.what == "link":
                _require_inside(parts, entry)
                os.symlink(entry.target, parts[-1], dir_fd=fd)
            else:
                # A hard link is a copy of the file that the archive has under the other name.
                self._write(reader, entry, fd, parts[-1])
        finally:
            os.close(fd)

    def _enter(self, parts: list[str]) -> int:
        """A descriptor of a folder below, made where it is not there."""
        fd = os.dup(self._top)
        for part in parts:
            try:
                try:
                    os.mkdir(part, dir_fd=fd)
                except FileExistsError:
                    pass
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            except OSError as error:
                os.close(fd)
                raise ValueError(f"{'/'.join(parts)}: {part} is no folder of its own") from error
            os.close(fd)
            fd = below
        return fd

    def _make_room(self, fd: int, name: str) -> None:
        try:
            found = os.lstat(name, dir_fd=fd)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(found.st_mode) or not self._overwrite:
            raise FileExistsError(f"{name} is there already; `overwrite: true` replaces files")
        os.unlink(name, dir_fd=fd)

    def _write(self, reader: Reader, entry: Entry, fd: int, name: str) -> None:
        mode = (entry.mode or 0o666) & 0o777
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=fd)
        with os.fdopen(file, "wb") as out, reader.open(entry) as source:
            if self._left is None:
                shutil.copyfileobj(source, out, _PIECE)
            while self._left is not None and (piece := source.read(_PIECE)):
                self._left -= len(piece)
                if self._left < 0:
                    raise TooLarge("it unpacks to more than `max_bytes`")
                out.write(piece)
        os.utime(name, (entry.modified, entry.modified), dir_fd=fd, follow_symlinks=False)


def _parts(name: str) -> list[str]:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or name.startswith(("/", "\\")) or "\0" in name or not parts:
        raise ValueError(f"{name!r} leads out of the folder")
    return parts


def _require_inside(parts: list[str], entry: Entry) -> None:
    """A link may lead only to somewhere below the folder."""
    if entry.target.startswith("/"):
        raise ValueError(f"{entry.name} links to {entry.target}, out of the folder")
    depth = len(parts) - 1
    for part in entry.target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise ValueError(f"{entry.name} links to {entry.target}, out of the folder")
