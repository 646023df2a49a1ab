"""What a child program is given, and how it ends."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

_PREFIX = "DAGFS_TASK_"


def take() -> dict[str, Any]:
    """The task, taken out of the environment so that nothing started from here gets it too."""
    pieces: list[str] = []
    while (piece := os.environ.pop(f"{_PREFIX}{len(pieces) + 1}", None)) is not None:
        pieces.append(piece)
    found = json.loads("".join(pieces) or "{}")
    return found if isinstance(found, dict) else {}


def told(error: BaseException) -> str:
    """What went wrong, in words: of the system's errors the path and the reason, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one line on standard error, and with this exit code even where a full disk takes no line."""
    text = " ".join(message.split())
    try:
        sys.stdout.flush()
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
        sys.stderr.flush()
    except OSError:
        os._exit(code)
    sys.exit(code)
