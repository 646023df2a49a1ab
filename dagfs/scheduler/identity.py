"""The ids of runs that are started by themselves: derived, so that nobody can start the same one twice."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

_LONGEST_NAME = 40


def scheduled_id(name: str, key: str, instant: datetime) -> str:
    """`nightly-import-20261121t0230z-3f9a0c`: the DAG, the minute in UTC, and which file it is.

    What is due within a minute, as only an `at` can be, has its seconds there too: `t023015z`.
    """
    moment = instant.astimezone(UTC)
    when = f"{moment:%Y%m%dt%H%M}{moment:%S}z" if moment.second else f"{moment:%Y%m%dt%H%M}z"
    return f"{_slug(name)}-{when}-{_digest(key, 6)}"


def file_id(name: str, key: str, path: str, stamp: str) -> str:
    """The run for one version of one file: `load-orders-file-3f9a0c12b4d5`."""
    return f"{_slug(name)}-file-{_digest(chr(0).join((key, path, stamp)), 12)}"


def _slug(name: str) -> str:
    text = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:_LONGEST_NAME].rstrip("-._")
    return text or "dag"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:length]
