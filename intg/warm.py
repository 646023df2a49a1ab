"""Runs `dagfs` commands of stories without the time that Python takes to load dagfs.

A server (`intg/warmed.py`), one for each worker of pytest, has everything loaded and forks for each command.
`DAGFS_COLD=1` in the environment has every command started afresh.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

MARK = "DAG_STORY"
"""A variable that dagfs hands on to steps, so that everything a story starts can be found."""
MARK_LENGTH = 16
_LARGEST_PIPE = 1 << 16
_SENSITIVE = ("PYTHON", "LANG", "LC_", "LD_", "FAKETIME", "TZ", "COVERAGE")
"""What begins so is read when an interpreter begins."""


class TooLong(Exception):
    """A command did not end in time; it was killed."""


class Server:
    """The side of the stories."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None

    def takes(self, env: Mapping[str, str]) -> bool:
        """Whether a command with this environment can be forked and be as if it had been started afresh."""
        usual = {"LANG": "C.UTF-8"}
        odd = [name for name in env if name.startswith(_SENSITIVE) and usual.get(name) != env[name]]
        return not odd and len(env.get(MARK, "")) == MARK_LENGTH and not os.environ.get("DAGFS_COLD")

    def run(
        self,
        program: str,
        words: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        data: bytes,
        within: float,
    ) -> tuple[int, bytes, bytes]:
        """What `PROGRAM WORDS` does: its exit code, standard output and standard error. Raises TooLong."""
        with self._lock:
            wire = self._wire or self._begin()
            given = _source(data)
            out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
            request = {"argv": [program, *words], "cwd": str(cwd), "env": dict(env)}
            text = json.dumps(request).encode()
            try:
                socket.send_fds(wire, [len(text).to_bytes(4, "big")], [given, out[1], err[1]])
                wire.sendall(text)
            finally:
                for fd in (given, out[1], err[1]):
                    os.close(fd)
            pid = int.from_bytes(_exactly(wire, 4), "big")
            deadline = time.monotonic() + within
            said = _read((out[0], err[0]), deadline, pid)
            wire.settimeout(max(1.0, deadline - time.monotonic()))
            code = int.from_bytes(_exactly(wire, 4), "big", signed=True)
            wire.settimeout(None)
            return code, said[0], said[1]

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        words = [sys.executable, "-P", str(Path(__file__).with_name("warmed.py")), str(theirs.fileno())]
        env = {MARK: "0" * MARK_LENGTH, "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            words, env=env, stdin=null, stdout=null, stderr=null, pass_fds=(theirs.fileno(),), cwd="/"
        )
        theirs.close()
        self._wire = ours
        return ours

    def close(self) -> None:
        if self._wire is not None and self._process is not None:
            self._wire.close()
            self._process.wait()
            self._wire = self._process = None


def _source(data: bytes) -> int:
    """A descriptor that `data` is read from."""
    if len(data) > _LARGEST_PIPE:
        fd = os.memfd_create("given")
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.write(writer, data)
    os.close(writer)
    return reader


def _read(fds: tuple[int, ...], deadline: float, pid: int) -> list[bytes]:
    """All that comes out of some pipes until nobody can write to them any more."""
    found: dict[int, list[bytes]] = {fd: [] for fd in fds}
    with selectors.DefaultSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise TooLong
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                found[key.fd].append(piece)
                if not piece:
                    selector.unregister(key.fd)
    for fd in fds:
        os.close(fd)
    return [b"".join(found[fd]) for fd in fds]


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
