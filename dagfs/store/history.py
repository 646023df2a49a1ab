"""A run as its records tell it: headers read and checked, journals folded; status.json decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagfs.errors import Damaged, NotFound
from dagfs.model.dag import Dag
from dagfs.model.fold import fold
from dagfs.model.run import Attempt, AttemptHeader, Run, RunHeader
from dagfs.store.capture import sha256
from dagfs.store.codec import decode_document
from dagfs.store.files import read_bytes
from dagfs.store.journal import JournalReading, read
from dagfs.store.layout import SPEC_NAME, RunPaths

_BACKUP = "captured records never change: restore it from a backup"


def _document(path: Path) -> dict[str, Any]:
    try:
        return decode_document(read_bytes(path), path, sealed=True)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing", hint="restore it from a backup") from None


def read_run_header(paths: RunPaths, run_id: str) -> RunHeader:
    """`run.json`. NotFound when there is no such run; Damaged when it is another run's."""
    if not paths.root.is_dir():
        raise NotFound(f"there is no run {run_id}")
    data = _document(paths.run_json)
    if data.get("id") != run_id:
        raise Damaged(
            f"{paths.run_json} says it is run {data.get('id')}, but its folder is called {run_id}",
            hint="a run's folder cannot be renamed or copied under another name: give it back its own",
        )
    return RunHeader.from_data(data)


def read_attempt_header(paths: RunPaths, n: int) -> AttemptHeader:
    """`attempt.json`, once the captured spec that it names is seen to be possible."""
    path = paths.attempt(n).attempt_json
    header = AttemptHeader.from_data(_document(path))
    if header.n != n or not SPEC_NAME.fullmatch(header.spec):
        raise Damaged(f"{path} does not belong to attempt {n}", hint=_BACKUP)
    return header


def read_spec(paths: RunPaths, header: AttemptHeader) -> bytes:
    """The captured text an attempt ran; Damaged when it is not the text it was."""
    path = paths.root / header.spec
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing", hint="restore it from a backup") from None
    if sha256(data) != header.spec_sha256:
        raise Damaged(
            f"{path} was changed after it was captured (attempt {header.n} ran another text)",
            hint=f"put your edit into {paths.next_spec.name} and restore this file from a backup",
        )
    return data


def read_base(paths: RunPaths, header: RunHeader) -> bytes:
    """The base.yaml of a run that is no child; Damaged when it is not the text it was."""
    if not header.base_sha256:
        return b""
    try:
        data = read_bytes(paths.base)
    except FileNotFoundError:
        raise Damaged(f"{paths.base} is missing", hint="restore it from a backup") from None
    if sha256(data) != header.base_sha256:
        raise Damaged(
            f"{paths.base} was changed after it was captured",
            hint=f"put what is to change into {paths.next_spec.name} and restore this file from a backup",
        )
    return data


def read_resolved(paths: RunPaths, header: AttemptHeader) -> dict[str, Any]:
    """The attempt's DAG as plain data; Damaged when it was read from another text."""
    path = paths.attempt(header.n).resolved
    data = _document(path)
    if data.get("spec_sha256") != header.spec_sha256 or not isinstance(data.get("dag"), dict):
        raise Damaged(f"{path} does not belong to {header.spec}", hint=_BACKUP)
    return dict(data["dag"])


def read_dag(paths: RunPaths, header: AttemptHeader) -> Dag:
    """The attempt's DAG."""
    return Dag.from_data(read_resolved(paths, header))


def read_journal(paths: RunPaths, header: AttemptHeader) -> JournalReading:
    """The attempt's journal; Damaged at the first line that does not check out."""
    path = paths.attempt(header.n).journal
    try:
        reading = read(path, token=header.token)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing", hint="restore it from a backup") from None
    if reading.damage:
        raise Damaged(f"{path} is damaged: {reading.damage[0]}", hint="run `dagfs fsck` to see everything")
    if not reading.events:
        raise Damaged(f"{path} is empty, but an attempt begins with its first line", hint="run `dagfs fsck`")
    return reading


def fold_journal(
    paths: RunPaths, header: AttemptHeader, reading: JournalReading, base: Attempt | None
) -> Attempt:
    """What the events make of the attempt's steps; Damaged when one cannot follow the others."""
    names = [step["name"] for step in read_resolved(paths, header).get("steps", ())]
    try:
        return fold(header, names, reading.events, base)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        path = paths.attempt(header.n).journal
        raise Damaged(f"{path} is damaged: {error}", hint="run `dagfs fsck`") from error


def read_attempt(paths: RunPaths, n: int, before: Mapping[int, Attempt]) -> tuple[Attempt, JournalReading]:
    """One attempt from its records; `before` holds the earlier ones."""
    header = read_attempt_header(paths, n)
    read_spec(paths, header)
    reading = read_journal(paths, header)
    return fold_journal(paths, header, reading, before.get(header.base)), reading


def read_run(paths: RunPaths, run_id: str) -> tuple[Run, tuple[int, int]]:
    """The whole run, and `as_of`: the newest journal's last number and its size in bytes.

    NotFound, Damaged, NewerFormat.
    """
    header = read_run_header(paths, run_id)
    attempts: dict[int, Attempt] = {}
    as_of = (0, 0)
    for n in paths.attempt_numbers():
        attempts[n], reading = read_attempt(paths, n, attempts)
        as_of = (reading.last, reading.size)
    if not attempts:
        raise Damaged(f"{paths.attempts} holds no attempt", hint="restore the run from a backup")
    return Run(header, tuple(attempts.values())), as_of
