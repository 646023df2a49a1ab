"""What a step leaves behind: its outputs, its artifacts, and the files it wrote in the run's work folder."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagfs.errors import DagfsError
from dagfs.model.dag import Step
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import Disk
from dagfs.store.layout import StepPaths
from dagfs.store.logs import follow

LARGEST_OUTPUT = 1 << 20
_MOST_WORK_FILES = 5_000
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


def write_manifest(
    disk: Disk, paths: StepPaths, artifacts_dir: Path, work: Path, began_ns: int, *, strict: bool
) -> None:
    """Write manifest.json where the step left artifacts, or files in the run's work folder."""
    artifacts = {
        name: {"size": size, "sha256": file_sha256(Path(artifacts_dir, name))}
        for name, size, _ in _files(artifacts_dir)
    }
    changed = {
        name: {"size": size, "mtime_ns": mtime} for name, size, mtime in _files(work) if mtime >= began_ns
    }
    if strict:
        for name in artifacts:
            disk.sync_file(str(artifacts_dir / name))
    if artifacts or changed:
        data = encode_document({"artifacts": artifacts, "work": changed})
        disk.replace(paths.manifest, data, durable=strict)


def read_manifest(paths: StepPaths) -> Mapping[str, Any]:
    """manifest.json, or an empty one where the step left nothing."""
    try:
        data = paths.manifest.read_bytes()
    except FileNotFoundError:
        return {"artifacts": {}, "work": {}}
    return decode_document(data, paths.manifest)


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    prefix: str


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    """Regular files below `root`: relative name, size, mtime; links are not followed, the number bounded."""
    work = [_Folder(str(root), "")]
    left = _MOST_WORK_FILES
    while work:
        folder = work.pop()
        try:
            entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                # Another step removed it just now.
                continue
            if stat.S_ISDIR(found.st_mode):
                work.append(_Folder(entry.path, f"{folder.prefix}{entry.name}/"))
            elif stat.S_ISREG(found.st_mode) and left:
                left -= 1
                yield folder.prefix + entry.name, found.st_size, found.st_mtime_ns


def file_sha256(path: Path) -> str:
    """The digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
