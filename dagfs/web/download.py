"""Files of runs as a browser saves them, and never shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from starlette.responses import StreamingResponse

from dagfs.store.artifacts import open_artifact
from dagfs.store.logs import PIECE

_SANDBOX = "sandbox; default-src 'none'"


def artifact(folder: Path, name: str) -> StreamingResponse:
    """The bytes of an artifact. NotFound for what is none, or would be reached through a link."""
    fd = open_artifact(folder, name)
    size = os.fstat(fd).st_size
    headers = {
        "Content-Disposition": attachment(name),
        "Content-Security-Policy": _SANDBOX,
        "Content-Length": str(size),
    }
    return StreamingResponse(_bytes(fd, size), media_type="application/octet-stream", headers=headers)


def _bytes(fd: int, left: int) -> Iterator[bytes]:
    with open(fd, "rb", buffering=0) as file:
        while left > 0 and (data := file.read(min(left, PIECE))):
            yield data
            left -= len(data)


def attachment(name: str) -> str:
    """A header that has a browser save what follows under a harmless name."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    full = quote(os.path.basename(name) or "file", safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
