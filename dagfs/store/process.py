"""Which process is meant, so that a recycled pid is never taken for the one on record."""

from __future__ import annotations

import os
from functools import cache

from dagfs.model.dag import Plain
from dagfs.model.value import frozen


@frozen
class Identity(Plain):
    """A process for ever: its pid, when it started (clock ticks since boot), and in which boot."""

    pid: int = 0
    start: int = 0
    boot: str = ""


@cache
def boot_id() -> str:
    """This boot of this machine."""
    return kernel_text("/proc/sys/kernel/random/boot_id").strip()


@cache
def pid_namespace() -> int:
    """The space that our pids are numbers of: a container has one of its own. 0 where that is not known."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _stat_fields(pid: int) -> list[str]:
    # The command's name may hold spaces and parentheses; the rest is plain.
    return kernel_text(f"/proc/{pid}/stat").rpartition(")")[2].split()


def kernel_text(path: str) -> str:
    """A small file of the kernel's, with a third of the calls that `open` makes, for each step reads some."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096).decode("utf-8", "replace")
    finally:
        os.close(fd)


def identity(pid: int) -> Identity | None:
    """Who `pid` is now, or None where nothing alive has that number (a zombie is not alive)."""
    try:
        fields = _stat_fields(pid)
    except (OSError, ValueError):
        return None
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]), boot_id())


def is_alive(who: Identity) -> bool:
    """The very process that `who` names still runs."""
    return who.pid > 0 and identity(who.pid) == who
