"""Makes a step's main process: what it runs, with which streams, and what it does not inherit."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator

from dagfs.engine.launch import Launch
from dagfs.errors import DagfsError

_DEFAULTS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class Unstartable(DagfsError):
    """A step's process cannot be made; `code` is 127 where its command is not there, else 126."""

    def __init__(self, message: str, code: int = 126) -> None:
        super().__init__(message)
        self.code = code


class NoRoom(Unstartable):
    """This machine has no process or memory to spare just now."""


def spawn(launch: Launch, stdout: int, stderr: int) -> int:
    """Start the process in the current directory, in a session of its own; gives its pid.

    Its standard input is that of this process; every other descriptor is to be one that exec closes.
    Raises Unstartable, and NoRoom where another go may help.
    """
    name = launch.argv[0] if launch.argv else ""
    refusal: tuple[int, str] | None = None
    for path in _candidates(name, launch.env.get("PATH", os.defpath)):
        try:
            return _spawn(path, launch, stdout, stderr)
        except OSError as error:
            if error.errno not in _ABSENT:
                # Not the error itself, which holds this frame: a shim would keep both for ever.
                refusal = error.errno or 0, error.strerror or str(error)
            if error.errno not in _ABSENT | {errno.EACCES}:
                break
        except ValueError:
            raise Unstartable(f"cannot start {name!r}: a NUL in its arguments or environment") from None
    raise _explained(name, launch, refusal)


def _candidates(name: str, path: str) -> Iterator[str]:
    if "/" in name:
        yield name
    elif name:
        # An empty entry means the current directory.
        yield from (os.path.join(folder or ".", name) for folder in path.split(":"))


def _spawn(path: str, launch: Launch, stdout: int, stderr: int) -> int:
    streams = [(os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stderr, 2)]
    return os.posix_spawn(
        path, launch.argv, launch.env, file_actions=streams, setsid=True, setsigmask=(), setsigdef=_DEFAULTS
    )


def _explained(name: str, launch: Launch, refusal: tuple[int, str] | None) -> Unstartable:
    if refusal is None:
        if "/" in name and os.path.exists(name):
            # What is not there is the interpreter in its first line.
            return Unstartable(f"cannot start {name}: its interpreter is not there", 127)
        where = "" if "/" in name else " in the PATH of the step"
        return Unstartable(f"command not found{where}: {name!r}", 127)
    number, reason = refusal
    if number == errno.E2BIG:
        reason += f" ({_size(launch)} bytes of arguments and environment; use a file)"
    kind = NoRoom if number in _BUSY else Unstartable
    return kind(f"cannot start {name}: {reason}")


def _size(launch: Launch) -> int:
    pairs = sum(len(os.fsencode(key)) + len(os.fsencode(value)) + 2 for key, value in launch.env.items())
    return pairs + sum(len(os.fsencode(word)) + 1 for word in launch.argv)
