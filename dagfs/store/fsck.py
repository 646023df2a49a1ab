"""Checking a store: every digest, checksum, number and transition. It repairs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from dagfs.errors import DagfsError
from dagfs.model.event import STEP_FINISHED, STEP_MARKED
from dagfs.model.run import Attempt, AttemptHeader, Run, RunHeader
from dagfs.model.value import frozen
from dagfs.store import words
from dagfs.store.codec import decode_document, encode_document
from dagfs.store.files import PENDING, file_sha256, read_bytes
from dagfs.store.history import (
    fold_journal,
    read_attempt_header,
    read_base,
    read_resolved,
    read_run_header,
    read_spec,
)
from dagfs.store.journal import JournalReading, read
from dagfs.store.layout import STAGE, AttemptPaths, RunPaths, StepPaths, valid_run_id
from dagfs.store.runs import RunStore
from dagfs.store.status import status_document

_RUN_NAMES = frozenset(
    {"run.json", "spec.next.yaml", ".lock", "owner.json", "status.json", "work", "attempts", "children"}
)
_LEFTOVERS = (STAGE, PENDING)


@frozen
class Damage:
    """One thing that does not check out."""

    path: Path
    line: int
    """Counts from 1; 0 means the file as a whole."""
    message: str
    fatal: bool
    """The run cannot be relied on. Otherwise it is worth knowing, and nothing is lost."""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {'damaged' if self.fatal else 'note'}: {self.message}"


def check_store(store: RunStore) -> list[Damage]:
    """Check every run, and look for what does not belong."""
    found: list[Damage] = []
    if not store.home.runs.exists():
        message = "there is no store: no run was made yet, or its disk is not mounted"
        return [Damage(store.home.runs, 0, message, False)]
    try:
        store.store_id()
    except DagfsError as error:
        found.append(Damage(store.home.marker, 0, error.message, True))
    found += _aliens(store.home.runs, frozenset({store.home.marker.name}))
    for run_id in store.ids():
        found += check_run(store, run_id)
    return found


def check_run(store: RunStore, run_id: str) -> list[Damage]:
    """Everything wrong with one run and its children."""
    paths = store.paths(run_id)
    try:
        header: RunHeader | None = read_run_header(paths, run_id)
    except DagfsError as error:
        found, header = [Damage(paths.run_json, 0, error.message, True)], None
    else:
        found = _base(paths, header) if header else []
    found += _run_names(paths, header)
    attempts: dict[int, Attempt] = {}
    for n in paths.attempt_numbers():
        found += _Check(paths, header, attempts).attempt(n)
    if not paths.attempt_numbers():
        found.append(Damage(paths.attempts, 0, "there is no attempt", True))
    for child in store.children(run_id):
        found += check_run(store, child)
    return found


def _base(paths: RunPaths, header: RunHeader) -> list[Damage]:
    """What is wrong with the captured base.yaml."""
    try:
        read_base(paths, header)
    except DagfsError as error:
        return [Damage(paths.base, 0, error.message, True)]
    return []


def _run_names(paths: RunPaths, header: RunHeader | None) -> Iterator[Damage]:
    specs = {path.name for path in map(paths.spec, paths.spec_versions())}
    specs |= {paths.base.name} if header is None or header.base_sha256 else set()
    said = {path.name for path, _, word in words.found(paths) if word is not None}
    yield from _aliens(paths.root, _RUN_NAMES | specs | said)
    numbers = paths.attempt_numbers()
    yield from _aliens(paths.attempts, frozenset(map(str, numbers)))
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        yield Damage(paths.attempts, 0, f"attempts are missing: there are {numbers}", False)


def _aliens(folder: Path, known: frozenset[str]) -> Iterator[Damage]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name in known or (valid_run_id(name) and (folder / name / "run.json").exists()):
            continue
        left = name.startswith(_LEFTOVERS)
        what = "left by an engine that died; it will be cleared away" if left else "not of dagfs; ignored"
        yield Damage(folder / name, 0, what, False)


class _Check:
    """Checks one attempt after another; `attempts` gathers those that could be folded."""

    def __init__(self, paths: RunPaths, header: RunHeader | None, attempts: dict[int, Attempt]) -> None:
        self._paths, self._header, self._attempts = paths, header, attempts

    def attempt(self, n: int) -> Iterator[Damage]:
        paths = self._paths.attempt(n)
        try:
            header = read_attempt_header(self._paths, n)
        except DagfsError as error:
            yield Damage(paths.attempt_json, 0, error.message, True)
            return
        yield from self._texts(header)
        yield from self._journal(paths, header)

    def _texts(self, header: AttemptHeader) -> Iterator[Damage]:
        try:
            read_spec(self._paths, header)
        except DagfsError as error:
            yield Damage(self._paths.root / header.spec, 0, error.message, True)
        try:
            read_resolved(self._paths, header)
        except DagfsError as error:
            yield Damage(self._paths.attempt(header.n).resolved, 0, error.message, True)

    def _journal(self, paths: AttemptPaths, header: AttemptHeader) -> Iterator[Damage]:
        try:
            reading = read(paths.journal, token=header.token)
        except FileNotFoundError:
            yield Damage(paths.journal, 0, "it is missing", True)
            return
        except DagfsError as error:
            yield Damage(paths.journal, 0, error.message, True)
            return
        if reading.damage or not reading.events:
            yield from _lines(paths.journal, reading)
            return
        try:
            attempt = fold_journal(self._paths, header, reading, self._attempts.get(header.base))
        except DagfsError as error:
            yield Damage(paths.journal, 0, error.message, True)
            return
        self._attempts[header.n] = attempt
        yield from self._outputs(paths, reading)
        yield from _marked_outputs(paths, reading)
        yield from _manifests(paths)
        yield from self._status(paths, reading)

    def _outputs(self, paths: AttemptPaths, reading: JournalReading) -> Iterator[Damage]:
        digests = {
            event.step or "": str(event.data["outputs_sha256"])
            for event in reading.events
            if event.name == STEP_FINISHED and event.data.get("outputs_sha256")
        }
        for name, digest in digests.items():
            # An adopted step goes on writing where it began.
            step = self._attempts[int(paths.root.name)].steps[name]
            places = {paths.root.name, str(step.log_attempt or paths.root.name)}
            files = [
                self._paths.attempt(int(place)).step(name).outputs for place in sorted(places, reverse=True)
            ]
            if not any(_sha256(file) == digest for file in files):
                yield Damage(files[0], 0, f"it is not what step {name!r} was recorded with", True)

    def _status(self, paths: AttemptPaths, reading: JournalReading) -> Iterator[Damage]:
        try:
            stored = decode_document(read_bytes(paths.status), paths.status)
            n, offset = stored["as_of"]["n"], stored["as_of"]["offset"]
            ahead = n > reading.last or offset > reading.size
        except FileNotFoundError:
            return
        except (DagfsError, KeyError, TypeError):
            yield Damage(paths.status, 0, "it is not a status document; the journal counts", False)
            return
        if ahead:
            yield Damage(
                paths.journal,
                0,
                f"status.json has seen event {n}, the journal ends at {reading.last}: rolled back?",
                False,
            )
        elif n < reading.last:
            yield Damage(paths.status, 0, f"it is stale: it has seen event {n} of {reading.last}", False)
        elif self._header is not None and not self._is_view(stored, n, offset):
            yield Damage(paths.status, 0, "it does not say what the journal says; the journal counts", False)

    def _is_view(self, stored: dict[str, Any], n: int, offset: int) -> bool:
        if self._header is None:
            return True
        run = Run(self._header, tuple(self._attempts.values()))
        for complete in (False, True):
            document = status_document(run, as_of=(n, offset), complete=complete)
            if stored == decode_document(encode_document(document), Path()):
                return True
        return False


def _marked_outputs(paths: AttemptPaths, reading: JournalReading) -> Iterator[Damage]:
    for event in reading.events:
        digest = str(event.data.get("outputs_sha256", ""))
        if event.name == STEP_MARKED and digest:
            file = paths.step(event.step or "").marked_outputs(digest)
            if _sha256(file) != digest:
                yield Damage(file, 0, f"it is not what step {event.step!r} was marked with", True)


def _lines(path: Path, reading: JournalReading) -> Iterator[Damage]:
    for text in reading.damage:
        place, _, message = text.removeprefix("line ").partition(": ")
        yield Damage(path, int(place), message, True)
    if not reading.events:
        yield Damage(path, 0, "it has no events, but an attempt begins with its first line", True)


def _manifests(paths: AttemptPaths) -> Iterator[Damage]:
    for folder in (paths.steps, paths.handlers):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            yield from _manifest(StepPaths(folder / name))


def _manifest(step: StepPaths) -> Iterator[Damage]:
    try:
        listed = decode_document(read_bytes(step.manifest), step.manifest)["artifacts"]
        # A large artifact has a time instead of a digest.
        expected = {str(name): (entry["size"], entry.get("sha256")) for name, entry in listed.items()}
    except FileNotFoundError:
        return
    except (DagfsError, KeyError, TypeError, AttributeError):
        yield Damage(step.manifest, 0, "it is not a list of artifacts", True)
        return
    artifacts = _artifacts(step) if expected else step.artifacts
    for name, (size, digest) in expected.items():
        path = artifacts / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            yield Damage(step.manifest, 0, f"{name!r} leads out of the artifacts", True)
        elif not path.exists():
            yield Damage(path, 0, "the artifact is gone", False)
        elif _size(path) != size or (digest is not None and _sha256(path) != digest):
            yield Damage(path, 0, "the artifact was changed after its step ended", True)


def _artifacts(step: StepPaths) -> Path:
    """Where the artifacts of a manifest are: an adopted step's lie where it was started."""
    attempt = step.root.parents[1]
    for n in range(int(attempt.name), 0, -1):
        found = StepPaths(attempt.with_name(str(n)) / step.root.relative_to(attempt)).artifacts
        if found.is_dir():
            return found
    return step.artifacts


def _size(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return -1


def _sha256(path: Path) -> str:
    """The file's digest, empty where it cannot be read."""
    try:
        return file_sha256(path)
    except (OSError, DagfsError):
        return ""
