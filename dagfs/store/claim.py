"""The right to write one run: everything that changes a run that exists goes through a `Claim`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dagfs.errors import Damaged, LostOwnership, StoreError
from dagfs.model.dag import Dag
from dagfs.model.event import ATTEMPT_STARTED, Event
from dagfs.model.run import AttemptHeader, RunHeader, Word
from dagfs.store import words
from dagfs.store.capture import sha256
from dagfs.store.codec import encode_document, encode_event
from dagfs.store.files import PENDING, Disk, read_bytes
from dagfs.store.history import read_attempt_header
from dagfs.store.journal import RESERVE, JournalWriter
from dagfs.store.layout import STAGE, AttemptPaths, RunPaths, stages
from dagfs.store.lines import timestamp
from dagfs.store.locks import RunLock

_LEFTOVER_SEC = 3600.0
_SMALL = 200
"""Up to this many steps status.json is indented for people."""


First = tuple[str, Mapping[str, Any]]
"""The name and data of an event that is true from an attempt's first instant."""


def stage_attempt(
    disk: Disk,
    paths: AttemptPaths,
    header: AttemptHeader,
    dag: Dag,
    time_: str,
    events: Sequence[First] = (),
) -> None:
    """Write a new attempt's files into a folder that will be published as a whole."""
    started = {
        "attempt": header.n,
        "spec": header.spec,
        "reason": header.reason,
        "actor": header.actor.as_data(),
    }
    lines = [
        encode_event(Event(n, time_, name, data), header.token)
        for n, (name, data) in enumerate([(ATTEMPT_STARTED, started), *events], 1)
    ]
    disk.make_dir(paths.root)
    # Also at their defaults: people read this file.
    data = {"n": header.n, "spec": header.spec, **header.as_data()}
    disk.put_staged(paths.attempt_json, encode_document(data, sealed=True), immutable=True)
    resolved = {"spec_sha256": header.spec_sha256, "dag": dag.as_data()}
    disk.put_staged(paths.resolved, encode_document(resolved, sealed=True, indent=False), immutable=True)
    journal = disk.open_append(paths.journal, reserve=RESERVE, exclusive=True)
    try:
        journal.write(b"".join(lines))
    finally:
        journal.close()


def stage_run(
    disk: Disk,
    stage: RunPaths,
    header: RunHeader,
    spec: bytes,
    attempt: AttemptHeader,
    dag: Dag,
    time_: str,
    base: bytes = b"",
) -> None:
    """Write a new run's files into a folder that will be published as a whole.

    `base` is the base.yaml that its specs are read with, where that is not its root's.
    """
    if sha256(spec) != attempt.spec_sha256 or (base and sha256(base) != header.base_sha256):
        raise ValueError(f"the attempt of run {header.id} names another text than its spec")
    if base:
        disk.put_staged(stage.base, base, immutable=True)
    disk.put_staged(stage.run_json, encode_document(header.as_data(), sealed=True), immutable=True)
    disk.put_staged(stage.root / attempt.spec, spec, immutable=True)
    disk.make_dir(stage.work)
    disk.make_dir(stage.attempts)
    stage_attempt(disk, stage.attempt(attempt.n), attempt, dag, time_)


