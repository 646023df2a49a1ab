"""Calls a stranger's code in a process of its own, for so long and no longer.

What the code does to its process (its directory, umask, signal handlers, standard output, its end) is
then nobody else's. It sees everything this process has, and gives back one value.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_PIECE = 1 << 16
_HEADER = 8
"""Bytes that say how long an answer is."""
_PR_SET_PDEATHSIG = 1
_WATCHED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

_guests: set[bool] = set()
"""Holds something once a stranger was here."""


class Escaped(Exception):
    """The call came to no value. The message is one line: what it raised, or how its process ended."""

    def __init__(self, message: str, error: BaseException | None = None) -> None:
        super().__init__(message)
        self.error = error
        """What was raised, where it could be handed over."""


def call(function: Callable[..., T], *arguments: Any, limit_sec: float) -> T:
    """The value of `function(*arguments)`, computed in a child of this process. Raises Escaped.

    The value must be one that can be pickled. 0 for `limit_sec` is no limit.
    """
    reader, writer = os.pipe()
    try:
        child = fork(lambda: _answer(writer, function, arguments), writer)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    data, in_time = b"", False
    try:
        data, in_time = _read(reader, limit_sec)
    finally:
        os.close(reader)
        status = ending(child) if in_time and not data else end(child)
    if not in_time:
        raise Escaped(f"it took longer than {limit_sec:g} s and was killed")
    if not data:
        raise Escaped(ended(status))
    value: T = _value(data)
    return value


def fork(work: Callable[[], object], *keep: int) -> int:
    """A child that does nothing but `work`, in a place of its own; its process id."""
    # What is still buffered would be printed by both. The library is loaded once, not in every child.
    _flush()
    _system()
    child = os.fork()
    if child == 0:
        try:
            enter(*keep)
            work()
        finally:
            # Whatever happens: nothing of the parent's is to go on in here.
            os._exit(1)
    return child


@lru_cache
def _system() -> Any:
    """The C library. Where no stranger is called, nobody pays for loading ctypes."""
    return importlib.import_module("ctypes").CDLL(None)


@lru_cache
def _pickle() -> Any:
    return importlib.import_module("pickle")


def _flush() -> None:
    """Print what is buffered, as far as there is somebody to take it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.flush()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _require_stderr() -> None:
    """Standard error is where all goes that is printed; where it is closed, nowhere."""
    if not _is_open(2):
        null = os.open(os.devnull, os.O_WRONLY)
        if null != 2:
            os.dup2(null, 2)
            os.close(null)


def enter(*keep: int) -> None:
    """Make the process just forked a place of its own: no descriptors but `keep`, no terminal, no heirs."""
    os.setsid()
    _system().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    for number in _WATCHED:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Standard output may be a stream of JSON that somebody reads.
    _require_stderr()
    os.dup2(2, 1)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                continue


def end(child: int) -> int:
    """Kill a child and all it started that did not leave its session; its wait status."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        return os.waitpid(child, 0)[1]
    except ChildProcessError:
        return 0


def ending(child: int) -> int:
    """The wait status of a child that has closed its end of the line: it is about to end, or is ended."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    return end(child)


def ended(status: int) -> str:
    """How a child ended that gave no answer, in words."""
    if os.WIFSIGNALED(status):
        return f"its process was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"it ended its process with {os.WEXITSTATUS(status)}"


def described(error: BaseException) -> str:
    """An exception in one line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - whatever a plugin's own exception does when it is printed
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _answer(writer: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> NoReturn:
    """Compute, tell, and end the child at once: nothing of the parent's is to be cleaned up in it."""
    try:
        data = _pickle().dumps((function(*arguments), ""))
    except BaseException as error:  # noqa: BLE001 - told to the parent, whatever it is
        data = _failure(error)
    # With its length before it: what the plugin started may hold this pipe open for ever.
    view = memoryview(len(data).to_bytes(_HEADER, "big") + data)
    try:
        while view:
            view = view[os.write(writer, view) :]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _failure(error: BaseException) -> bytes:
    """The exception itself where it survives the way, else its text."""
    try:
        data: bytes = _pickle().dumps((error, described(error)))
        _pickle().loads(data)
    except Exception:  # noqa: BLE001 - exceptions can have any constructor
        data = _pickle().dumps((None, described(error)))
    return data


def _value(data: bytes) -> Any:
    try:
        value, failed = _pickle().loads(data)
    except Exception as error:
        raise Escaped(f"its answer cannot be read: {described(error)}") from error
    if failed:
        raise Escaped(failed, value if isinstance(value, BaseException) else None)
    return value


def _read(reader: int, limit_sec: float) -> tuple[bytes, bool]:
    """The answer, empty where there is none, and whether it came, or the end, in time."""
    deadline = time.monotonic() + limit_sec if limit_sec else None
    found = bytearray()
    # Not `select`: this may be the two thousandth descriptor.
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not poller.poll(left):
            return b"", False
        piece = os.read(reader, _PIECE)
        found += piece
        size = int.from_bytes(found[:_HEADER], "big") if len(found) >= _HEADER else None
        if size is not None and len(found) >= _HEADER + size:
            return bytes(found[_HEADER : _HEADER + size]), True
        if not piece:
            return b"", True


def has_guests() -> bool:
    """Code that is not dagfs's own was called in this process, and may have left anything in it."""
    return bool(_guests)


@contextmanager
def unchanged() -> Iterator[None]:
    """Put back, at the end, what code may change of this process; what it prints goes to standard error."""
    _guests.add(True)
    folder, mask = _folder(), os.umask(0o077)
    os.umask(mask)
    handlers = {number: signal.getsignal(number) for number in _WATCHED}
    streams = (sys.stdout, sys.stderr)
    _flush()
    _require_stderr()
    out = os.dup(1) if _is_open(1) else os.open(os.devnull, os.O_WRONLY)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        _flush()
        os.dup2(out, 1)
        os.close(out)
        sys.stdout, sys.stderr = streams
        os.umask(mask)
        if folder:
            os.chdir(folder)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
