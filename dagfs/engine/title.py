"""What `ps` shows of a process: its name, and in place of its command line a title."""

from __future__ import annotations

import ctypes

from dagfs.engine.shim import name_process

_ARG_START, _ARG_END = 45, 46
"""Where /proc/PID/stat has the ends of the command line, counted behind the name."""


def title_process(name: str, title: str = "") -> None:
    """Name this process, and write `title` over its command line, as far as there is room for it.

    Does nothing about the title where the system does not say where the command line lies.
    """
    name_process(name)
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    except (OSError, ValueError, IndexError):
        return
    room = end - start - 1
    if start and room > 0:
        shown = (title or name).encode("utf-8", "replace")[:room]
        # Python has copies of its arguments; nobody else reads these bytes.
        ctypes.memmove(start, shown.ljust(room + 1, b"\0"), room + 1)