class Claim:
    """A run that this process holds. `RunStore.create` and `RunStore.claim` make one."""

    def __init__(
        self, disk: Disk, paths: RunPaths, lock: RunLock, token: str, now: Callable[[], datetime]
    ) -> None:
        self.paths = paths
        self.token = token
        self._disk, self._lock, self._now = disk, lock, now
        self._linked: str | None = None

    # -- children, which stand under the same lock ------------------------------------------------

    def child(self, name: str) -> Claim:
        """The claim of a child, whose folder need not be there yet. The lock stays this claim's."""
        return Claim(self._disk, self.paths.child(name), self._lock, self.token, self._now)

    def of(self, paths: RunPaths) -> Claim:
        """The claim of another run of the same family."""
        if (paths.family or paths.root) != (self.paths.family or self.paths.root):
            raise ValueError(f"{paths.root} is not of the family of {self.paths.root}")
        return Claim(self._disk, paths, self._lock, self.token, self._now)

    def create_child(
        self, name: str, header: RunHeader, spec: bytes, attempt: AttemptHeader, dag: Dag
    ) -> Claim:
        """A new child with its first attempt, complete and durable in one rename."""
        child = self.child(name)
        folder = child.paths.root.parent
        stage = RunPaths(folder / f"{STAGE}{os.urandom(6).hex()}")
        with self._present():
            if not folder.is_dir():
                self._disk.make_dir(folder)
                self._disk.sync_dir(folder.parent)
            try:
                self._disk.make_dir(stage.root)
                stage_run(self._disk, stage, header, spec, attempt, dag, timestamp(self._now()))
                self.check()
                self._disk.publish_dir(stage.root, child.paths.root)
            except BaseException:
                with suppress(StoreError):
                    self._disk.remove_tree(stage.root)
                raise
        return child

    def sweep(self) -> None:
        """Clear away what a dead engine was building, and give back an edit saved too late for it."""
        with self._present():
            for stage in [*stages(self.paths.attempts), *stages(self.paths.children)]:
                self._disk.remove_tree(stage)
            self._sweep_pending()
            self._restore_late_edit()

    def _sweep_pending(self) -> None:
        with os.scandir(self.paths.root) as entries:
            found = [entry for entry in entries if entry.name.startswith(PENDING)]
        for entry in found:
            status = entry.stat(follow_symlinks=False)
            # A file with two names is already in place; a young one may be an `edit` at work.
            if status.st_nlink > 1 or time.time() - status.st_mtime > _LEFTOVER_SEC:
                self._disk.remove_file(entry.path)

    def _restore_late_edit(self) -> None:
        """An editor that had the edit open saved into it after it was filed: that is a new edit."""
        for n in self.paths.attempt_numbers()[-1:]:
            attempt = self.paths.attempt(n)
            if attempt.consumed.exists() and not _holds(
                attempt.consumed, read_attempt_header(self.paths, n).spec_sha256
            ):
                self._give_back(attempt)

    def publish_spec(self, data: bytes) -> tuple[str, str]:
        """Make `data` a captured spec, durable; its file name and sha256.

        The current one is used when it is the same text, else one that no attempt names yet.
        """
        digest = sha256(data)
        with self._present():
            headers = [read_attempt_header(self.paths, n) for n in self.paths.attempt_numbers()]
            if headers and headers[-1].spec_sha256 == digest:
                return headers[-1].spec, digest
            versions = self.paths.spec_versions()
            unused = [
                self.paths.spec(v)
                for v in versions
                if self.paths.spec(v).name not in {h.spec for h in headers}
            ]
            for path in reversed(unused):
                if sha256(read_bytes(path)) == digest:
                    # A dead engine may have left its name not yet durable.
                    self._disk.sync_dir(self.paths.root)
                    return path.name, digest
            path = self.paths.spec(max(versions, default=0) + 1)
            self._disk.put_new(path, data, immutable=True)
            return path.name, digest

    def commit_attempt(self, header: AttemptHeader, dag: Dag, events: Sequence[First] = ()) -> None:
        """The attempt and its spec become true in one rename, durable on return. The spec is published.

        `events` follow the journal's first line: which steps are kept and adopted commits with the rest.
        """
        with self._present():
            self._check_spec(header)
            self._sync_base(header)
            stage = AttemptPaths(self.paths.attempts / f"{STAGE}{os.urandom(6).hex()}")
            try:
                stage_attempt(self._disk, stage, header, dag, timestamp(self._now()), events)
                self.check()
                self._disk.publish_dir(stage.root, self.paths.attempt(header.n).root)
            except BaseException:
                with suppress(StoreError):
                    self._disk.remove_tree(stage.root)
                raise

    def _check_spec(self, header: AttemptHeader) -> None:
        """What an attempt names must be there before it."""
        if sha256(read_bytes(self.paths.root / header.spec)) != header.spec_sha256:
            raise Damaged(
                f"{self.paths.root / header.spec} is not the text attempt {header.n} is made from",
                hint="captured specs never change: restore it from a backup",
            )

    def _sync_base(self, header: AttemptHeader) -> None:
        """What a killed engine wrote but never synced becomes durable before anything is built on it."""
        if header.base:
            journal = self._disk.open_append(self.paths.attempt(header.base).journal)
            try:
                journal.sync()
            finally:
                journal.close()

    def consume_next(self, n: int, digest: str) -> None:
        """File the edit that became attempt `n` with it, unless it has been saved anew since."""
        attempt = self.paths.attempt(n)
        with self._present():
            if not _holds(self.paths.next_spec, digest):
                return
            self._disk.move(self.paths.next_spec, attempt.consumed)
            # A save between the look and the move was moved instead.
            if not _holds(attempt.consumed, digest):
                self._give_back(attempt)

    def _give_back(self, attempt: AttemptPaths) -> None:
        try:
            self._disk.link_back(attempt.consumed, self.paths.next_spec)
        except FileExistsError:
            self._disk.move(attempt.consumed, attempt.superseded)

    def journal(self, n: int) -> JournalWriter:
        """The journal of attempt `n`, to append to; a torn tail is sealed. Close it after use."""
        with self._present():
            header = read_attempt_header(self.paths, n)
            return JournalWriter(self._disk, self.paths.attempt(n).journal, header.token, self._now)

    def write_status(self, n: int, document: Mapping[str, Any]) -> None:
        """Replace the attempt's status.json, and point the run's at it."""
        paths = self.paths.attempt(n)
        with self._present():
            indent = len(document.get("steps", ())) <= _SMALL
            self._disk.replace(paths.status, encode_document(document, indent=indent))
            target = os.path.relpath(paths.status, self.paths.root)
            if self._linked != target and _link(self.paths.status) != target:
                self._disk.replace_link(self.paths.status, target)
            self._linked = target

    def words(self) -> list[tuple[Path, str, Word | None]]:
        """What was said to steps of this run since the last look; see `store.words`."""
        return words.found(self.paths)

    def forget(self, word: Path) -> None:
        """Remove a word that is in the journal now, or that says nothing."""
        with suppress(FileNotFoundError):
            self._disk.remove_file(word)

    def check(self) -> None:
        """LostOwnership when this engine no longer owns the run: ask before every effect."""
        self._lock.check()

    def release(self) -> None:
        """Give the run up; fine when that has happened already."""
        self._lock.release()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @contextmanager
    def _present(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            self.check()
            raise Damaged(f"{error.filename} is missing", hint="run `dagfs fsck`") from error
        except FileExistsError as error:
            raise LostOwnership(f"{error.filename2 or error.filename} was made by another engine") from error


def _holds(path: Path, digest: str) -> bool:
    try:
        return sha256(read_bytes(path)) == digest
    except FileNotFoundError:
        return False


def _link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
