"""Reading logs while they grow, in pieces: a log may be larger than the memory."""

from __future__ import annotations

import os
from pathlib import Path

from dagfs.errors import NotFound
from dagfs.store.files import open_regular, store_error

PIECE = 1024 * 1024
"""The most bytes that one call returns unless told otherwise."""
_BLOCK = 64 * 1024


def _read(fd: int, start: int, length: int, path: Path) -> bytes:
    parts = []
    while length > 0:
        try:
            part = os.pread(fd, min(length, PIECE), start)
        except OSError as error:
            raise store_error("read", path, error) from error
        if not part:
            break
        parts.append(part)
        start, length = start + len(part), length - len(part)
    return b"".join(parts)


def _open(path: Path) -> int:
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise NotFound(f"there is no log {path}") from None


def size(path: Path) -> int:
    """The log's size in bytes; 0 where there is none yet."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def read_range(path: Path, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`, fewer where the log ends before. NotFound."""
    fd = _open(path)
    try:
        return _read(fd, max(0, start), end - max(0, start), path)
    finally:
        os.close(fd)


def tail(path: Path, lines: int, *, limit: int = PIECE) -> bytes:
    """The last lines, of at most `limit` bytes in all; the first of them may be cut then. NotFound."""
    fd = _open(path)
    try:
        end = os.fstat(fd).st_size
        floor = max(0, end - limit)
        return _last_lines(fd, floor, end, lines, path)
    finally:
        os.close(fd)


def _last_lines(fd: int, floor: int, end: int, lines: int, path: Path) -> bytes:
    if lines <= 0:
        return b""
    start, data = end, b""
    # The newline that ends the last line separates nothing.
    while start > floor and data[:-1].count(b"\n") < lines:
        step = min(_BLOCK, start - floor)
        start -= step
        data = _read(fd, start, step, path) + data
    body, last = data[:-1], data[-1:]
    return b"\n".join(body.split(b"\n")[-lines:]) + last


def follow(path: Path, offset: int, *, limit: int = PIECE) -> bytes:
    """What is there behind `offset` now, at most `limit` bytes; empty where the log is not there yet."""
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return b""
    try:
        return _read(fd, offset, limit, path)
    finally:
        os.close(fd)


def find_back(path: Path, word: bytes, end: int, *, most: int = 256 * PIECE) -> int | None:
    """Where the line begins that has `word` in it, the last such line before `end`; None where there is none.

    Upper and lower case of ASCII letters are the same. At most so many bytes are looked at. NotFound.
    """
    word = word.lower()
    fd = _open(path)
    try:
        floor = max(0, end - most)
        while word and end > floor:
            start = max(floor, end - PIECE)
            data = _read(fd, start, end - start, path).lower()
            at = data.rfind(word)
            if at >= 0:
                line = data.rfind(b"\n", 0, at) + 1
                return start + (line if line or not start else at)
            # The word may begin in this piece and end in the next.
            end = start + len(word) - 1 if start > floor else floor
    finally:
        os.close(fd)
    return None
