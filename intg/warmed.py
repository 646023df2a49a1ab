"""`python intg/warmed.py FD`: forks a `dagfs` command for each request of a story.

What it forks has the words, environment, folder and streams of that command, and is found by its story's
mark, as a program started afresh is.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from dagfs.cli.main import VERBS, main, verb_parser
from dagfs.engine.rehearsal import rehearse
from dagfs.engine.shim import close_inherited, name_process
from dagfs.store.record import warm_up

MARK = "DAG_STORY"
_ENV_START = 47
"""Where /proc/PID/stat has the beginning of the environment, counted behind the name."""
_HEAVY = ("serve", "up")


def serve(wire: socket.socket) -> None:
    """One command after the other, until nobody asks any more."""
    mark = _mark_address()
    while True:
        head, fds, _, _ = socket.recv_fds(wire, 4, 3)
        if not head:
            return
        request = json.loads(wire.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        pid = os.fork()
        if not pid:
            _be(request, fds, mark)
        for fd in fds:
            os.close(fd)
        wire.sendall(pid.to_bytes(4, "big"))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        wire.sendall(code.to_bytes(4, "big", signed=True))


def _be(request: dict[str, Any], fds: list[int], mark: int) -> None:
    """All of the child's life."""
    code = 70
    try:
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
        close_inherited()
        env: dict[str, str] = request["env"]
        ctypes.memmove(mark, env[MARK].encode(), len(env[MARK]))
        os.environ.clear()
        os.environ.update(env)
        os.chdir(request["cwd"])
        tempfile.tempdir = None
        sys.argv = request["argv"]
        sys.path.insert(0, os.path.dirname(sys.argv[0]))
        name_process("dagfs")
        gc.enable()
        code = main(sys.argv[1:])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(code)


def _mark_address() -> int:
    """Where in memory the system looks for the mark in this process's environment."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    environment = Path("/proc/self/environ").read_bytes()
    return int(fields[_ENV_START]) + environment.index(f"{MARK}=".encode()) + len(MARK) + 1


def prepare() -> None:
    """Load what commands need."""
    for verb in VERBS:
        if verb not in _HEAVY:
            verb_parser(verb)[1].format_usage()
    rehearse()
    warm_up()
    gc.collect()
    gc.disable()
    gc.freeze()


if __name__ == "__main__":
    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
