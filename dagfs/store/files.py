"""The only module that writes: the few atomic steps every change of the store is made of.

Each call that changes the disk passes through `Disk._call` or `Disk._write`, so that a test can die or
fail at any of them. An `OSError` other than FileExistsError and FileNotFoundError leaves as a
`StoreError` that names the path, the cause and what to do.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from dagfs.errors import StoreError

T = TypeVar("T")
PENDING = ".new-"
"""What the name of a file begins with while it is being written."""
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEEP_SIZE = 1
_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, then repeat the command",
    errno.EDQUOT: "your disk quota is used up: free some space, then repeat the command",
    errno.EROFS: "the file system is read-only: mount it writable, then repeat the command",
    errno.EACCES: "look at the owner and mode of that path: was it made by another user?",
    errno.EPERM: "look at the owner and mode of that path: was it made by another user?",
    errno.EIO: "the disk reports an error: what was not acknowledged may be missing; run `dagfs fsck`",
    errno.EFBIG: "a file size limit was reached: see `ulimit -f`",
    errno.EMFILE: "too many open files: raise `ulimit -n`",
    errno.ENFILE: "too many open files on this machine",
    errno.EXDEV: "a run must lie on one file system: look for a mount or link inside it",
    errno.ELOOP: "a symbolic link stands where dagfs keeps a file of its own: remove it",
}


def store_error(verb: str, path: str | Path, error: OSError) -> StoreError:
    """`error` as one line that names the path, with a hint."""
    reason = error.strerror or str(error)
    return StoreError(f"cannot {verb} {path}: {reason}", hint=_HINTS.get(error.errno or 0))


def open_regular(path: str | Path) -> int:
    """A descriptor to read `path` with; refuses links, and FIFOs and devices without blocking on them.

    FileNotFoundError where nothing is there; StoreError for everything else.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise store_error("read", path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StoreError(f"cannot read {path}: not a regular file")
    return fd


def read_bytes(path: str | Path) -> bytes:
    """All of a regular file; errors as `open_regular`."""
    fd = open_regular(path)
    try:
        with open(fd, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise store_error("read", path, error) from error


def file_sha256(path: str | Path) -> str:
    """The digest of a regular file's bytes, read in pieces; errors as `open_regular`."""
    with open(open_regular(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _fallocate() -> Callable[[int, int, int, int], Any] | None:
    # By name, because verbs that only read are not to pay for the import.
    ctypes = importlib.import_module("ctypes")
    try:
        function = ctypes.CDLL(None).fallocate
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return cast("Callable[[int, int, int, int], Any]", function)


class Disk:
    """A file system as the store uses it; modes are private to the user, or to a `group`."""

    def __init__(self, *, group: bool = False, gid: int = -1) -> None:
        """With `group`, members of a directory's group may write too; `gid` is given to new folders."""
        self._group, self._gid = group, gid
        self._dir_mode = 0o2770 if group else 0o700
        self.file_mode = 0o660 if group else 0o600
        self._fixed_mode = 0o440 if group else 0o400

    @property
    def shares(self) -> bool:
        """Files are for their group too."""
        return self._group

    # -- the two gates ------------------------------------------------------------------------

    def _call(self, op: str, path: str, run: Callable[[], T], other: str = "") -> T:  # noqa: ARG002
        """One system call that changes the disk; a test overrides this to die or fail here."""
        return run()

    def _write(self, fd: int, path: str, data: bytes | memoryview) -> int:  # noqa: ARG002
        """One write(2), which may be short."""
        return os.write(fd, data)

    def _do(self, op: str, path: str | Path, run: Callable[[], T], other: str | Path = "") -> T:
        with _translated(op, path):
            return self._call(op, str(path), run, str(other))

    def _write_all(self, fd: int, path: str | Path, data: bytes) -> None:
        rest = memoryview(data)
        with _translated("write", path):
            while rest:
                rest = rest[self._write(fd, str(path), rest) :]

    # -- whole files --------------------------------------------------------------------------

    def put_new(self, path: str | Path, data: bytes, *, immutable: bool = False) -> None:
        """A new file, durable and complete from its first instant. FileExistsError when the name is taken."""
        pending = _pending(path)
        try:
            self._fill(pending, data, sync=True, immutable=immutable)
            self._do("link", path, lambda: os.link(pending, path), pending)
        finally:
            self._discard(pending)
        self.sync_dir(Path(path).parent)

    def put_staged(self, path: str | Path, data: bytes, *, immutable: bool = False) -> None:
        """A new file in a folder that `publish_dir` will sync and publish as a whole."""
        self._fill(path, data, sync=False, immutable=immutable)

    def write_program(self, path: str | Path, data: bytes) -> None:
        """A new file that its owner may execute; not synced. FileExistsError when the name is taken."""
        fd = self._create(path, 0o700)
        try:
            self._write_all(fd, path, data)
        finally:
            os.close(fd)

    def replace(self, path: str | Path, data: bytes, *, durable: bool = False) -> None:
        """Readers see the old content or the new; after a power cut that is sure only if `durable`."""
        pending = _pending(path)
        try:
            self._fill(pending, data, sync=durable, immutable=False)
            self._do("rename", pending, lambda: os.rename(pending, path), path)
        except BaseException:
            self._discard(pending)
            raise
        if durable:
            self.sync_dir(Path(path).parent)

    def replace_link(self, path: str | Path, target: str) -> None:
        """Make `path` a symbolic link to `target`, which is relative to it, at one instant."""
        pending = _pending(path)
        try:
            self._do("symlink", pending, lambda: os.symlink(target, pending), target)
            self._do("rename", pending, lambda: os.rename(pending, path), path)
        except BaseException:
            self._discard(pending)
            raise

    def _fill(self, path: str | Path, data: bytes, *, sync: bool, immutable: bool) -> None:
        fd = self._create(path, self._fixed_mode if immutable else self.file_mode)
        try:
            self._write_all(fd, path, data)
            if sync:
                self._do("fsync", path, lambda: os.fsync(fd))
        finally:
            os.close(fd)

    def _create(self, path: str | Path, mode: int, flags: int = 0) -> int:
        fd = self._do("create", path, lambda: os.open(path, _NEW | flags, mode))
        if self._group:
            # The umask has taken the group's rights away.
            self._do("chmod", path, lambda: os.fchmod(fd, mode))
        return fd

    def _discard(self, path: str | Path) -> None:
        with suppress(FileNotFoundError, StoreError):
            self._do("unlink", path, lambda: os.unlink(path))

    # -- folders ------------------------------------------------------------------------------

    def make_dir(self, path: str | Path) -> None:
        """One folder, whose parent exists; fine when it exists already."""
        try:
            self._do("mkdir", path, lambda: os.mkdir(path, self._dir_mode))
        except FileExistsError:
            if not os.path.isdir(path):
                raise StoreError(f"cannot make the folder {path}: a file is in its place") from None
            return
        if self._group:
            self._do("chmod", path, lambda: self._share(path))

    def _share(self, path: str | Path) -> None:
        if self._gid >= 0:
            os.chown(path, -1, self._gid)
        os.chmod(path, self._dir_mode)

    def sync_dir(self, path: str | Path) -> None:
        """Make the names in a folder durable."""
        fd = self._open_dir(path)
        try:
            self._do("fsync_dir", path, lambda: os.fsync(fd))
        finally:
            os.close(fd)

    def _open_dir(self, path: str | Path) -> int:
        with _translated("open", path):
            return os.open(path, _FOLDER)

    def publish_dir(self, stage: str | Path, target: str | Path) -> None:
        """Make a folder that was built apart appear complete at one instant, durable on return.

        FileExistsError when `target` is there already and not empty.
        """
        self._sync_tree(str(stage))
        try:
            self._do("rename", stage, lambda: _rename_dir(stage, target), target)
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, "exists already", str(target)) from None
        self.sync_dir(Path(target).parent)

    def exchange_dir(self, stage: str | Path, target: str | Path) -> None:
        """Put a folder that was built apart in the place of another at one instant, which goes to `stage`.

        Durable on return. StoreError where the file system cannot do that.
        """
        self._sync_tree(str(stage))
        self._do("exchange", stage, lambda: _exchange(stage, target), target)
        for parent in {Path(target).parent, Path(stage).parent}:
            self.sync_dir(parent)

    def _sync_tree(self, folder: str) -> None:
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                self._sync_tree(entry.path)
            elif entry.is_file(follow_symlinks=False):
                self.sync_file(entry.path)
        self.sync_dir(folder)

    def sync_file(self, path: str) -> None:
        """Make a file's content durable."""
        fd = open_regular(path)
        try:
            self._do("fsync", path, lambda: os.fsync(fd))
        finally:
            os.close(fd)

    def move(self, source: str | Path, target: str | Path) -> None:
        """Rename, replacing `target`; durable on return."""
        self._do("rename", source, lambda: os.rename(source, target), target)
        self.sync_dir(Path(target).parent)
        if Path(source).parent != Path(target).parent:
            self.sync_dir(Path(source).parent)

    def link_back(self, source: str | Path, target: str | Path) -> None:
        """Give the file `source` the name `target` instead. FileExistsError when that is taken."""
        self._do("link", target, lambda: os.link(source, target, follow_symlinks=False), source)
        self.sync_dir(Path(target).parent)
        self._do("unlink", source, lambda: os.unlink(source))

    def share_file(self, source: str | Path, target: str | Path) -> None:
        """Give a file that never changes a second name; where that cannot be, copy it."""
        try:
            self._do("link", target, lambda: os.link(source, target, follow_symlinks=False), source)
        except (StoreError, OSError):
            self.copy_file(source, target)

    def copy_file(self, source: str | Path, target: str | Path) -> None:
        """A copy of a file or of a link, with its time and mode."""
        # By name: it is seldom used, and loads three libraries of compression.
        copy = importlib.import_module("shutil").copy2
        self._do("copy", target, lambda: copy(source, target, follow_symlinks=False), source)

    def put_stream(self, path: str | Path, source: IO[bytes], mode: int, mtime_ns: int) -> None:
        """A new file with all that a stream gives; not yet durable, for a folder that is published later."""
        fd = self._create(path, self.file_mode | (mode & stat.S_IXUSR))
        try:
            while piece := source.read(1 << 20):
                self._write_all(fd, path, piece)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)

    def put_link(self, path: str | Path, target: str) -> None:
        """A new symbolic link."""
        self._do("symlink", path, lambda: os.symlink(target, path), target)

    def remove_file(self, path: str | Path) -> None:
        """Unlink a file; fine when it is gone already."""
        with suppress(FileNotFoundError):
            self._do("unlink", path, lambda: os.unlink(path))

    def remove_tree(self, path: str | Path) -> None:
        """Delete a folder and all below it, following no link; fine when it is gone already."""
        with suppress(FileNotFoundError):
            fd = self._open_dir(path)
            try:
                self._empty(fd, str(path))
            finally:
                os.close(fd)
            self._do("rmdir", path, lambda: os.rmdir(path))

    def _empty(self, fd: int, path: str) -> None:
        for entry in list(_entries(fd)):
            name, below = entry.name, os.path.join(path, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                self._remove(fd, name, below)
                continue
            with _translated("open", below):
                inner = os.open(name, _FOLDER, dir_fd=fd)
            try:
                self._empty(inner, below)
            finally:
                os.close(inner)
            self._remove(fd, name, below, folder=True)

    def _remove(self, fd: int, name: str, path: str, *, folder: bool = False) -> None:
        remove = os.rmdir if folder else os.unlink
        with suppress(FileNotFoundError):
            self._do(remove.__name__, path, lambda: remove(name, dir_fd=fd))

    # -- files that grow ----------------------------------------------------------------------

    def open_append(self, path: str | Path, *, reserve: int = 0, exclusive: bool = False) -> Appender:
        """Open a file to append to, made when missing; `reserve` bytes are kept free behind its end.

        FileExistsError with `exclusive` when it is there already.
        """
        try:
            fd = self._create(path, self.file_mode, os.O_APPEND)
        except FileExistsError:
            if exclusive:
                raise
            with _translated("open", path):
                fd = os.open(path, _APPEND)
        try:
            appender = Appender(self, fd, path, reserve)
            appender.reserve()
        except BaseException:
            os.close(fd)
            raise
        return appender


class Appender:
    """A file open for appending. After the disk failed to sync it, nothing more can be done with it."""

    def __init__(self, disk: Disk, fd: int, path: str | Path, reserve: int) -> None:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"cannot append to {path}: not a regular file")
        self.fd = fd
        self.path = Path(path)
        self.size = status.st_size
        """Where the next byte goes."""
        self._disk, self._ahead = disk, reserve
        self._reserved = 0
        self._poisoned: StoreError | None = None

    def write(self, data: bytes) -> None:
        """Append all of `data`. A StoreError may leave a part of it in the file."""
        self._usable()
        try:
            self._disk._write_all(self.fd, self.path, data)
        except StoreError:
            self.size = os.fstat(self.fd).st_size
            raise
        self.size += len(data)
        if self._ahead and self.size + self._ahead // 2 > self._reserved:
            self.reserve()

    def sync(self) -> None:
        """Make what was written durable."""
        self._usable()
        try:
            self._disk._do("fdatasync", self.path, lambda: os.fdatasync(self.fd))
        except StoreError as error:
            # The kernel marks the lost pages clean: a second sync would succeed without them.
            self._poisoned = error
            raise

    def reserve(self) -> None:
        """Keep space free behind the end, as far as the file system can and has any."""
        allocate = _fallocate()
        if self._ahead and allocate is not None:
            with suppress(StoreError):
                self._disk._do("reserve", self.path, lambda: self._allocate(allocate))

    def _allocate(self, allocate: Callable[[int, int, int, int], Any]) -> None:
        # Also on failure: a disk that is full or cannot reserve is asked again only after more was written.
        self._reserved = self.size + self._ahead
        allocate(self.fd, _KEEP_SIZE, self.size, self._ahead)

    def close(self) -> None:
        """Close the descriptor; nothing is synced."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _usable(self) -> None:
        if self._poisoned is not None:
            raise StoreError(self._poisoned.message, hint=self._poisoned.hint)
        if self.fd < 0:
            raise StoreError(f"cannot append to {self.path}: it is closed")


class _translated:  # noqa: N801 - used like a function
    """A context in which an OSError becomes a StoreError that names the path.

    A class, for one made of a generator takes three times as long, some twenty times a step.
    """

    __slots__ = ("_path", "_verb")

    def __init__(self, verb: str, path: str | Path) -> None:
        self._verb, self._path = verb, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileExistsError | FileNotFoundError):
            raise store_error(self._verb, self._path, error) from error


def _entries(folder: str | int) -> list[os.DirEntry[str]]:
    with _translated("list", str(folder)), os.scandir(folder) as entries:
        return list(entries)


def _rename_dir(stage: str | Path, target: str | Path) -> None:
    try:
        os.rename(stage, target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(errno.EEXIST, "exists already", str(target)) from None
        raise


_AT_CWD, _EXCHANGE = -100, 2


def _exchange(one: str | Path, other: str | Path) -> None:
    ctypes = importlib.import_module("ctypes")
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if libc.renameat2(_AT_CWD, names[0], _AT_CWD, names[1], _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def _pending(path: str | Path) -> str:
    return os.path.join(os.path.dirname(path), PENDING + os.urandom(6).hex())
