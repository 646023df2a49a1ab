"""The only module that knows the record format: journal lines, and JSON documents.

A journal line is one ASCII JSON object whose last key, `c`, is the CRC-32 of the object without it:

    {"n":3,"t":"2026-11-21T02:30:28.123456Z","k":"k3f9x2ab","event":"step_started","step":"a","try":1,"c":"8f3a12cd"}

A document is an indented JSON object with `"format": 1` first; one that must never change is *sealed*:
its last key is the same kind of checksum, over all the text before it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagfs.errors import Damaged, NewerFormat
from dagfs.model.event import Event

FORMAT = 1
TORN = b"~torn\n"
"""Appended to a line that a crash cut short, so that it is never taken for a line gone bad."""
_CHECK = re.compile(rb',"c":"([0-9a-f]{8})"\}')
_CHECK_LENGTH = len(b',"c":"01234567"}')
_SEAL = re.compile(rb',\s*"c": ?"([0-9a-f]{8})"\s*\}\n')
_SEAL_LENGTH = 32
"""A bound on how long the end that holds the checksum can be."""
_RESERVED = frozenset({"n", "t", "k", "event", "c"})


class BadLine(ValueError):
    """A journal line that does not check out; the text says why."""


def encode_event(event: Event, token: str) -> bytes:
    """One journal line with its newline."""
    if _RESERVED & event.data.keys():
        raise ValueError(f"event data may not use the keys {sorted(_RESERVED & event.data.keys())}")
    record = {"n": event.n, "t": event.time, "k": token, "event": event.name, **event.data}
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b'%s,"c":"%08x"}\n' % (body[:-1], zlib.crc32(body))


def decode_event(line: bytes) -> tuple[Event, str]:
    """The event of a line, without its newline, and the token of the attempt that it names."""
    # A power cut may leave zeros where a newline was not yet on the disk.
    line = line.rstrip(b"\0")
    check = _CHECK.fullmatch(line, len(line) - _CHECK_LENGTH) if len(line) > _CHECK_LENGTH else None
    if check is None:
        raise BadLine("it has no checksum")
    body = line[:-_CHECK_LENGTH] + b"}"
    if zlib.crc32(body) != int(check[1], 16):
        raise BadLine("its checksum does not match")
    try:
        record = json.loads(body)
        n, time, token, name = (record.pop(key) for key in ("n", "t", "k", "event"))
    except (ValueError, KeyError, AttributeError, RecursionError):
        raise BadLine("it is not an event") from None
    return Event(n, time, name, record), token


def is_torn(tail: bytes) -> bool:
    """Whether an unterminated line is what a crash leaves: the beginning of a line, and no more."""
    try:
        _, end = json.JSONDecoder().raw_decode(tail.decode("ascii", "replace"))
    except (ValueError, RecursionError):
        return True
    # A whole object with something behind it is a line whose newline went bad.
    return end == len(tail)


def encode_document(data: Mapping[str, Any], *, sealed: bool = False, indent: bool = True) -> bytes:
    """A JSON document of this format, indented for people unless it is large."""
    text = json.dumps({"format": FORMAT, **data}, indent=1 if indent else None, allow_nan=False).encode(
        "ascii"
    )
    if not sealed:
        return text + b"\n"
    body = text.removesuffix(b"}").removesuffix(b"\n")
    form = b'%s,\n "c": "%08x"\n}\n' if indent else b'%s,"c":"%08x"}\n'
    return form % (body, zlib.crc32(body))


def decode_document(raw: bytes, path: Path, *, sealed: bool = False) -> dict[str, Any]:
    """The object of a document, without format and checksum. Damaged or NewerFormat name `path`."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise Damaged(f"{path} is damaged: it is not JSON", hint=_hint(sealed)) from None
    version = data.pop("format", None) if isinstance(data, dict) else None
    if type(version) is not int:
        raise Damaged(f"{path} is damaged: it has no format number", hint=_hint(sealed))
    if version > FORMAT:
        raise NewerFormat(
            f"{path} has format {version}, and this dagfs knows {FORMAT}",
            hint="use a newer dagfs for this store",
        )
    if sealed and not _seal_holds(raw):
        raise Damaged(f"{path} is damaged: its checksum does not match", hint=_hint(sealed))
    if sealed:
        del data["c"]
    return dict(data)


def _seal_holds(raw: bytes) -> bool:
    seal = _SEAL.search(raw, max(0, len(raw) - _SEAL_LENGTH))
    if seal is None or seal.end() != len(raw):
        return False
    return zlib.crc32(raw[: seal.start()]) == int(seal[1], 16)


def _hint(sealed: bool) -> str:
    return "it never changes once written: restore it from a backup" if sealed else "run `dagfs fsck`"
