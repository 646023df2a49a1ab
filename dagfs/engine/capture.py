"""What a step leaves behind: its outputs, its artifacts, and the files it wrote in the run's work folder."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError, StoreError
from dagfs.model.dag import Step
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk, open_regular
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow

LARGEST_OUTPUT = 1 << 20
MOST_HASHED = 256 << 20
"""The most bytes of one step's artifacts that are read for their digests."""
_MOST_LOOKED_AT = 5_000
"""The most files and folders of `work/`, and of a step's artifacts, that are looked at when a step ends."""
_CLOCK_GRAIN_NS = 10_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class OutputRefused(DagfsError):
    """What a step put out cannot be kept; the step fails with this message."""


def collect_outputs(step: Step, paths: StepPaths, offset: int, output_file: Path) -> dict[str, str]:
    """The step's outputs by name: captured standard output, then what it wrote to $DAGFS_OUTPUT."""
    found: dict[str, str] = {}
    if step.output.name:
        data = follow(paths.stdout, offset, limit=LARGEST_OUTPUT + 1)
        if len(data) > LARGEST_OUTPUT:
            raise OutputRefused(
                f"output {step.output.name} is larger than {LARGEST_OUTPUT} bytes",
                hint="write it to a file in $DAGFS_ARTIFACTS_DIR and refer to that",
            )
        found[step.output.name] = data.decode("utf-8", "replace").strip()
    try:
        size = output_file.stat().st_size
    except OSError:
        return found
    if size > LARGEST_OUTPUT:
        raise OutputRefused(f"$DAGFS_OUTPUT is larger than {LARGEST_OUTPUT} bytes")
    text = follow(output_file, 0, limit=LARGEST_OUTPUT).decode("utf-8", "replace")
    return found | parse_output_file(text)


def parse_output_file(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END` … `END` for values of several lines."""
    found: dict[str, str] = {}
    # Not splitlines(): a value may hold any other character that ends lines somewhere.
    lines = iter(enumerate(text.removesuffix("\n").split("\n"), 1))
    for number, line in lines:
        if not line.strip():
            continue
        name, mark, rest = _split(line)
        if not mark or not _NAME.fullmatch(name):
            raise OutputRefused(
                f"$DAGFS_OUTPUT, line {number}: expected NAME=VALUE or NAME<<END, not {line[:60]!r}"
            )
        if mark == "=":
            found[name] = rest
            continue
        body = []
        for _, inner in lines:
            if inner == rest:
                break
            body.append(inner)
        else:
            raise OutputRefused(
                f"$DAGFS_OUTPUT, line {number}: {name}<<{rest} is never closed by a line {rest}"
            )
        found[name] = "\n".join(body)
    return found


def _split(line: str) -> tuple[str, str, str]:
    equals, heredoc = line.find("="), line.find("<<")
    mark = "<<" if heredoc >= 0 and (equals < 0 or heredoc < equals) else "="
    return line.partition(mark)


def write_outputs(disk: Disk, paths: StepPaths, outputs: Mapping[str, str]) -> str:
    """Write outputs.json, synced, and give its sha256; `""` and no file where there are no outputs."""
    if not outputs:
        return ""
    data, sha256 = encode_outputs(outputs)
    disk.replace(paths.outputs, data, durable=True)
    return sha256


def encode_outputs(outputs: Mapping[str, str]) -> tuple[bytes, str]:
    """The bytes of an outputs file, and their sha256."""
    data = encode_document({"outputs": dict(outputs)})
    return data, hashlib.sha256(data).hexdigest()


def earliest_change(began: float) -> int:
    """The earliest time, in ns, of a file that a step changed which began at `began`, in s since 1970.

    File times are those of the last tick of the kernel's clock, so a little too early.
    """
    return int(began * 1e9) - _CLOCK_GRAIN_NS


def write_manifest(
    disk: Disk, paths: StepPaths, artifacts_dir: Path, work: Path, began_ns: int, *, strict: bool
) -> None:
    """Write manifest.json where the step left artifacts, or files in the run's work folder.

    Where there is more than is looked at, `truncated` names the folders with the rest.
    """
    made, written = _Scan(artifacts_dir), _Scan(work, began_ns)
    artifacts = _described(made)
    if strict:
        for name in artifacts:
            with suppress(FileNotFoundError, StoreError):
                disk.sync_file(str(artifacts_dir / name))
    changed = {each.name: {"size": each.size, "mtime_ns": each.mtime_ns} for each in written}
    truncated = [name for name, scan in (("artifacts", made), ("work", written)) if scan.is_truncated]
    if artifacts or changed or truncated:
        content = {"artifacts": artifacts, "work": changed} | ({"truncated": truncated} if truncated else {})
        disk.replace(paths.manifest, encode_document(content), durable=strict)


def _described(made: _Scan) -> dict[str, dict[str, Any]]:
    """Each artifact with its digest, or with its time where there is too much to read, or no right to."""
    found: dict[str, dict[str, Any]] = {}
    left = MOST_HASHED
    for each in made:
        found[each.name] = {"size": each.size, "mtime_ns": each.mtime_ns}
        if each.size <= left:
            left -= each.size
            with suppress(FileNotFoundError, StoreError):
                found[each.name] = {"size": each.size, "sha256": file_sha256(made.root / each.name)}
    return found


def read_manifest(paths: StepPaths) -> Mapping[str, Any]:
    """manifest.json, or an empty one where the step left nothing."""
    try:
        data = paths.manifest.read_bytes()
    except FileNotFoundError:
        return {"artifacts": {}, "work": {}}
    return decode_document(data, paths.manifest)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    """Relative to the folder that was looked through."""
    size: int
    mtime_ns: int


class _Scan:
    """Regular files below a folder that changed since a time; links are not followed.

    Bounded in what it looks at, so that a full work folder does not slow every step.
    """

    def __init__(self, root: Path, since_ns: int = 0) -> None:
        self.root = root
        self.is_truncated = False
        self._since = since_ns

    def __iter__(self) -> Iterator[_File]:
        for looked, (name, found) in enumerate(self._entries()):
            if looked == _MOST_LOOKED_AT:
                self.is_truncated = True
                return
            if stat.S_ISREG(found.st_mode) and found.st_mtime_ns >= self._since:
                yield _File(name, found.st_size, found.st_mtime_ns)

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                entries = sorted(os.scandir(self.root / prefix), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    # Another step removed it just now.
                    continue
                if stat.S_ISDIR(found.st_mode):
                    folders.append(f"{prefix}{entry.name}/")
                yield prefix + entry.name, found


def file_sha256(path: Path) -> str:
    """The digest of a regular file's bytes, read in pieces. FileNotFoundError, StoreError."""
    with open(open_regular(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
