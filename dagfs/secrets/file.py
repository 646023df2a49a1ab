"""Secrets from files: `provider: file`, `key` is a path, relative ones beside the DAG file.

The end of the last line is no part of the value. `options: {encoding: …, strip: false}` say otherwise.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dagfs.hooks import hookimpl
from dagfs.hooks.secret import SecretProvider, SecretRequest, SecretUnavailable

_LARGEST = 64 * 1024


class FileSecrets:
    """Regular files that the engine may read."""

    name = "file"

    def resolve(self, request: SecretRequest) -> str:
        path = Path(request.folder, os.path.expanduser(request.key))
        data = _read(path)
        if len(data) > _LARGEST:
            raise SecretUnavailable(f"the file {path} is larger than {_LARGEST:,} bytes")
        encoding = str(request.options.get("encoding", "utf-8"))
        try:
            text = data.decode(encoding)
        except (LookupError, UnicodeError):
            raise SecretUnavailable(f"the file {path} is no {encoding} text") from None
        if request.options.get("strip", True) in (False, "false"):
            return text
        return text.removesuffix("\n").removesuffix("\r")


def _read(path: Path) -> bytes:
    """At most one byte more than allowed. A FIFO or a device is refused, not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecretUnavailable(f"{path} is no regular file")
            return file.read(_LARGEST + 1)
    except OSError as error:
        raise SecretUnavailable(f"cannot read the file {path}: {error.strerror}") from None


@hookimpl
def secret_providers() -> Sequence[SecretProvider]:
    return [FileSecrets()]
